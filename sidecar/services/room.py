"""What people do in the room: speak up, share, chat, and what the adviser may do with the others.

The media side is told at once; what it could not be told stays an errand until it knows.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sidecar.domain.clock import to_text
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError
from sidecar.domain.ids import MeetingId, ParticipantId, new_id
from sidecar.domain.meetings import (
    FINAL_STATES,
    INSIDE,
    ChatLine,
    Meeting,
    MeetingState,
    Participant,
    ParticipantState,
    as_waiting,
)
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import Decision, LogLevel, Policy, Raise, decide, may_raise, permissions_for, raises_left
from sidecar.services.acts import Act, Acts, level_of
from sidecar.services.admission import Admission
from sidecar.services.arrival import situation
from sidecar.services.booking import Booking, GuestRequest
from sidecar.services.ports import (
    Conference,
    ConferenceUnavailableError,
    Errand,
    MeetingStore,
    MeetingTx,
    PeopleStore,
)
from sidecar.services.recording import Recordings
from sidecar.services.sending import letter_channel
from sidecar.services.share_firewall import ShareFirewall

_CHAT_SIGNS = 2000
_TARGET = re.compile(r"[a-z]{1,20}:[a-z]{1,20}")
_SURFACES = frozenset({"window", "browser", "monitor"})
_NEEDS_END_TO_END = frozenset({"encryption:strict"})
_MEDIA = frozenset({"audio", "video", "share"})
_GET_SUMMARY = frozenset({Capacity.CUSTOMER, Capacity.REPRESENTATIVE})  # the parties; observers do not


class Room:
    """The acts of a running meeting. Each is decided on the server, recorded, done, announced."""

    def __init__(
        self,
        *,
        acts: Acts,
        admission: Admission,
        booking: Booking,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        conference: Conference,
        recordings: Recordings,
        firewall: ShareFirewall,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._admission = admission
        self._booking = booking
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._conference = conference
        self._recordings = recordings
        self._firewall = firewall
        self._clock = clock

    def leave(self, place: Participant, *, reason: str = "left") -> None:
        """Step out; the place is kept for the type's bound. Once out, the media is cut."""
        if place.state is not ParticipantState.IN_ROOM:
            return
        act = self._act("participant.left", place, {"reason": reason})
        away = replace(place, state=ParticipantState.AWAY, left_at=self._clock(), lost=False, sharing=False, hand=False)
        errand = self._command("bridge.expel", place, reason)

        def effect(tx: MeetingTx) -> None:
            tx.save_participant(away)
            tx.add_errand(errand)

        self._acts.perform(act, effect=effect)
        self.run_command(errand)

    def chat(self, place: Participant, text: str) -> ChatLine:
        """Say something in the chat. The line is kept; the log holds its digest, never its words."""
        words = text.strip()
        if not words or len(words) > _CHAT_SIGNS:
            detail = f"A line of chat has 1 to {_CHAT_SIGNS} signs."
            raise InvalidInputError(detail, field="text", reason="too_long" if words else "empty", most=_CHAT_SIGNS)
        line = ChatLine(new_id("c"), place.meeting, place.id, self._clock(), words)
        act = self._act("chat.sent", place, {"line": line.id, "sha256": line.digest, "signs": len(words)})
        self._admission.check(place, Permission.CHAT, act)

        def effect(tx: MeetingTx) -> ChatLine:
            tx.add_chat(line)
            return line

        return self._acts.perform(act, effect=effect)

    def hand(self, place: Participant, *, raised: bool) -> None:
        act = self._act("hand.raised", place, {"raised": raised})
        self._admission.check(place, Permission.RAISE_HAND, act)
        self._save(act, replace(place, hand=raised))

    def start_share(self, place: Participant, surface: str) -> None:
        """Begin to share. surface: what the browser's track says it shows. A whole screen is another right."""
        if surface not in _SURFACES:
            raise InvalidInputError("The browser did not say what is shared.", field="surface")
        act = self._act("share.started", place, {"surface": surface})
        wanted = Permission.SHARE_SCREEN if surface == "monitor" else Permission.SHARE_WINDOW
        self._admission.check(place, wanted, act)
        meeting = self._meetings.get(place.meeting)
        self._firewall.require(act, meeting)
        others = [p for p in self._meetings.participants(place.meeting) if p.sharing and p.id != place.id]
        if others:
            raise ConflictError("Somebody else is sharing. One window is shared at a time.")

        def effect(tx: MeetingTx) -> None:
            tx.save_meeting(meeting)  # unchanged, but of two who begin at once only one gets it saved
            tx.save_participant(replace(place, sharing=True))

        self._acts.perform(act, effect=effect)

    def stop_share(self, place: Participant) -> None:
        if place.sharing:
            self._save(self._act("share.stopped", place, {}), replace(place, sharing=False))

    def record(self, place: Participant) -> None:
        """Ask for a recording without saying what for: refused, for one reason or the other. See services.recording."""
        act = self._act("record.refused", place, {})
        meeting = self._meetings.get(place.meeting)
        decision = decide(self._policy, situation(self._policy, meeting, place), Permission.RECORD)
        if decision.allowed:
            decision = Decision(False, "default/no-recorder", "recording-purpose-missing")
        self._acts.refuse(act, decision)

    def mute(self, place: Participant, target_id: ParticipantId, kind: str) -> None:
        target = self._other(place, target_id)
        if kind not in _MEDIA:
            raise InvalidInputError("Sound, picture or share can be muted.", field="kind")
        act = self._act("mute.done", place, {"target": target.id, "media": kind})
        self._admission.check(place, Permission.MUTE_OTHERS, act)
        room = self._meetings.get(place.meeting).room
        self._acts.perform(
            act,
            effect=lambda _tx: None,
            before=lambda: self._conference.mute(room=room, participant=target.id, kind=kind),
        )

    def expel(self, place: Participant, target_id: ParticipantId) -> None:
        """Put somebody out for good: the media is cut at once and no token is minted for them again."""
        target = self._other(place, target_id)
        act = Act(
            "participant.expelled",
            self._who(place),
            self._clock(),
            place.meeting,
            target.id,
            {"by": place.id},
        )
        self._admission.check(place, Permission.EXPEL, act)
        out = replace(target, state=ParticipantState.EXPELLED, left_at=self._clock(), sharing=False, link_digest="")
        errand = self._command("bridge.expel", target, "expelled")

        def effect(tx: MeetingTx) -> None:
            tx.save_participant(out)
            tx.add_errand(errand)

        self._acts.perform(act, effect=effect)
        self.run_command(errand)

    def send_back(self, place: Participant, target_id: ParticipantId) -> None:
        """Ask somebody to wait in the lobby again: the media is cut, and they come in as anybody who waits."""
        now = self._clock()
        target = self._other(place, target_id)
        act = Act("participant.sent_back", self._who(place), now, place.meeting, target.id, {"by": place.id})
        self._admission.check(place, Permission.ADMIT, act)
        if target.is_staff or target.state not in (ParticipantState.ADMITTED, ParticipantState.IN_ROOM):
            raise ConflictError("Only a customer or a guest who is in the meeting can be asked to wait.")
        waiting = replace(as_waiting(target, since=now, sent_back=True), hand=False, sharing=False)
        errand = self._command("bridge.expel", target, "sent_back")

        def effect(tx: MeetingTx) -> None:
            tx.save_participant(waiting)
            tx.see_page(target.id, at=now)  # or nobody would notice that no page of theirs is open
            tx.add_errand(errand)

        self._acts.perform(act, effect=effect)
        self.run_command(errand)

    def invite(self, place: Participant, guest: GuestRequest) -> Participant:
        meeting = self._meetings.get(place.meeting)
        act = self._act("guest.invited", place, {"capacity": guest.capacity.value})
        self._admission.check(place, Permission.INVITE_GUEST, act)
        return self._booking.invite_guest(meeting, guest, actor=self._who(place))

    def raise_security(self, place: Participant, target: str) -> Meeting:
        """Turn the meeting's security up. Never down: that is refused and recorded (R025)."""
        if not _TARGET.fullmatch(target):
            raise InvalidInputError("There is no such thing to raise.", field="target")
        meeting = self._meetings.get(place.meeting)
        act = self._act("security.raised", place, {"target": target})
        self._admission.check(place, Permission.RAISE_SECURITY, act)
        where = situation(self._policy, meeting, place)
        decision = may_raise(self._policy, where, target)
        if decision.allowed and target in _NEEDS_END_TO_END and not self._conference.end_to_end:
            decision = Decision(False, "bridge/no-end-to-end", "raise-not-offered")
        if decision.rule == "raise/cannot-lower":
            self._acts.note(self._act("security.lowering_refused", place, {"target": target}))
        self._acts.require(act, decision)
        step = Raise(target=target, at=self._clock(), by=self._who(place))
        raised = replace(meeting, raises=(*meeting.raises, step))
        self._acts.require(act, self._admission.judge_call_check(raised, place))
        # What the raised meeting may not record ends before it is raised: strict encryption, a band with a law
        self._recordings.before_raise(raised, actor=self._who(place))
        places = [p for p in self._meetings.participants(meeting.id) if p.state in INSIDE]
        # Whoever showed less than the raised meeting asks shows who they are anew, and is let in anew.
        weak = [p for p in places if not self._admission.is_identified_enough(raised, p)]
        errands = [self._command("bridge.expel", p, "identify") for p in weak]
        errands += [self._permissions_command(raised, inside) for inside in places if inside not in weak]
        now = self._clock()
        acts = [Act("participant.left", self._who(p), now, meeting.id, p.id, {"reason": "identify"}) for p in weak]

        def effect(tx: MeetingTx) -> Meeting:
            for outside in weak:
                tx.save_participant(
                    replace(
                        outside,
                        state=ParticipantState.CONSENTED,
                        identified=None,
                        left_at=now,
                        sharing=False,
                        hand=False,
                    )
                )
            for errand in errands:
                tx.add_errand(errand)
            return tx.save_meeting(raised)

        saved = self._acts.perform(act, *acts, effect=effect)
        for errand in errands:
            self.run_command(errand)
        return saved

    def raises_left(self, place: Participant) -> Mapping[str, Decision]:
        """Return what this person can still raise, of what the media side can keep.

        Each with whether the check before this call is strong enough for it, or has to be made again first.
        """
        meeting = self._meetings.get(place.meeting)
        offered = raises_left(self._policy, situation(self._policy, meeting, place))
        now, who = self._clock(), self._who(place)
        return {
            target: self._admission.judge_call_check(
                replace(meeting, raises=(*meeting.raises, Raise(target=target, at=now, by=who))), place
            )
            for target in offered
            if target not in _NEEDS_END_TO_END or self._conference.end_to_end
        }

    def end(self, meeting_id: MeetingId, *, actor: str, place: Participant | None, reason: str) -> None:
        """End the meeting for everybody: all out, all tokens dead. place: who asks, None for the worker."""
        meeting = self._meetings.get(meeting_id)
        act = Act("meeting.ended", actor, self._clock(), meeting.id, data={"reason": reason})
        if place is not None:
            self._admission.check(place, Permission.END_MEETING, act)
        if meeting.state in FINAL_STATES:
            return
        ended = replace(meeting, state=MeetingState.ENDED, ended_at=self._clock())
        errand = Errand(
            id=new_id("e"),
            kind="bridge.end",
            meeting=meeting.id,
            due_at=self._clock(),
            body={"room": meeting.room, "reason": reason},
        )
        places = self._meetings.participants(meeting.id)

        def effect(tx: MeetingTx) -> None:
            tx.save_meeting(ended)
            for inside in places:
                if inside.state in INSIDE or inside.state is ParticipantState.WAITING:
                    tx.save_participant(
                        replace(
                            inside,
                            state=ParticipantState.LEFT,
                            left_at=inside.left_at or self._clock(),
                            sharing=False,
                        )
                    )
            tx.add_errand(errand)
            if level_of(self._policy, meeting) is not LogLevel.CHAT:
                tx.drop_chat(meeting.id)
            for done in places:
                if done.capacity in _GET_SUMMARY and done.joined_at is not None and self.summary_channel(done):
                    tx.add_errand(self._summary(meeting, done))

        self._acts.perform(act, effect=effect)
        self.run_command(errand)

    def run_command(self, errand: Errand) -> bool:
        """Carry out a command to the media side now. Return False where it stays to be tried again."""
        body = errand.body
        try:
            if errand.kind == "bridge.expel":
                place = self._meetings.participant(body["participant"])
                if place.state is not ParticipantState.IN_ROOM:  # a late command must not cut who came back
                    self._conference.expel(room=body["room"], participant=place.id, reason=body["reason"])
            elif errand.kind == "bridge.end":
                self._conference.end(room=body["room"], reason=body["reason"])
            elif errand.kind == "bridge.permissions":
                place = self._meetings.participant(body["participant"])
                if place.session_until is not None:
                    self._conference.set_permissions(
                        room=body["room"],
                        participant=place.id,
                        permissions=self._permissions(place),  # as of now: an old command must not widen them
                        session_until=place.session_until,
                        watch_shares=self._firewall.watches(self._meetings.get(place.meeting)),
                    )
            else:
                raise NotFoundError(f"There is no command {errand.kind}.")
        except ConferenceUnavailableError as error:
            later = replace(errand, attempts=errand.attempts + 1, last_problem=error.slug)
            self._meetings.write(lambda tx: tx.save_errand(later))
            return False
        self._meetings.write(lambda tx: tx.save_errand(replace(errand, state="done")))
        return True

    def _permissions(self, place: Participant) -> list[str]:
        meeting = self._meetings.get(place.meeting)
        return sorted(permissions_for(self._policy, situation(self._policy, meeting, place)))

    def _permissions_command(self, meeting: Meeting, place: Participant) -> Errand:
        return Errand(
            id=new_id("e"),
            kind="bridge.permissions",
            meeting=meeting.id,
            due_at=self._clock(),
            body={"room": meeting.room, "participant": place.id},
        )

    def _command(self, kind: str, place: Participant, reason: str) -> Errand:
        meeting = self._meetings.get(place.meeting)
        return Errand(
            id=new_id("e"),
            kind=kind,
            meeting=place.meeting,
            due_at=self._clock(),
            body={"room": meeting.room, "participant": place.id, "reason": reason},
        )

    def summary_channel(self, place: Participant) -> str:
        """Return how the meeting's summary reaches this person, "" for somebody the bank has no address of."""
        person = self._people.find(place.person) if place.person else None
        return letter_channel(place, person) if person else ""

    def _summary(self, meeting: Meeting, place: Participant) -> Errand:
        return Errand(
            id=new_id("e"),
            kind="message",
            meeting=meeting.id,
            due_at=self._clock(),
            body={
                "participant": place.id,
                "template": "summary",
                "channel": self.summary_channel(place),
                "ended_at": to_text(self._clock()),
            },
        )

    def _other(self, place: Participant, target_id: ParticipantId) -> Participant:
        target = self._meetings.participant(target_id)
        if target.meeting != place.meeting:
            raise NotFoundError("There is no such person in this meeting.")
        if target.id == place.id:
            raise InvalidInputError("This cannot be done to yourself.", field="participant")
        return target

    def _save(self, act: Act, place: Participant) -> None:
        self._acts.perform(act, effect=lambda tx: tx.save_participant(place))

    def _act(self, kind: str, place: Participant, data: dict[str, object]) -> Act:
        return Act(kind, self._who(place), self._clock(), place.meeting, place.id, data)

    @staticmethod
    def _who(place: Participant) -> str:
        return place.person or place.staff or place.id

"""The door: lobby, admission by the adviser, and the join token minted at that moment."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from sidecar.domain.errors import AuditUnavailableError, ConflictError
from sidecar.domain.identity import LoA
from sidecar.domain.ids import MeetingId, ParticipantId, RoomName, new_id
from sidecar.domain.jws import SigningKey
from sidecar.domain.meetings import (
    FINAL_STATES,
    INSIDE,
    SHUT_OUT,
    Meeting,
    MeetingState,
    Participant,
    ParticipantState,
    as_waiting,
    rejoin_needs_check,
)
from sidecar.domain.permissions import SHARING, Capacity, Permission
from sidecar.domain.placement import SHARD_DOWN, new_room, shard_id_of
from sidecar.domain.policy import (
    Decision,
    Policy,
    SignInRule,
    Situation,
    band_for,
    decide,
    encryption_for,
    integrations_for,
    jitsi_features,
    permissions_for,
    sign_in_for,
    staff_sign_in_for,
)
from sidecar.domain.tokens import JoinClaims, VerifiedJoin, mint_join_token
from sidecar.services.acts import Act, Acts
from sidecar.services.arrival import situation
from sidecar.services.placement import Placement
from sidecar.services.ports import Extensions, JoinQuestion, MeetingStore, MeetingTx, PeopleStore
from sidecar.services.share_firewall import ShareFirewall

LATEST_LEAVE = timedelta(minutes=30)  # a session lasts at most this long past the booked end
LOBBY_CHOICES = frozenset({"wait", "call_me", "rebook"})
PAGE_GONE = timedelta(seconds=45)  # two signs of life of the lobby's page, 18 s apart at most, did not get through

_IDENTIFY_FIRST = Decision(False, "default/identified-first", "identify-first")
_NOT_ADMITTED = Decision(False, "default/admitted-first", "not-admitted")
_SESSION_ENDED = Decision(False, "default/session-ended", "session-ended")
_CALL_CHECK = Decision(False, "default/call-check", "call-check-missing")
_NO_END_TO_END = Decision(False, "jitsi/no-end-to-end", "raise-not-offered")
_NOT_YOUR_MEETING = Decision(False, "default/own-meetings", "not-your-case")


@dataclass(frozen=True)
class TokenSettings:
    """What is the same on every shard. issuer: a claim. ttl: at most 120 s."""

    issuer: str
    ttl: timedelta


@dataclass(frozen=True)
class _Terms:
    """What the policy says of one situation. features: every flag of Jitsi's."""

    permissions: frozenset[str]
    features: Mapping[str, bool]
    band: str
    encryption: str
    sign_in: SignInRule


# Both arguments are values that never change, and a raise or another role package makes another situation. So
# an answer cannot go stale; 1,000 are some 40 types, capacities and role packages with their raises.
@lru_cache(maxsize=1000)
def _terms(policy: Policy, where: Situation) -> _Terms:
    permissions = permissions_for(policy, where)
    return _Terms(
        permissions=frozenset(permissions),
        features=MappingProxyType(jitsi_features(permissions)),
        band=band_for(where).value,
        encryption=encryption_for(policy, where),
        sign_in=sign_in_for(policy, where),
    )


class Admission:
    """Lets people from the lobby into the room, and nobody else."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        extensions: Extensions,
        join_key: Callable[[], SigningKey],
        tokens: TokenSettings,
        placement: Placement,
        firewall: ShareFirewall,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._extensions = extensions
        self._join_key = join_key
        self._tokens = tokens
        self._placement = placement
        self._firewall = firewall
        self._clock = clock

    def open_meeting(
        self, meeting_id: MeetingId, staff: str, *, packages: frozenset[str], call_checked_at: datetime | None
    ) -> Participant:
        """Start the meeting as its adviser, after the call's own check (R015); return the adviser's place.

        Raises RefusedError where the check is missing or stale, or the meeting is a colleague's.
        """
        now = self._clock()
        meeting = self._meetings.get(meeting_id)
        act = Act("meeting.opened", staff, now, meeting.id)
        if meeting.adviser != staff:
            self._acts.refuse(act, _NOT_YOUR_MEETING)
        rule = staff_sign_in_for(self._policy, self._policy.type(meeting.type_ref), meeting.raises)
        if call_checked_at is None or now - call_checked_at > rule.call_fresh:
            self._acts.refuse(act, _CALL_CHECK)
        if meeting.state in FINAL_STATES:
            raise ConflictError("The meeting is over.")
        place = next(p for p in self._meetings.participants(meeting.id) if p.staff == staff)
        if self.is_inside(meeting, place):
            return place
        room = self._room(meeting, act)
        entered = replace(
            place,
            state=ParticipantState.ADMITTED,
            admitted_at=now,
            left_at=None,
            session_until=self._session_until(meeting, now),
        )
        opened = replace(
            meeting, state=MeetingState.OPEN, opened_at=meeting.opened_at or now, packages=packages, room=room
        )

        def effect(tx: MeetingTx) -> Participant:
            tx.save_meeting(opened)
            return tx.save_participant(entered)

        if room != meeting.room:
            act = replace(act, data={"shard": shard_id_of(room), "booked_shard": shard_id_of(meeting.room)})
        admitted = Act("participant.admitted", staff, now, meeting.id, place.id, {"by": staff})
        return self._acts.perform(act, admitted, effect=effect)

    def enter_lobby(self, place: Participant) -> Participant:
        """Wait in the lobby. Raises RefusedError for somebody who is not identified well enough."""
        now = self._clock()
        meeting = self._meetings.get(place.meeting)
        act = Act("lobby.entered", self._who(place), now, meeting.id, place.id)
        if place.state in SHUT_OUT:
            self._acts.refuse(act, Decision(False, "default/invited-only", "expelled"))
        if meeting.state in FINAL_STATES:
            raise ConflictError("The meeting is over.")
        if place.state in INSIDE or place.state is ParticipantState.WAITING:
            return place
        self._check_identified(meeting, place, act)
        self._room(meeting, act)
        waiting = as_waiting(place, since=now)
        return self._acts.perform(act, effect=lambda tx: tx.save_participant(waiting))

    def leave_lobby(self, place: Participant) -> None:
        """Stop waiting: the adviser no longer sees this person at the door, and lets nobody in who is gone."""
        if place.state is not ParticipantState.WAITING:
            return
        gone = replace(place, state=ParticipantState.IDENTIFIED, waiting_since=None, lobby_choice="", absent_since=None)
        act = Act("lobby.left", self._who(place), self._clock(), place.meeting, place.id)
        self._acts.perform(act, effect=lambda tx: tx.save_participant(gone))

    def page_is_open(self, place_id: ParticipantId) -> None:
        """Take note that a waiting person's page is open; whoever was away is back."""
        now = self._clock()
        place = self._meetings.participant(place_id)
        if place.state is not ParticipantState.WAITING:
            return
        self._meetings.write(lambda tx: tx.see_page(place_id, at=now))
        if place.absent_since is not None:
            back = replace(place, absent_since=None)
            act = Act("lobby.back", self._who(place), now, place.meeting, place.id)
            # Let in or seen by another page of theirs this very moment; or nothing can be recorded: said a moment later
            with suppress(ConflictError, AuditUnavailableError):
                self._acts.perform(act, effect=lambda tx: tx.save_participant(back))

    def note_absent(self) -> None:
        """Note who waits no longer at their page, so that nobody counts on somebody who is not there.

        What cannot be noted now is left for the next round: somebody is back or let in this very moment, or nothing
        can be recorded. The worker's other duties do not wait for it.
        """
        now = self._clock()
        for place_id, seen_at in self._meetings.pages_unseen_since(now - PAGE_GONE):
            with suppress(ConflictError, AuditUnavailableError):
                self._page_is_gone(self._meetings.participant(place_id), seen_at, now)

    def _page_is_gone(self, place: Participant, seen_at: datetime, now: datetime) -> None:
        over = self._meetings.get(place.meeting).state in FINAL_STATES
        if over or place.state is not ParticipantState.WAITING or place.absent_since is not None:
            self._meetings.write(lambda tx: tx.forget_page(place.id, seen_by=seen_at))
            return
        absent = replace(place, absent_since=seen_at)

        def effect(tx: MeetingTx) -> None:
            tx.forget_page(place.id, seen_by=seen_at)
            tx.save_participant(absent)

        self._acts.perform(Act("lobby.away", "system", now, place.meeting, place.id), effect=effect)

    def choose(self, place: Participant, choice: str) -> None:
        """Keep what a waiting person chose after a long wait: wait on, be called, or a new time."""
        if place.state is not ParticipantState.WAITING:
            raise ConflictError("Only somebody who waits in the lobby can choose.")
        act = Act("lobby.choice", self._who(place), self._clock(), place.meeting, place.id, {"choice": choice})
        self._acts.perform(act, effect=lambda tx: tx.save_participant(replace(place, lobby_choice=choice)))

    def admit(self, adviser: Participant, target_id: ParticipantId, *, though_away: bool = False) -> Participant:
        """Open the door for one waiting person. Everything is checked again at this moment (R011).

        though_away: the adviser knows that the person's page is not open just now. Raises ConflictError without it.
        """
        now = self._clock()
        target = self._meetings.participant(target_id)
        meeting = self._meetings.get(adviser.meeting)
        data = {"by": adviser.id} | ({"away": True} if target.absent_since else {})
        act = Act("participant.admitted", self._who(adviser), now, meeting.id, target.id, data)
        self.check(adviser, Permission.ADMIT, act)
        if target.meeting != meeting.id or target.state is not ParticipantState.WAITING:
            raise ConflictError("This person is not waiting in this meeting's lobby.")
        if target.absent_since is not None and not though_away:
            raise ConflictError("This person's page is not open just now.", reason="away")
        self._check_identified(meeting, target, act)
        self._ask_plugins(meeting, target, act)
        admitted = replace(
            target,
            state=ParticipantState.ADMITTED,
            absent_since=None,
            admitted_at=now,
            left_at=None,
            session_until=self._session_until(meeting, now),
        )
        return self._acts.perform(act, effect=lambda tx: tx.save_participant(admitted))

    def deny(self, adviser: Participant, target_id: ParticipantId) -> None:
        """Send a waiting person away from this meeting."""
        target = self._meetings.participant(target_id)
        act = Act(
            "participant.denied",
            self._who(adviser),
            self._clock(),
            adviser.meeting,
            target.id,
            {"by": adviser.id},
        )
        self.check(adviser, Permission.ADMIT, act)
        if target.meeting != adviser.meeting or target.state is not ParticipantState.WAITING:
            raise ConflictError("This person is not waiting in this meeting's lobby.")
        denied = replace(target, state=ParticipantState.DENIED)
        self._acts.perform(act, effect=lambda tx: tx.save_participant(denied))

    def mint(self, place: Participant) -> str:
        """Return a join token for somebody who was admitted, valid once and for at most two minutes."""
        now = self._clock()
        meeting = self._meetings.get(place.meeting)
        act = Act("token.minted", self._who(place), now, meeting.id, place.id)
        if place.state not in INSIDE or meeting.state is not MeetingState.OPEN:
            self._acts.refuse(act, _NOT_ADMITTED)
        if place.session_until is None or self._is_over(meeting, place):
            self._acts.refuse(act, _SESSION_ENDED)
        if not place.is_staff:
            self._check_identified(meeting, place, act)
        if not self._placement.answers(meeting):
            self._acts.refuse(act, SHARD_DOWN)
        shard = self._placement.shard_of(meeting.room)
        terms = _terms(self._policy, situation(self._policy, meeting, place))
        if terms.encryption == "strict" and shard.kind == "jitsi":
            self._acts.refuse(act, _NO_END_TO_END)  # what nobody there can see kept is not promised
        who = self._people.get(place.person or place.staff)  # type: ignore[arg-type]  # one of the two is set
        moderator = place.capacity is Capacity.ADVISER
        permissions = self._granted(meeting, place)
        claims = JoinClaims(
            issuer=self._tokens.issuer,
            audience=shard.audience,
            brand=meeting.brand,
            room=meeting.room,
            jti=new_id("j"),
            user_id=place.id,
            name=who.shown_name,
            affiliation="owner" if moderator else "member",
            moderator=moderator,
            features=terms.features if permissions == terms.permissions else jitsi_features(permissions),
            meeting=meeting.id,
            band=terms.band,
            type_ref=meeting.type_ref,
            capacity=place.capacity,
            loa=LoA(place.identified.loa) if place.identified else LoA.SUBSTANTIAL,
            method=place.identified.method if place.identified else "staff",
            permissions=permissions,
            region=shard.region,  # where the media stay; the data's region is the meeting's
            encryption=terms.encryption,
            session_until=place.session_until,
        )
        data = {"jti": claims.jti, "band": claims.band, "permissions": sorted(claims.permissions)}
        token = mint_join_token(claims, signing_key=self._join_key(), now=now, ttl=self._tokens.ttl)
        self._acts.record(Act(act.kind, act.actor, now, meeting.id, place.id, data))
        return token

    def joined(self, place: Participant, join: VerifiedJoin) -> Participant:
        """Spend a verified join token and mark its bearer as in the room.

        Raises ConflictError on replay, and where the person's permissions changed after it was minted.
        """
        now = self._clock()
        meeting = self._meetings.get(place.meeting)
        if join.claims.user_id != place.id or not self.is_inside(meeting, place):
            act = Act("participant.joined", self._who(place), now, place.meeting, place.id)
            self._acts.refuse(act, _NOT_ADMITTED)
        if join.claims.permissions != _terms(self._policy, situation(self._policy, meeting, place)).permissions:
            # The bridge goes by the token: one from before a raise would bring back what the raise closed.
            raise ConflictError("The meeting's rules changed after this token was minted. Ask for another one.")
        again = place.joined_at is not None
        kind = "participant.rejoined" if again else "participant.joined"
        act = Act(kind, self._who(place), now, place.meeting, place.id, {"jti": join.claims.jti})
        inside = replace(
            place,
            state=ParticipantState.IN_ROOM,
            joined_at=place.joined_at or now,
            left_at=None,
            sharing=False,
            media_key="",  # a page has keys of its own, and this may be another page
            sealed_keys=(),
        )

        def effect(tx: MeetingTx) -> Participant:
            tx.spend_token(join.claims.jti, expires_at=join.forget_after, now=now)
            return tx.save_participant(inside)

        return self._acts.perform(act, effect=effect)

    def may_enter(self, place: Participant) -> tuple[frozenset[str], datetime] | None:
        """Return what a person may do who stands at a shard's door with a good token, and until when; None: turn away.

        Asked at the moment of joining, since a token is minted up to two minutes before (R011).
        """
        meeting = self._meetings.get(place.meeting)
        if not self.is_inside(meeting, place) or place.session_until is None:
            return None
        return self._granted(meeting, place), place.session_until

    def _granted(self, meeting: Meeting, place: Participant) -> frozenset[str]:
        """Return what the door grants: on Jitsi no share that would have to be looked at, since nobody there can."""
        granted = _terms(self._policy, situation(self._policy, meeting, place)).permissions
        unseen = self._placement.shard_of(meeting.room).kind == "jitsi" and self._firewall.watches(meeting)
        return granted - SHARING if unseen else granted

    def is_inside(self, meeting: Meeting, place: Participant) -> bool:
        """Say whether this person has a part in the room now: admitted, in time, and not away for too long."""
        if place.state not in INSIDE or meeting.state is not MeetingState.OPEN:
            return False
        return not self._is_over(meeting, place)

    def is_identified_enough(self, meeting: Meeting, place: Participant) -> bool:
        """Say whether what this person showed is what the meeting asks for now. Staff were checked as they called."""
        how = place.identified
        if place.is_staff or how is None:
            return place.is_staff
        rule = _terms(self._policy, situation(self._policy, meeting, place)).sign_in
        return rule.judge(provider=how.provider, kind=how.kind, loa=LoA(how.loa), factors=how.factors).allowed

    def judge_call_check(self, meeting: Meeting, place: Participant) -> Decision:
        """Say whether a staff member's check before this call is what the meeting, as it is given, asks for.

        It had to be fresh when the call began; how long the meeting has gone on since does not count.
        """
        rule = staff_sign_in_for(self._policy, self._policy.type(meeting.type_ref), meeting.raises)
        made = place.call_check
        if made is None:
            return Decision(False, rule.rule, _CALL_CHECK.sentence)
        return rule.judge_call(amr=made.amr, authenticated_at=made.at, now=made.at)

    def check(self, place: Participant, permission: str, act: Act) -> None:
        """Raise RefusedError, recorded, unless the person is inside and the policy grants the permission."""
        meeting = self._meetings.get(place.meeting)
        if place.state not in INSIDE or meeting.state is not MeetingState.OPEN:
            self._acts.refuse(act, _NOT_ADMITTED)
        if self._is_over(meeting, place):
            self._acts.refuse(act, _SESSION_ENDED)
        self._acts.require(act, decide(self._policy, situation(self._policy, meeting, place), permission))

    def _room(self, meeting: Meeting, act: Act) -> RoomName:
        """Return the room a meeting is held in; before it begins, one on another shard where its own is down."""
        if meeting.state is MeetingState.BOOKED:
            shard = self._placement.for_start(meeting)
            if isinstance(shard, Decision):
                self._acts.refuse(act, shard)
            return meeting.room if shard.id == shard_id_of(meeting.room) else new_room(shard)
        if not self._placement.answers(meeting):
            self._acts.refuse(act, SHARD_DOWN)
        return meeting.room

    def _is_over(self, meeting: Meeting, place: Participant) -> bool:
        """Say whether this person's time in the room ran out, or they were away for longer than the type lets."""
        now = self._clock()
        bound = timedelta(minutes=self._policy.type(meeting.type_ref).rejoin_minutes)
        if place.session_until is None or place.session_until <= now:
            return True
        return rejoin_needs_check(place, bound=bound, now=now)

    def _check_identified(self, meeting: Meeting, place: Participant, act: Act) -> None:
        """Identity comes before the meeting, at the level the type asks for now, raises included."""
        rule = _terms(self._policy, situation(self._policy, meeting, place)).sign_in
        if place.identified is None or not place.consent_version:
            self._acts.refuse(act, _IDENTIFY_FIRST)
        how = place.identified
        self._acts.require(act, rule.judge(provider=how.provider, kind=how.kind, loa=LoA(how.loa), factors=how.factors))

    def _ask_plugins(self, meeting: Meeting, place: Participant, act: Act) -> None:
        where = situation(self._policy, meeting, place)
        question = JoinQuestion(
            meeting=meeting.id,
            participant=place.id,
            capacity=place.capacity,
            band=band_for(where),
            meeting_type=meeting.type_ref,
            loa=LoA(place.identified.loa) if place.identified else LoA.NONE,
            provider=place.identified.provider if place.identified else "",
        )
        verdict = self._extensions.judge_join(question, integrations_for(self._policy, where))
        if verdict is not None:
            self._acts.require(act, verdict)

    def _session_until(self, meeting: Meeting, now: datetime) -> datetime:
        return max(meeting.ends_at, now) + LATEST_LEAVE

    @staticmethod
    def _who(place: Participant) -> str:
        return place.person or place.staff or place.id

"""What the media side says happened: people came and went, spoke past our page, were refused. Each recorded once.

Reports come in order from each media side, at least once, and late after an outage: one that was taken in before is
known by its id, also after a restart, and one that is older than what we know changes no state.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sidecar.domain import canary as canaries
from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import ConflictError
from sidecar.domain.ids import ParticipantId, new_id
from sidecar.domain.meetings import Meeting, Participant, ParticipantState
from sidecar.domain.placement import shard_id_of
from sidecar.domain.tokens import MAX_JOIN_TTL, SKEW
from sidecar.services.acts import Act, Acts
from sidecar.services.admission import Admission
from sidecar.services.ports import Errand, MeetingStore, MeetingTx
from sidecar.services.room import Room
from sidecar.services.share_firewall import ShareFirewall

# What is said of each kind -> the kind it is recorded under.
_KINDS = {
    "act.done": "act.done",
    "chat.sent": "chat.sent",
    "chat.sent_private": "chat.sent_private",
    "media.joined": "media.keys",
    "media.left": "media.left",
    "message.dropped": "message.dropped",
    "session.ended": "media.left",
    "share.cut": "share.cut",
    "token.spent": "token.spent",
    "track.dropped": "track.dropped",
}
_OUT = frozenset({"media.left", "session.ended"})
_CHAT = frozenset({"chat.sent", "chat.sent_private"})
_CUT_REASONS = frozenset({"canary", "blind", "down"})
# Reasons of a departure that nobody chose: whoever is gone for one of these may be back in a moment.
_BROKEN = frozenset({"bridge_stopped", "connection_lost", "never_connected"})
_TEXTS = frozenset(
    {"fingerprint_client", "fingerprint_bridge", "srtp_profile", "reason", "kind", "rule", "target", "type"}
)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MOST_CHARS = 1_000_000
_LATE = timedelta(seconds=5)  # a report that took longer says when it happened
_TOKEN_LIVES = MAX_JOIN_TTL + SKEW


@dataclass(frozen=True)
class MediaReport:
    """One report, read. shard: whose. kind: "jitsi" where the media side lets people in by itself, else "bridge"."""

    id: str
    shard: str
    side: str
    kind: str
    room: str
    participant: ParticipantId
    at: datetime
    data: Mapping[str, Any]


def read_report(told: Mapping[str, Any], *, shard: str, side: str) -> MediaReport | None:
    """Return a report as it was sent, None for a kind we do not know. Raises ValueError where it cannot be read."""
    kind, data = str(told.get("kind")), told.get("data")
    if kind not in _KINDS:
        return None
    return MediaReport(
        id=f"{shard}:{told.get('id', '')}"[:200],
        shard=shard,
        side=side,
        kind=kind,
        room=str(told.get("room", "")),
        participant=ParticipantId(str(told.get("participant"))),
        at=from_text(str(told.get("at"))),
        data=_READ.get(kind, _texts)(data),
    )


class Reports:
    """Takes in reports, one by one, in the order they came."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        admission: Admission,
        room: Room,
        firewall: ShareFirewall,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._admission = admission
        self._room = room
        self._firewall = firewall
        self._clock = clock

    def take(self, report: MediaReport) -> None:
        """Record what happened and let the state follow. Nothing where it was taken in before.

        Raises NotFoundError for a place that is gone, InvalidRecordError, PersonalDataError, AuditUnavailableError.
        """
        try:
            self._take(report)
        except ConflictError:
            self._take(report)  # the person did something at that very moment: once more, on what is true now

    def _take(self, report: MediaReport) -> None:
        if self._meetings.has_report(report.id):
            return
        now = self._clock()
        place = self._meetings.participant(report.participant)
        meeting = self._meetings.get(place.meeting)
        if shard_id_of(meeting.room) != report.shard or report.room not in ("", meeting.room):
            return  # of a room the meeting had before it moved, or of another jurisdiction's: not theirs to tell
        told_at = min(report.at, now)
        data = dict(report.data) | ({"happened_at": to_text(told_at)} if now - told_at > _LATE else {})
        acts = [Act(_KINDS[report.kind], self._who(place), now, place.meeting, place.id, data)]
        changed, errands = place, list[Errand]()
        if report.kind == "media.joined" and report.side == "jitsi":
            acts, changed, errands = self._came(meeting, place, told_at)
        elif report.kind == "share.cut":
            named = self._firewall.name_of(report.data["canary"])
            acts = [replace(acts[0], data=data | ({"system": named} if named else {}))]
            changed = replace(place, sharing=False)
        elif report.kind in _OUT:
            first, changed = self._went(report, place, told_at)
            acts = [*first, *acts]

        def effect(tx: MeetingTx) -> None:
            tx.take_report(report.id, now=now)
            if changed is not place:
                tx.save_participant(changed)
            for errand in errands:
                tx.add_errand(errand)

        self._acts.perform(*acts, effect=effect)
        for errand in errands:
            self._room.run_command(errand)

    def _came(self, meeting: Meeting, place: Participant, at: datetime) -> tuple[list[Act], Participant, list[Errand]]:
        """Somebody whose token opened Jitsi's door is in the room, or out again at once where they no longer may be."""
        now, who = self._clock(), self._who(place)
        if place.media_at is not None and at < place.media_at:
            late = Act("participant.rejoined", who, now, meeting.id, place.id, {"happened_at": to_text(at)})
            return [late], place, []
        if self._admission.may_enter(place) is None:
            refused = {"rule": "default/admitted-first"}
            act = Act("token.refused", who, now, meeting.id, place.id, refused)
            return [act], place, [self._errand("bridge.expel", meeting, place, reason="expelled")]
        kind = "participant.joined" if place.joined_at is None else "participant.rejoined"
        inside = replace(
            place,
            state=ParticipantState.IN_ROOM,
            joined_at=place.joined_at or at,
            left_at=None,
            media_at=at,
            sharing=False,
        )
        errands = []
        if any(step.at > now - _TOKEN_LIVES for step in meeting.raises):
            # The token may be from before the raise: what the raise closed is closed for them too.
            errands.append(self._errand("bridge.permissions", meeting, place))
        return [Act(kind, who, now, meeting.id, place.id)], inside, errands

    def _went(self, report: MediaReport, place: Participant, at: datetime) -> tuple[list[Act], Participant]:
        """Somebody's media ended. The place is kept for the type's bound."""
        over = report.kind == "session.ended"
        reason = "session-ended" if over else str(report.data.get("reason", "lost"))
        if place.state is not ParticipantState.IN_ROOM or reason == "replaced":
            return [], place  # replaced: the same person's newer media took its place
        if place.media_at is not None and at < place.media_at:
            return [], place  # they have come back since
        kind = "participant.session_ended" if over else "participant.left"
        act = Act(kind, self._who(place), self._clock(), place.meeting, place.id, {"reason": reason[:40]})
        media_at = at if report.side == "jitsi" else None
        away = replace(
            place,
            state=ParticipantState.AWAY,
            left_at=at,
            lost=reason in _BROKEN,
            media_at=media_at,
            sharing=False,
            hand=False,
        )
        return [act], away

    def _errand(self, kind: str, meeting: Meeting, place: Participant, **more: str) -> Errand:
        body = {"room": meeting.room, "participant": place.id, **more}
        return Errand(id=new_id("e"), kind=kind, meeting=meeting.id, due_at=self._clock(), body=body)

    @staticmethod
    def _who(place: Participant) -> str:
        return str(place.person or place.staff or place.id)


def _texts(data: object) -> dict[str, Any]:
    return {k: str(v)[:200] for k, v in data.items() if k in _TEXTS} if isinstance(data, dict) else {}


def _act_data(data: object) -> dict[str, Any]:
    texts = _texts(data)
    return texts | {"permission": texts.get("rule", "")}


def _chat_data(data: object) -> dict[str, Any]:
    """Return a chat line's digest and length, under the names the log has for them. Raises ValueError."""
    digest = data.get("digest") if isinstance(data, dict) else None
    chars = data.get("chars") if isinstance(data, dict) else None
    if not isinstance(digest, str) or not _SHA256.match(digest):
        raise ValueError("a line of chat has no digest")
    if type(chars) is not int or not 0 <= chars <= _MOST_CHARS:
        raise ValueError("a line of chat has no length")
    return {"sha256": digest, "signs": chars}


def _cut_data(data: object) -> dict[str, Any]:
    """Return why a share was cut and which canary was seen, 0 for none. Raises ValueError."""
    reason = data.get("reason") if isinstance(data, dict) else None
    canary = data.get("canary") if isinstance(data, dict) else None
    if reason not in _CUT_REASONS or type(canary) is not int or not 0 <= canary <= canaries.MOST:
        raise ValueError("a cut share says why")
    return {"reason": reason, "canary": canary}


_READ: Mapping[str, Callable[[object], dict[str, Any]]] = {
    **dict.fromkeys(_CHAT, _chat_data),
    "act.done": _act_data,
    "share.cut": _cut_data,
}

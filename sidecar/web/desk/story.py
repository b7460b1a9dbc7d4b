"""A meeting's log as a story: what a lawyer reads first, and the technical entries that can be unfolded.

Nothing is left out. An entry is either told, alone or together with equal ones that follow it at once, or it
stands among the technical entries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sidecar.domain.audit import Entry
from sidecar.domain.meetings import Meeting, Participant

# What proves the meeting but does not tell it.
_TECHNICAL = frozenset(
    {
        "act.voided",
        "api.key_used",
        "evidence.exported",
        "evidence.verified",
        "invitation.opened",
        "journal.read",
        "key.rotated",
        "lobby.entered",
        "log.checkpoint",
        "log.removed",
        "log.repaired",
        "media.keys",
        "media.left",
        "plugin.used",
        "policy.loaded",
        "sign_in.started",
        "token.minted",
    }
)
# How the kinds of plugins end that prove a meeting without telling it, and what the telling ones look like.
_TECHNICAL_ENDS = (".page_viewed", ".page_read", ".turned", ".field_changed", ".clause_seen", ".rescheduled", ".begun")
_LOOKS_BY_END: Mapping[str, tuple[str, bool]] = {
    ".signed": ("pen", True),
    ".completed": ("check", False),
    ".sealed": ("seal", True),
    ".declined": ("x", True),
    ".presented": ("doc", True),
    ".received": ("doc", False),
    ".withdrawn": ("x", True),
    ".clause_passed": ("warn", True),
    ".clause_acknowledged": ("check", True),
    ".made": ("calc", False),
    ".shown": ("eye", False),
}
_FIRST_MESSAGES = frozenset({"invitation", "guest_invitation", "moved", "cancelled"})
_REFUSED = frozenset(
    {"sign_in.declined_call", "sign_in.wrong_person", "track.dropped", "message.dropped", "system.denied"}
)
# kind -> icon, and whether it is one of the moments a case rests on
_LOOKS: Mapping[str, tuple[str, bool]] = {
    "adviser.late": ("clock", False),
    "call.picked_up": ("call", False),
    "chat.sent": ("chat", False),
    "consent.declined": ("x", True),
    "consent.given": ("check", True),
    "guest.invited": ("plus", False),
    "hand.raised": ("hand", False),
    "invitation.again": ("mail", False),
    "invitation.failed": ("warn", False),
    "invitation.sent": ("mail", False),
    "lobby.away": ("clock", False),
    "lobby.back": ("user", False),
    "lobby.choice": ("clock", False),
    "lobby.left": ("leave", False),
    "meeting.booked": ("cal", False),
    "meeting.cancelled": ("x", False),
    "meeting.ended": ("check", False),
    "meeting.missed": ("x", False),
    "meeting.moved": ("cal", False),
    "meeting.opened": ("door", True),
    "mute.done": ("mic-off", False),
    "recording.asked": ("rec", False),
    "recording.consented": ("check", True),
    "recording.declined": ("x", True),
    "recording.deleted": ("trash", True),
    "recording.exported": ("down", True),
    "recording.held": ("lock", True),
    "recording.opened": ("eye", True),
    "recording.paused": ("norec", False),
    "recording.released": ("lock", True),
    "recording.resumed": ("rec", False),
    "recording.started": ("rec", True),
    "recording.stopped": ("norec", True),
    "recording.watched": ("eye", False),
    "recording.withdrawn": ("x", True),
    "participant.admitted": ("door", False),
    "participant.denied": ("door", False),
    "participant.expelled": ("leave", True),
    "participant.joined": ("user", False),
    "participant.left": ("leave", False),
    "participant.rejoined": ("user", False),
    "participant.sent_back": ("door", False),
    "participant.session_ended": ("clock", False),
    "security.raised": ("lock", True),
    "share.started": ("share", False),
    "share.stopped": ("share", False),
    "sign_in.completed": ("shield", True),
    "sign_in.failed": ("shield-off", False),
    "staff.call_check": ("key", True),
    "summary.sent": ("mail", False),
    "system.booked": ("cal", False),
}
_KEYS = {"hwk": "security_key", "swk": "phone"}  # RFC 8176, as the journal's own words know them


@dataclass(frozen=True)
class Line:
    """One line of the story. lead: the part in bold, a name or "Refused:"; count: how often, one after another."""

    at: datetime
    kind: str
    lead: str
    rest: str
    icon: str
    weighty: bool
    refused: bool
    count: int = 1

    @property
    def text(self) -> str:
        return self.lead + self.rest


@dataclass(frozen=True)
class Story:
    """before, during, after: the meeting as told. technical: everything else, in the log's order."""

    before: tuple[Line, ...]
    during: tuple[Line, ...]
    after: tuple[Line, ...]
    technical: tuple[Line, ...]


def story_of(
    entries: Sequence[Entry],
    *,
    meeting: Meeting,
    places: Sequence[Participant],
    names: Mapping[str, str],
    say: Callable[[Entry], str],
    words: Callable[[str, str], str],
) -> Story:
    """Return a meeting's entries as a story.

    say: an entry as a sentence. names: pseudonym -> name. words: (key of the entry's data, value) -> the value
    as a reader knows it, "" where the journal's own words do: a type's title, what a raise is called.
    """
    capacities = {str(place.id): place.capacity.value for place in places}
    advisers = {str(place.id) for place in places if place.is_staff}
    method = ""
    told: list[Line] = []
    technical: list[Line] = []
    for entry in entries:
        method = _method_of(entry) or method
        line = _line(_with_words(entry, capacities=capacities, method=method, words=words), names, say)
        (technical if _is_technical(entry, advisers) else told).append(line)
    opened, ended = meeting.opened_at, meeting.ended_at
    told.sort(key=lambda each: each.at)  # stable: the log's order within one moment
    return Story(
        before=_together([each for each in told if opened is None or each.at < opened]),
        during=_together(
            [each for each in told if opened is not None and each.at >= opened and (ended is None or each.at <= ended)]
        ),
        after=_together([each for each in told if opened is not None and ended is not None and each.at > ended]),
        technical=tuple(technical),
    )


def is_refused(entry: Entry) -> bool:
    """Say whether an entry tells of something that was not let through."""
    kind = entry.record.kind
    failed = kind == "staff.call_check" and entry.record.data.get("passed") is False
    return kind.endswith("refused") or kind in _REFUSED or failed


def _is_technical(entry: Entry, advisers: frozenset[str] | set[str]) -> bool:
    record = entry.record
    if record.kind == "invitation.sent":
        return record.data.get("template") not in _FIRST_MESSAGES
    if record.kind == "staff.call_check":
        return record.data.get("passed") is True  # how the meeting was started says the same
    if record.kind == "participant.admitted":
        return record.data.get("participant") in advisers  # the adviser's own place
    return record.kind in _TECHNICAL or record.kind.endswith(_TECHNICAL_ENDS)


def _line(entry: Entry, names: Mapping[str, str], say: Callable[[Entry], str]) -> Line:
    text = say(entry)
    refused = is_refused(entry)
    lead, rest = _lead(text, names, refused=refused)
    end = entry.record.kind[entry.record.kind.find(".") :]
    icon, weighty = _LOOKS.get(entry.record.kind) or _LOOKS_BY_END.get(end, ("info", False))
    return Line(
        at=entry.record.at,
        kind=entry.record.kind,
        lead=lead,
        rest=rest,
        icon="shield-off" if refused else icon,
        weighty=weighty and not refused,
        refused=refused,
    )


def _lead(text: str, names: Mapping[str, str], *, refused: bool) -> tuple[str, str]:
    """Return the words in bold and the others: a refusal's first word, else the name a sentence begins with."""
    if refused and ":" in text[:12]:
        first, sign, rest = text.partition(":")
        return first + sign, rest
    for name in sorted(set(names.values()), key=len, reverse=True):
        if name and text.startswith(name):
            return name, text.removeprefix(name)
    return "", text


def _together(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines with equal neighbours told once, with their number."""
    found: list[Line] = []
    for line in lines:
        if found and (found[-1].kind, found[-1].text) == (line.kind, line.text):
            found[-1] = replace(found[-1], count=found[-1].count + 1)
        else:
            found.append(line)
    return tuple(found)


def _with_words(entry: Entry, *, capacities: Mapping[str, str], method: str, words: Callable[[str, str], str]) -> Entry:
    """Return the entry with what its sentence can say beside what was recorded: nothing of this is in the log."""
    data: dict[str, Any] = dict(entry.record.data)
    for key in ("type", "target"):
        if key in data:
            data[key] = words(key, str(data[key])) or data[key]
    if entry.record.kind == "participant.joined" and str(data.get("participant")) in capacities:
        data.setdefault("capacity", capacities[str(data["participant"])])
    if entry.record.kind == "meeting.opened" and method:
        data.setdefault("method", method)
    return replace(entry, record=replace(entry.record, data=data))


def _method_of(entry: Entry) -> str:
    """Return what the adviser passed the call's own check with, in the journal's words."""
    if entry.record.kind != "staff.call_check":
        return ""
    used = entry.record.data.get("amr", ())
    return next((_KEYS[each] for each in used if each in _KEYS), "")

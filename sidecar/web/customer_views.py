"""What the customer's pages show, worked out from facts: the lobby, every refusal, the notice about data.

Pure functions from values to plain dicts, so that a page and its event line say the same thing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sidecar.adapters.i18n import Translator
from sidecar.domain.clock import to_text

LobbyPlace = Literal["not_here", "waiting", "late", "sent_back", "closed", "second_device"]
LobbyChoice = Literal["wait", "call_me", "rebook"]

# After this long past the agreed time the customer is asked what they would rather do.
LONG_WAIT = timedelta(minutes=10)
_MAY_BECOME_LONG = frozenset({"not_here", "waiting", "late"})


def lobby_view(
    speak: Translator,
    *,
    place: LobbyPlace,
    given: str,
    adviser: str,
    phone: str,
    starts_at: datetime,
    since: datetime,
    now: datetime,
    choice: LobbyChoice | None = None,
    may_be_called: bool = True,
    ahead: int | None = None,
) -> dict[str, Any]:
    """Return what the lobby says. The same dict is the data of the line's "state" event.

    given: the customer's given name. adviser: the adviser's. place: as the adviser's side knows it; a wait
    that became long is found here. choice: what the customer chose. may_be_called: whether the bank has a
    number of theirs. ahead: how many wait before them, for a call without a booking. Keys: place, heading, strong,
    rest, line, waited, since (RFC 3339), waiting, choices, may_be_called, chosen, note.
    """
    long_at = max(starts_at, since) + LONG_WAIT
    shown = "long" if place in _MAY_BECOME_LONG and now >= long_at else place
    values: dict[str, object] = {
        "adviser": adviser,
        "phone": phone,
        "given": given,
    }
    text: str = shown
    rest = speak.t(f"lobby.{text}.rest", **values)
    if ahead is not None and shown in ("not_here", "waiting"):
        text = "queue"
        rest = speak.plural("lobby.queue.ahead", ahead) if ahead else speak.t("lobby.queue.next")
    heading = f"lobby.{shown}.title" if shown in ("closed", "second_device") else "lobby.title"
    waiting = shown not in ("closed", "second_device")
    minutes = max(0, int((now - since).total_seconds()) // 60)
    line = "lobby.line.before" if now < starts_at else "lobby.line.after"
    return {
        "place": shown,
        "heading": speak.t(heading, **values),
        "strong": speak.t(f"lobby.{text}.strong", **values),
        "rest": rest,
        "line": "" if ahead is not None else speak.t(line, time=speak.clock(starts_at)),
        "waited": speak.plural("lobby.waited", minutes) if minutes else speak.t("lobby.waited.zero"),
        "since": to_text(since),
        "waiting": waiting,
        "choices": shown == "long" and choice is None,
        "may_be_called": may_be_called,
        "chosen": speak.t(f"lobby.chosen.{choice}", **values) if choice else "",
        "note": speak.t("lobby.note.text", time=speak.clock(long_at)) if waiting and shown != "long" else "",
    }


@dataclass(frozen=True)
class Reason:
    """One kind of refusal on the way in.

    step: of the three, where the person stands. helps: (icon, name) of what helps. follows: what happens now.
    acts: names of what can be done, best first; the first with an address becomes the main button.
    """

    step: int
    helps: tuple[tuple[str, str], ...]
    follows: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()


_PHONE = ("call", "phone")
REASONS: Mapping[str, Reason] = {
    "wrong_person": Reason(
        2,
        (("user", "self"), ("users", "both"), _PHONE),
        ("adviser_told", "attempt_kept", "meeting_remains"),
        ("try_again", "call_me"),
    ),
    "level_too_low": Reason(
        2,
        (("shield", "eid"), ("home", "branch"), _PHONE),
        ("meeting_remains",),
        ("another_way", "call_me"),
    ),
    "not_invited": Reason(2, (("mail", "ask"), _PHONE), ("attempt_kept",), ("call_me",)),
    "said_no": Reason(2, (("user", "changed_mind"), _PHONE), ("meeting_remains",), ("try_again", "call_me")),
    "denied": Reason(3, (("cal", "time"),), ("meeting_remains",), ("call_me",)),
    "too_early": Reason(2, (("check", "prepare"), _PHONE), (), ("try_again", "prepare")),
    "too_late": Reason(1, (("cal", "time"),), (), ("call_me",)),
    "cancelled": Reason(1, (("cal", "time"),), (), ("call_me",)),
    "moved": Reason(1, (("cal", "calendar"), ("clock", "other_time")), (), ("prepare", "call_me")),
    "other_device": Reason(1, (("phone", "there"), ("key", "here"), _PHONE), (), ("continue_here", "call_me")),
    "unknown": Reason(1, (("mail", "whole"), _PHONE), (), ("call_me",)),
}
_FOLLOW_ICONS = {"adviser_told": "eye", "attempt_kept": "list", "meeting_remains": "clock"}
_ACT_ICONS = {"call_me": "call"}


def refused_view(
    speak: Translator, reason: str, *, values: Mapping[str, str], urls: Mapping[str, str]
) -> dict[str, Any]:
    """Return what customer/refused.html shows for a reason; an unknown reason becomes "unknown".

    values: adviser (given name), bank, phone, and where they are known: time (of the attempt), until (the
    door closes), when (the new or the opening time, in words), method (what is accepted). Missing ones drop
    the item. urls: by act's name (try_again, another_way, prepare, continue_here, call_me); an act
    without an address is left out.
    """
    name = reason if reason in REASONS else "unknown"
    found = REASONS[name]
    given = {
        "adviser": "",
        "bank": "",
        "phone": "",
        "time": "",
        "until": "",
        "when": "",
        "method": "",
        **values,
    }
    needs = {"attempt_kept": "time", "meeting_remains": "until", "adviser_told": "adviser"}
    acts = [
        {"text": speak.t(f"refused.act.{act}", **given), "url": urls[act], "icon": _ACT_ICONS.get(act, "right")}
        for act in found.acts
        if urls.get(act)
    ]
    plain = speak.t(f"refused.{name}.lead", **given)
    return {
        "reason": name,
        "step": found.step,
        "title": speak.t(f"refused.{name}.title", **given),
        "lead": speak.html(f"refused.{name}.lead", **given),
        "sentence": plain,
        "helps": [
            {
                "icon": icon,
                "title": speak.t(f"refused.{name}.help.{help_name}.title" if icon != "call" else "refused.phone.title"),
                "text": speak.t(
                    f"refused.{name}.help.{help_name}.text" if icon != "call" else "refused.phone.text",
                    **given,
                ),
            }
            for icon, help_name in found.helps
        ],
        "follows": [
            {
                "icon": _FOLLOW_ICONS[follow],
                "title": speak.t(f"refused.follow.{follow}.title", **given),
                "text": speak.t(f"refused.follow.{follow}.text", **given),
            }
            for follow in found.follows
            if given[needs[follow]]
        ],
        "main": acts[0] if acts else None,
        "second": acts[1] if len(acts) > 1 else None,
    }


# The parts of the notice, in reading order; {name: how many paragraphs}.
_NOTICE: Mapping[str, int] = {
    "who": 1, "gain": 1, "what": 3, "why": 2, "seen": 2, "recording": 1,
    "location": 1, "kept": 2, "stored": 1, "safe": 2, "rights": 2, "choice": 1,
}  # fmt: skip


def notice(
    speak: Translator,
    *,
    version: str,
    since: date | datetime,
    bank: str,
    phone: str,
    contact: str,
    kept: timedelta,
    stored: str,
    recording: bool = False,
    chat_kept: bool = False,
    least: timedelta | None = None,
) -> dict[str, Any]:
    """Return the notice about data for one kind of meeting: the text a consent is given to.

    kept: how long the meeting's journal is kept; with `least`, at the most. stored: a country in the reader's
    language.
    contact: of the data protection officer. Keys: version, since, sections [{id, title, paragraphs}], digest
    (SHA-256 hex of the whole text, to keep with the consent beside version and language).
    """
    period = speak.period(kept)
    if least is not None and least != kept:
        period = speak.t("customer.notice.kept.span", least=speak.period(least), most=period)
    values: dict[str, object] = {
        "bank": bank, "phone": phone, "contact": contact, "period": period,
        "country": stored,
    }  # fmt: skip
    sections: list[dict[str, Any]] = []
    for name, count in _NOTICE.items():
        stem = f"customer.notice.{name}"
        keys = [f"{stem}.{n}" for n in range(1, count + 1)]
        if name == "recording":
            keys = [f"{stem}.{'yes' if recording else 'no'}"]
        if name == "what" and chat_kept:
            keys.append(f"{stem}.chat")
        sections.append(
            {
                "id": name,
                "title": speak.t(f"{stem}.title"),
                "paragraphs": [speak.t(key, **values) for key in keys],
            }
        )
    return {
        "version": version,
        "since": since,
        "sections": sections,
        "digest": hashlib.sha256(notice_text(sections).encode()).hexdigest(),
    }


def notice_text(sections: Sequence[Mapping[str, Any]]) -> str:
    """Return the notice as one text, UTF-8 when encoded: titles and paragraphs, each on a line of its own."""
    return "\n".join(line for section in sections for line in (section["title"], *section["paragraphs"])) + "\n"

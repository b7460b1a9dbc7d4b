"""How far the story has come: seen through the open API and the product's announcements, never guessed.

The open API tells meetings and their places. What was shared and refused stands in the journal, but each reading
of that is itself written down, and a guide that looks every other second would fill the evidence with itself.
So the announcements, the facts the product tells its own pages, are read from its file instead.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sidecar.domain.clock import from_text, to_text
from simulators.demo.guide.bank import Bank, BankError, Checked

STEPS = ("book", "open", "identify", "admit", "observe", "share", "calculate", "show", "sign", "end", "check")
TRIES = ("wrong_person", "weak_check", "whole_screen", "internal_page", "changed_byte")
_STORY_TYPE = "mortgage"
_OVER = "ended"
_LIVE = {"open": 2, "booked": 1}  # a meeting that runs is the one the story is about


@dataclass(frozen=True)
class Event:
    """One announcement. participant: whose place it is about, or None."""

    kind: str
    meeting: str | None
    participant: str | None
    data: Mapping[str, Any]


def current_meeting(meetings: Iterable[Mapping[str, Any]], *, since: datetime) -> Mapping[str, Any] | None:
    """Return the mortgage meeting the story is about: the one that runs, else booked, else ended since `since`."""

    def counts(each: Mapping[str, Any]) -> bool:
        ended_since = each["state"] == _OVER and bool(each["ended_at"]) and from_text(each["ended_at"]) >= since
        return str(each["type"]).startswith(f"{_STORY_TYPE}@") and (each["state"] in _LIVE or ended_since)

    def rank(each: Mapping[str, Any]) -> tuple[int, int, str]:
        moved = sum(place["state"] != "invited" for place in each["participants"])
        return _LIVE.get(each["state"], 0), moved, str(each["ended_at"] or each["starts_at"])

    return max(filter(counts, meetings), key=rank, default=None)


def steps_done(meeting: Mapping[str, Any], events: Sequence[Event]) -> set[str]:
    """Return the steps that have happened in this meeting, all but the evidence check, which the guide does."""
    places = {place["id"]: place for place in meeting["participants"]}
    customers = [place for place in places.values() if place["capacity"] == "customer"]

    def happened(kind: str, capacity: str) -> bool:
        of_it = (places.get(each.participant or "") for each in events if each.kind == kind)
        return any(place is not None and place["capacity"] == capacity for place in of_it)

    found = {
        "book": True,
        "open": any(place["state"] != "invited" for place in customers),
        "identify": any(place["identified"] is not None for place in customers),
        "admit": happened("participant.admitted", "customer"),
        "observe": happened("participant.joined", "observer"),
        "share": happened("share.started", "adviser"),
        "calculate": happened("calculation.made", "adviser"),
        "show": happened("document_room.presented", "adviser"),
        "sign": happened("pades_signing.signed", "customer"),
        "end": meeting["state"] == _OVER,
    }
    return {name for name, is_done in found.items() if is_done}


def tries_done(events: Iterable[Event]) -> set[str]:
    """Return which attempts to break something were made, and refused."""
    found = set()
    for each in events:
        if each.kind == "sign_in.wrong_person":
            found.add("wrong_person")
        if each.kind == "share.cut" and each.data.get("reason") == "canary":
            found.add("internal_page")
        refused = each.data.get("act") if each.kind == "permission.refused" else None
        if refused == "staff.call_check":
            found.add("weak_check")
        if refused == "share.started" and each.data.get("surface") == "monitor":
            found.add("whole_screen")
    return found


class Progress:
    """Looks, and remembers what it has seen. announcements: the product's meetings.sqlite, opened to read only."""

    def __init__(self, bank: Bank, *, key: str, announcements: Path, now: datetime) -> None:
        self.steps: frozenset[str] = frozenset()
        self.tries: frozenset[str] = frozenset()
        self.meeting = ""
        self._bank = bank
        self._key = key
        self._file = announcements
        self._began = now
        self._before = self._last_number()
        self._checked: set[str] = set()  # meetings whose evidence was found genuine

    def look(self, now: datetime) -> None:
        """Look once. What cannot be seen just now, since the bank is down, stays as it was."""
        try:
            meetings = self._bank.meetings(
                key=self._key, since=to_text(now - timedelta(hours=12)), until=to_text(now + timedelta(days=7))
            )
            events = self._events()
        except (BankError, sqlite3.Error):
            return
        self.tries |= tries_done(event for number, event in events if number > self._before)
        meeting = current_meeting(meetings, since=self._began)
        if meeting is None:
            self.meeting, self.steps = "", frozenset()
            return
        seen = steps_done(meeting, [event for _, event in events if event.meeting == meeting["id"]])
        kept = self.steps if meeting["id"] == self.meeting else frozenset()
        checked = {"check"} if meeting["id"] in self._checked else set()
        self.meeting, self.steps = meeting["id"], kept | seen | checked

    def checked(self, result: Checked) -> None:
        """Take note of an evidence file that was checked."""
        if result.is_genuine:
            self._checked.add(result.meeting)
            if result.meeting == self.meeting:
                self.steps |= {"check"}
        elif result.first_bad:
            self.tries |= {"changed_byte"}

    def _events(self) -> list[tuple[int, Event]]:
        with closing(self._open()) as database:
            rows = database.execute("SELECT number, kind, meeting, body FROM announcements ORDER BY number").fetchall()
        return [(number, _event(kind, meeting, json.loads(body))) for number, kind, meeting, body in rows]

    def _last_number(self) -> int:
        try:
            with closing(self._open()) as database:
                return int(database.execute("SELECT max(number) FROM announcements").fetchone()[0] or 0)
        except sqlite3.Error:
            return 0

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._file.resolve().as_uri()}?mode=ro", uri=True, timeout=2)


def _event(kind: str, meeting: str | None, body: Mapping[str, Any]) -> Event:
    return Event(kind, meeting, body.get("participant"), body.get("data") or {})

"""What one person has read of one version: pure, told what their page reported and when.

The browser says how long a page and a clause were in view, since only it can know. It is believed up to the time the
page can have been on screen at all: from when the server handed it out until it handed out another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from sidecar.plugin_api import ClauseView, from_text, to_text

_SLACK_S = 0.25  # the picture's way to the screen and the report's way back are not counted to the millisecond

How = Literal["seen", "acknowledged"]


@dataclass(frozen=True)
class Reading:
    """handed: page -> seconds it can have been on screen, spans that ended. page, since: on screen now.

    seconds: in view by page, as reported and bounded. done: clause -> how. passed: clauses left behind unread.
    """

    handed: Mapping[int, float] = field(default_factory=dict)
    page: int | None = None
    since: datetime | None = None
    seconds: Mapping[int, float] = field(default_factory=dict)
    done: Mapping[str, How] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()

    def on_screen(self, page: int, now: datetime) -> float:
        """Return how many seconds a page can have been on this person's screen."""
        spent = self.handed.get(page, 0.0)
        if page == self.page and self.since is not None:
            spent += max(0.0, (now - self.since).total_seconds())
        return spent


@dataclass(frozen=True)
class Change:
    """What one step brought. newly_seen, newly_passed: clause ids, to be recorded and told. spent: seconds counted."""

    reading: Reading
    newly_seen: tuple[str, ...] = ()
    newly_passed: tuple[str, ...] = ()
    spent: float = 0.0


def handed_out(reading: Reading, page: int, clauses: Sequence[ClauseView], now: datetime) -> Change:
    """Note that a page went to this person's screen, in place of the one before."""
    handed = dict(reading.handed)
    if reading.page is not None:
        handed[reading.page] = round(reading.on_screen(reading.page, now), 3)
    handed.setdefault(page, 0.0)
    return _passing(replace(reading, handed=handed, page=page, since=now), page, (), clauses)


def reported(
    reading: Reading,
    *,
    page: int,
    seconds: float,
    seen: Sequence[str],
    scrolled_past: Sequence[str],
    clauses: Sequence[ClauseView],
    needed_s: float,
    now: datetime,
) -> Change:
    """Count what the browser reports of a page that was handed out; of any other page nothing counts."""
    if page not in reading.handed:
        return Change(reading)
    here = {clause.id for clause in clauses if clause.page == page}
    possible = reading.on_screen(page, now)
    counted = min(reading.seconds.get(page, 0.0) + max(0.0, seconds), possible)
    spent = max(0.0, counted - reading.seconds.get(page, 0.0))
    long_enough = possible + _SLACK_S >= needed_s
    new = tuple(sorted((here & set(seen)) - set(reading.done))) if long_enough else ()
    done: dict[str, How] = {**reading.done, **dict.fromkeys(new, "seen")}
    changed = replace(
        reading,
        seconds={**reading.seconds, page: round(counted, 3)},
        done=done,
        passed=reading.passed - set(new),
    )
    change = _passing(changed, 0, sorted(here & set(scrolled_past)), clauses)
    return replace(change, newly_seen=new, spent=round(spent, 3))


def acknowledged(reading: Reading, clause: ClauseView) -> Reading:
    """Note that a person said they have read a clause; only one on a page they were given. Raises KeyError."""
    if clause.page not in reading.handed:
        raise KeyError(clause.id)
    return replace(reading, done={**reading.done, clause.id: "acknowledged"}, passed=reading.passed - {clause.id})


def missing(reading: Reading, clauses: Sequence[ClauseView]) -> tuple[str, ...]:
    """Return the clauses that still hold back a signing."""
    return tuple(clause.id for clause in clauses if clause.id not in reading.done)


def _passing(reading: Reading, page: int, scrolled: Sequence[str], clauses: Sequence[ClauseView]) -> Change:
    """Find the clauses left behind unread: on an earlier page, or above what is in view of this one."""
    behind = {clause.id for clause in clauses if clause.page < page} | set(scrolled)
    new = sorted(behind - set(reading.done) - reading.passed)
    return Change(replace(reading, passed=reading.passed | set(new)), (), tuple(new))


def to_body(reading: Reading) -> dict[str, Any]:
    return {
        "handed": {str(page): spent for page, spent in reading.handed.items()},
        "page": reading.page,
        "since": to_text(reading.since) if reading.since else None,
        "seconds": {str(page): spent for page, spent in reading.seconds.items()},
        "done": dict(reading.done),
        "passed": sorted(reading.passed),
    }


def from_body(body: Mapping[str, Any]) -> Reading:
    return Reading(
        handed={int(page): spent for page, spent in body["handed"].items()},
        page=body["page"],
        since=from_text(body["since"]) if body["since"] else None,
        seconds={int(page): spent for page, spent in body["seconds"].items()},
        done=body["done"],
        passed=frozenset(body["passed"]),
    )

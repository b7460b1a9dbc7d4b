"""What this process remembers of codes beside the state the host keeps.

The host's state is the record; this is the second look. It stops what slips between two reads of that state:
many guesses at once, one answer twice, an older state handed back. Another process has its own ledger.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

DAY = timedelta(hours=24)
MOST_ENTRIES = 50_000  # the oldest go first; a flood costs memory for this many and no more
Entry = TypeVar("Entry")


@dataclass
class Sitting:
    """One sign-in: how many guesses, which code is the latest, whether it is over."""

    guesses: int = 0
    generation: int = 0
    over: bool = False


@dataclass
class Sendings:
    """When codes went to one address within the last day, and last for each place in a meeting."""

    times: list[datetime] = field(default_factory=list)
    last: dict[str, datetime] = field(default_factory=dict)


class Ledger:
    """Safe to call from several threads. Keys are digests, never an address or a code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sittings: OrderedDict[str, Sitting] = OrderedDict()
        self._sendings: OrderedDict[str, Sendings] = OrderedDict()

    def may_send(
        self, address: str, place: str, now: datetime, *, gap: timedelta, most: int
    ) -> Literal["yes", "never"] | timedelta:
        """Note a sending and answer "yes"; or how long to wait; or "never" today."""
        with self._lock:
            known = _entry(self._sendings, address, Sendings)
            known.times = [at for at in known.times if now - at < DAY]
            known.last = {key: at for key, at in known.last.items() if now - at < gap}
            if place in known.last:
                return known.last[place] + gap - now
            if len(known.times) >= most:
                return "never"
            known.times.append(now)
            known.last[place] = now
            return "yes"

    def replace(self, sitting: str, generation: int) -> None:
        """Make this the latest code of a sign-in; earlier ones are dead."""
        with self._lock:
            known = _entry(self._sittings, sitting, Sitting)
            known.generation = max(known.generation, generation)

    def is_over(self, sitting: str, generation: int) -> bool:
        """Return whether the sign-in ended, or this code was replaced."""
        with self._lock:
            known = self._sittings.get(sitting)
            return known is not None and (known.over or generation < known.generation)

    def guess(self, sitting: str) -> int:
        """Count a guess and return how many there were before."""
        with self._lock:
            known = _entry(self._sittings, sitting, Sitting)
            known.guesses += 1
            return known.guesses - 1

    def end(self, sitting: str) -> bool:
        """End a sign-in. False when it was over already: of two at once, one wins."""
        with self._lock:
            known = _entry(self._sittings, sitting, Sitting)
            first, known.over = not known.over, True
            return first


def _entry(kept: OrderedDict[str, Entry], key: str, make: Callable[[], Entry]) -> Entry:
    if key not in kept:
        kept[key] = make()
        if len(kept) > MOST_ENTRIES:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]

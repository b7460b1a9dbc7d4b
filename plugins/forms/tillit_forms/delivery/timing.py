"""How long to wait before the next attempt."""

import hashlib
from datetime import timedelta

FIRST = timedelta(seconds=10)
LONGEST = timedelta(hours=6)


def pause(attempt: int, *, id: str, asked: timedelta | None = None) -> timedelta:
    """Return the wait after the attempt of this number, counted from 1: doubling, spread by up to a fifth.

    asked: what the receiver's Retry-After said; never less than that. The spread comes from the id, so that many
    deliveries that failed together do not come back together.
    """
    doubled: timedelta = min(FIRST * (2 ** min(attempt - 1, 20)), LONGEST)
    spread = hashlib.sha256(f"{id}:{attempt}".encode()).digest()[0] / 255 * 0.2
    return max(doubled * (1 + spread), asked or timedelta(0))

"""How many forms one address may begin: a public page is open to everybody, and so to somebody's program."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

WINDOW = timedelta(hours=1)
MOST_ADDRESSES = 20_000  # the oldest go first


class Limit:
    """Counts in this process; another process has its own count. Safe to call from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, list[datetime]] = OrderedDict()

    def take(self, address: str, now: datetime) -> bool:
        """Count one and say whether it is still within the limit."""
        with self._lock:
            times = [at for at in self._seen.pop(address, []) if now - at < WINDOW]
            within = len(times) < self._most
            if within:
                times.append(now)
            self._seen[address] = times
            if len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)
            return within

"""What arrived, and how each system answers just now."""

import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

FAULTS = frozenset({"500", "503", "429", "410", "400", "301", "slow", "drop"})
WINDOW_SECONDS = 300  # a delivery older than this may be a replay
MOST_KEPT = 5000


@dataclass(frozen=True)
class Letter:
    """A delivery that was taken. times: how often it came, the first included."""

    system: str
    id: str
    media_type: str
    body: bytes = field(repr=False)
    times: int = 1


class Inbox:
    """Safe to call from several threads."""

    def __init__(self, secret: bytes, *, window: int = WINDOW_SECONDS) -> None:
        """window: seconds a delivery may be old or early; a test whose clock stands still needs a wide one."""
        self._secret, self._window = secret, window
        self._lock = threading.Condition()
        self._letters: dict[tuple[str, str], Letter] = {}
        self._faults: dict[str, str] = {}
        self._left: dict[str, int] = {}
        self.refused = 0

    def fail(self, system: str, fault: str, times: int) -> None:
        """Let a system fail so often, 0 for until further notice, "" to stop. Raises ValueError for another fault."""
        if fault and fault not in FAULTS:
            raise ValueError(fault)
        with self._lock:
            self._faults.pop(system, None)
            if fault:
                self._faults[system], self._left[system] = fault, times
            self._lock.notify_all()

    def fault(self, system: str) -> str:
        """Return how this system fails now, and count it."""
        with self._lock:
            found = self._faults.get(system, "")
            if found and self._left[system]:
                self._left[system] -= 1
                if not self._left[system]:
                    del self._faults[system]
            return found

    def dawdle(self, system: str, seconds: float) -> None:
        """Wait until the system is told to stop being slow, at most so long."""
        with self._lock:
            self._lock.wait_for(lambda: self._faults.get(system) != "slow", seconds)

    def is_signed(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """Check the signature over id, time and body, and that the time is now."""
        id, stamp, signature = (headers.get(f"Tillit-{name}", "") for name in ("Id", "Timestamp", "Signature"))
        if not stamp.isdigit() or abs(now - int(stamp)) > self._window:
            return False
        wanted = hmac.new(self._secret, f"{id}.{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return bool(id) and hmac.compare_digest(signature, f"v1={wanted}")

    def refuse(self) -> None:
        with self._lock:
            self.refused += 1

    def take(self, letter: Letter) -> None:
        """Keep a delivery; the same id again is the same delivery."""
        with self._lock:
            known = self._letters.get((letter.system, letter.id))
            times = known.times + 1 if known else 1
            self._letters[letter.system, letter.id] = Letter(
                letter.system, letter.id, letter.media_type, letter.body, times
            )
            while len(self._letters) > MOST_KEPT:
                self._letters.pop(next(iter(self._letters)))

    def letters(self) -> list[Letter]:
        with self._lock:
            return list(self._letters.values())

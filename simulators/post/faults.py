"""Ways for the post to fail, switched on per channel until switched off."""

import threading
from collections.abc import Mapping

KNOWN: Mapping[str, frozenset[str]] = {
    "smtp": frozenset({"421", "451", "550", "554", "drop", "drop_after"}),
    "sms": frozenset({"400", "429", "500", "slow", "redirect", "nonsense", "rejected"}),
    "inbox": frozenset({"404", "429", "503", "slow", "nonsense"}),
}
SLOW_SECONDS = 30.0


class Faults:
    """At most one fault for each of smtp, sms and inbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[str, str] = {}
        self._changed = threading.Condition(self._lock)

    def set(self, wanted: Mapping[str, str | None]) -> None:
        """Replace all faults. Raises ValueError for an unknown one."""
        chosen = {place: fault for place, fault in wanted.items() if fault}
        for place, fault in chosen.items():
            if fault not in KNOWN.get(place, ()):
                raise ValueError(f"unknown: {place}={fault}")
        with self._changed:
            self._on = chosen
            self._changed.notify_all()

    def on(self, place: str) -> str:
        with self._lock:
            return self._on.get(place, "")

    def all(self) -> dict[str, str]:
        with self._lock:
            return dict(self._on)

    def dawdle(self, place: str) -> None:
        """Wait while the place is slow, at most half a minute."""
        with self._changed:
            self._changed.wait_for(lambda: self._on.get(place) != "slow", SLOW_SECONDS)

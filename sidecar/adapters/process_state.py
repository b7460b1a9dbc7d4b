"""Shared state for one web process: in its own memory. Several processes look for news a few times a second."""

import threading
from collections.abc import Callable

from sidecar.domain.control_tokens import SeenIds

LOOK_S = 0.15  # how often the store is asked for news while somebody listens and nobody tells


class ProcessState:
    """What this process knows. Another web process beside it knows nothing of it."""

    def __init__(self) -> None:
        self.control_ids = SeenIds()
        self._lines: set[_News] = set()

    def tell_news(self) -> None:
        for line in tuple(self._lines):
            line.told.set()

    def news(self) -> "_News":
        line = _News(self._lines.discard)
        self._lines.add(line)
        return line

    def take_turn(self, place: str, *, longest_wait_s: float) -> str | None:
        return ""  # web.turns keeps order within a process

    def give_turn_back(self, place: str, turn: str) -> None:
        return None

    def is_healthy(self) -> bool:
        return True


class _News:
    """Woken by this process's own news, and after a moment for what others may have announced."""

    def __init__(self, closed: Callable[["_News"], None]) -> None:
        self.told = threading.Event()
        self.told.set()
        self._closed = closed

    def wait(self) -> None:
        self.told.wait(LOOK_S)
        self.told.clear()

    def close(self) -> None:
        self._closed(self)

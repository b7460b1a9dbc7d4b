"""One at a time: requests that take a place's sign-in further wait for each other.

An eID tells the end of an order once. Of two polls that ask at the same moment one hears it, the other hears
that there is no such order, and whichever answers last would decide what the browser's session holds. So
they take turns, from before the session is read until after it is stored: within this process, and among all web
processes where they share their state (services.sharing). Where they do not, the session store keeps the later one
from undoing what the earlier one did.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sidecar.adapters.process_state import ProcessState
from sidecar.domain.errors import ConflictError
from sidecar.services.sharing import SharedState

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "_tillit_takes_turns"
_BUSY = "The sign-in is still busy with the request before this one."
_LONGEST_WAIT_S = 12.0  # an eID answers within 10 s or counts as down


def takes_turns(view: View) -> View:
    """Mark a view of one place, `<pid>`: its requests for the same place come one after the other."""
    setattr(view, _MARK, True)
    return view


def is_marked(view: Callable[..., Any] | None) -> bool:
    return getattr(view, _MARK, False)


class Turns:
    """A lock for each place that somebody asks for just now, and none for the others."""

    def __init__(self, shared: SharedState | None = None, *, longest_wait_s: float = _LONGEST_WAIT_S) -> None:
        self._shared = shared or ProcessState()
        self._longest_wait_s = longest_wait_s
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._taken: dict[str, str] = {}  # place -> what gives the shared turn back

    def take(self, place: str) -> None:
        """Wait for this place's turn. Raises ConflictError after a wait that only trouble can explain."""
        with self._guard:
            lock, waiting = self._locks.get(place, (threading.Lock(), 0))
            self._locks[place] = (lock, waiting + 1)
        until = time.monotonic() + self._longest_wait_s
        if not lock.acquire(timeout=self._longest_wait_s):
            self._forget(place)
            raise ConflictError(_BUSY)
        try:
            turn = self._shared.take_turn(place, longest_wait_s=max(0.0, until - time.monotonic()))
        except BaseException:
            self._release(place)
            raise
        if turn is None:
            self._release(place)
            raise ConflictError(_BUSY)
        self._taken[place] = turn

    def give_back(self, place: str) -> None:
        """End the turn that `take` began."""
        self._shared.give_turn_back(place, self._taken.pop(place, ""))
        self._release(place)

    def _release(self, place: str) -> None:
        with self._guard:
            self._locks[place][0].release()
        self._forget(place)

    def _forget(self, place: str) -> None:
        with self._guard:
            lock, waiting = self._locks[place]
            if waiting == 1:
                del self._locks[place]
            else:
                self._locks[place] = (lock, waiting - 1)

"""Waiting for what comes about by itself, and reading what was logged meanwhile."""

import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sidecar.logs import configure_logging


def until(condition: Callable[[], bool], *, within: float = 40.0, passing: tuple[type[Exception], ...] = ()) -> None:
    """Return as soon as the condition holds. within: seconds. passing: what it may raise before it does."""
    deadline = time.monotonic() + within
    while True:
        try:
            if condition():
                return
        except passing:
            pass
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Yield what is logged inside the block: a line of JSON each."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("info", stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

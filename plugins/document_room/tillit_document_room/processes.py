"""Starts the processes that read strangers' bytes, one for each file or meeting, and ends them on time."""

import importlib.util
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.refusals import REASONS, UnsafeFileError
from tillit_document_room.sandbox.wire import BrokenWireError, DeadlineReader, frame, read_frame

log = logging.getLogger("tillit.document_room")

_PACKAGE = "tillit_document_room"
_MODULES = (
    *(
        "limits",
        "refusals",
        "wire",
        "lockdown",
        "masks",
        "png",
        "sniff",
        "pdf_check",
        "pdf_clean",
        "pictures",
        "office",
    ),
    *("inspecting", "pages", "child"),
)
_START_S = 20.0
_DIVIDE_S = 5.0
# Runs exactly the source it is given, which the host checked against the approval: nothing is looked up on the way.
_BOOT = """
import importlib.abc, importlib.machinery, json, sys
sources = json.load(sys.stdin)
class Given(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return importlib.machinery.ModuleSpec(name, self, is_package=sources[name] is None)
    def get_source(self, name):
        return sources[name] or ""
    def is_package(self, name):
        return sources[name] is None
sys.meta_path.insert(0, Given())
from tillit_document_room.sandbox.child import nursery
nursery(int(sys.argv[1]))
"""


class Keeper:
    """One divided process and the only way to it. One job at a time; ended by `close`, by being late, or by itself."""

    def __init__(self, link: socket.socket, pidfd: int, limits: Limits) -> None:
        self._link, self._pidfd, self._limits = link, pidfd, limits
        self.is_open = True
        self.documents: set[str] = set()
        answer, _ = self._ask(frame({"limits": asdict(limits)}), time.monotonic() + _DIVIDE_S)
        self.is_shut = answer.get("shut") is True

    def do(self, job: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """Return the answer to one job. Raises UnsafeFileError, ("too_heavy") for a process that broke on it."""
        answer, data = self._ask(frame(job, payload), time.monotonic() + self._limits.wall_s)
        reason = answer.get("refused")
        if reason is not None:
            raise UnsafeFileError(reason if reason in REASONS else "broken", str(answer.get("detail", ""))[:80])
        return answer, data

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if not self.is_open:
            return
        self.is_open = False
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        self._link.close()

    def _ask(self, message: bytes, until: float) -> tuple[dict[str, Any], bytes]:
        try:
            self._link.settimeout(max(0.1, until - time.monotonic()))
            self._link.sendall(message)
            return read_frame(DeadlineReader(self._link, until), payload_bytes=2 * self._limits.file_bytes)
        except (BrokenWireError, OSError) as error:
            self.close()
            raise UnsafeFileError("too_heavy", str(error)[:80]) from error


class Nursery:
    """The first process: holds no file, only divides. Started when first needed, and again when it is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._owner = 0

    def divide(self, limits: Limits) -> Keeper:
        """Return a new process. Raises UnsafeFileError("unavailable")."""
        with self._lock:
            for _ in range(2):
                try:
                    ours, pidfd = self._divide()
                    break
                except (OSError, ValueError) as error:
                    log.warning("document process restarted", extra={"why": type(error).__name__})
                    self._stop()
            else:
                raise UnsafeFileError("unavailable", "no process")
        return Keeper(ours, pidfd, limits)

    def _divide(self) -> tuple[socket.socket, int]:
        link = self._started()
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(link, [b"+"], [theirs.fileno()])
            number = int(_line(link, _DIVIDE_S))
            return ours, os.pidfd_open(number)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def _started(self) -> socket.socket:
        if self._owner != os.getpid():  # a copy made by fork: the process belongs to the original
            self._process, self._link = None, None
        if self._link is not None and self._process is not None and self._process.poll() is None:
            return self._link
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _BOOT, str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},  # nothing of the product's own environment
            cwd="/",
        )
        theirs.close()
        self._link, self._owner = ours, os.getpid()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(_sources()).encode())
        self._process.stdin.close()
        if _line(ours, _START_S) != "ready":
            raise OSError("did not start")
        return ours

    def _stop(self) -> None:
        if self._owner == os.getpid():
            if self._link is not None:
                self._link.close()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
        self._process, self._link = None, None


def _line(link: socket.socket, seconds: float) -> str:
    """Return the next short line. Raises OSError."""
    link.settimeout(seconds)
    out = b""
    while not out.endswith(b"\n"):
        part = link.recv(1)
        if not part or len(out) > 32:
            raise OSError("ended")
        out += part
    return out.decode().strip()


def _sources() -> dict[str, str | None]:
    """Return the source of each module the other process runs, through the loader that checks it; None: a package."""
    found: dict[str, str | None] = {_PACKAGE: None, f"{_PACKAGE}.sandbox": None}
    for name in _MODULES:
        spec = importlib.util.find_spec(f"{_PACKAGE}.sandbox.{name}")  # finds, without importing
        loader: Any = spec.loader if spec is not None else None
        found[f"{_PACKAGE}.sandbox.{name}"] = loader.get_source(f"{_PACKAGE}.sandbox.{name}")
    return found


_nursery = Nursery()  # one for this process: it holds nothing of any file, and takes half a second to start


class Workshop:
    """Where jobs are done: a process for each file that comes in, one for each meeting whose pages are shown.

    allow_unshut: go on where the system cannot shut a process in; only its limits hold then.
    """

    def __init__(self, limits: Limits, *, processes: int, allow_unshut: bool = False) -> None:
        self.limits = limits
        self._nursery = _nursery
        self._most, self._allow_unshut = processes, allow_unshut
        self._intake = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._rooms: dict[str, tuple[Keeper, threading.Lock]] = {}

    def once(self, job: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Do one job in a process of its own. Raises UnsafeFileError."""
        if not self._intake.acquire(timeout=self.limits.wall_s):
            raise UnsafeFileError("unavailable", "busy")
        try:
            keeper = self._keeper()
            try:
                return keeper.do(job, payload)
            finally:
                keeper.close()
        finally:
            self._intake.release()

    @contextmanager
    def room(self, meeting: str) -> Iterator[Keeper]:
        """Hold the meeting's process for one job; a process never sees two meetings' documents."""
        while True:
            with self._lock:
                if meeting not in self._rooms:
                    self._make_room()
                    self._rooms[meeting] = (self._keeper(), threading.Lock())
                keeper, lock = self._rooms[meeting] = self._rooms.pop(meeting)  # now the latest used
            with lock:
                if keeper.is_open:
                    try:
                        yield keeper
                    finally:
                        if not keeper.is_open:
                            self._forget(meeting, keeper)
                    return
            self._forget(meeting, keeper)

    def close_room(self, meeting: str) -> None:
        """End a meeting's process: what it kept drawn is gone."""
        with self._lock:
            keeper, lock = self._rooms.pop(meeting, (None, None))
        if keeper is not None and lock is not None:
            with lock:
                keeper.close()

    def stop(self) -> None:
        """End every meeting's process."""
        for meeting in list(self._rooms):
            self.close_room(meeting)

    def is_shut(self) -> bool:
        """Return whether processes here can be shut in fully, by starting one."""
        keeper = self._nursery.divide(self.limits)
        keeper.close()
        return keeper.is_shut

    def _keeper(self) -> Keeper:
        keeper = self._nursery.divide(self.limits)
        if not keeper.is_shut and not self._allow_unshut:
            keeper.close()
            raise UnsafeFileError("unavailable", "cannot be shut in")
        return keeper

    def _make_room(self) -> None:
        """End the processes used longest ago, beyond the most there may be; a busy one is left to finish."""
        for meeting in list(self._rooms):
            if len(self._rooms) < self._most:
                return
            keeper, lock = self._rooms[meeting]
            if lock.acquire(blocking=False):
                keeper.close()
                lock.release()
                del self._rooms[meeting]

    def _forget(self, meeting: str, keeper: Keeper) -> None:
        with self._lock:
            if meeting in self._rooms and self._rooms[meeting][0] is keeper:
                del self._rooms[meeting]

"""Starts processes, watches them, stops them together: no shell, no leftovers, a log file each."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
State = Literal["starting", "running", "silent", "down"]

_STOP_S = 6.0  # the web process ends open event streams within 3 s
_START_S = 120.0  # twenty times what a slow laptop needs
_LOOK_S = 2.0
_SILENT_AFTER = 3  # missed answers in a row: a busy machine may miss one
_LOG_LINES = 15
_REMEMBERED = "running.json"  # beside the logs


class StartError(RuntimeError):
    """A process did not start. The text ends with the end of its log."""


class StoppedError(Exception):
    """Somebody asked the demo to stop while it was starting."""


@dataclass
class Process:
    """One process of the demo. command: as one would type it. health: a URL that answers 200 when it is ready, or
    tcp://host:port of one that speaks another protocol.

    writes: a file it leaves for the others when it starts; an old one is removed before.
    """

    name: str
    title: str
    command: Sequence[str]
    health: str
    writes: Path | None = None
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The code it ended with; minus the signal's number when a signal ended it."""
        return self.popen.poll() if self.popen is not None else None

    @property
    def typed(self) -> str:
        """The command as one types it in the project's folder."""
        return shlex.join(_from_root(word) for word in self.command)

    def answers(self) -> bool:
        """Say whether the process is alive, ours or one started by hand, and its health address answers."""
        if not self.is_alive and not self.health:
            return _runs_elsewhere(self.command)
        if not self.health:
            return True
        where = urlsplit(self.health)
        try:
            if where.scheme == "tcp":
                with socket.create_connection((where.hostname, where.port), timeout=2):
                    return True
            with urllib.request.urlopen(self.health, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def is_ready(self) -> bool:
        """Say whether the process that was just started answers and has left its file."""
        return self.is_alive and self.answers() and (self.writes is None or self.writes.exists())


@dataclass(frozen=True)
class Condition:
    """How one process was at the last look. exit_code: of one that is down, None if we never started it."""

    process: Process
    state: State
    exit_code: int | None = None


class Processes:
    """All processes of one demo. logs: folder for their output. stopping: set when no more may be started."""

    def __init__(self, logs: Path, environment: dict[str, str], stopping: threading.Event | None = None) -> None:
        self.all: list[Process] = []
        self.logs = logs
        self._environment = os.environ | environment
        self._stopping = stopping or threading.Event()
        self._starting: set[str] = set()
        self._missed: dict[str, int] = {}
        self._mutex = threading.Lock()
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, process: Process, *, wait_s: float = _START_S) -> float:
        """Start a process, wait until it answers, return the seconds it took. Raises StartError, StoppedError."""
        began = time.monotonic()
        with self._mutex:
            if self._stopping.is_set():
                raise StoppedError
            self._starting.add(process.name)
            again = process in self.all
            if process.writes is not None:
                process.writes.unlink(missing_ok=True)
            with self.log_of(process).open("ab" if again else "wb") as output:
                process.popen = subprocess.Popen(
                    process.command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    env=self._environment,
                    cwd=ROOT,
                    start_new_session=True,  # Ctrl-C reaches the demo alone, which stops the others in order
                )
            if not again:
                self.all.append(process)
            self._remember()
        try:
            while not process.is_ready():
                if self._stopping.is_set():
                    raise StoppedError
                if not process.is_alive or time.monotonic() > began + wait_s:
                    end = "\n".join(self.last_lines(process))
                    raise StartError(f"{process.title} did not start. The end of {self.log_of(process)}:\n{end}")
                time.sleep(0.05)
        finally:
            self._starting.discard(process.name)
        return time.monotonic() - began

    def restart(self, name: str) -> float:
        """Start a process that is down, or that hangs, once more. Raises KeyError, StartError, StoppedError."""
        process = self._named(name)
        with self._mutex:
            if name in self._starting or (process.answers() and self._missed.get(name, 0) == 0):
                return 0.0
            self._starting.add(name)
        self._end(process, time.monotonic() + _STOP_S)
        return self.start(process)

    def end(self, name: str) -> None:
        """End one process alone. Raises KeyError."""
        process = self._named(name)
        self._end(process, time.monotonic() + _STOP_S)

    def is_starting(self, name: str) -> bool:
        return name in self._starting

    def look(self) -> list[Condition]:
        """Ask every process whether it is well. Takes as long as the slowest answer, at most 2 s each."""
        return [self._condition(process) for process in self.all]

    def stop(self, on_stopped: Callable[[Process], None] = lambda _process: None) -> None:
        """Stop them all, the last started first, each before the next; one that does not listen is killed."""
        self._stopping.set()
        with self._mutex:
            for process in reversed(self.all):
                was_alive = process.is_alive
                self._end(process, time.monotonic() + _STOP_S)
                if was_alive:
                    on_stopped(process)
            (self.logs / _REMEMBERED).unlink(missing_ok=True)

    def stop_leftovers(self) -> int:
        """End what an earlier demo left running when it was killed itself. Returns how many there were."""
        kept = self.logs / _REMEMBERED
        try:
            before: dict[str, int] = json.loads(kept.read_text())
        except (OSError, ValueError):
            return 0
        ours = [int(pid) for pid, began in before.items() if _began(int(pid)) == began]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in ours:
                _signal(pid, number)
            deadline = time.monotonic() + _STOP_S
            while any(_began(pid) is not None for pid in ours) and time.monotonic() < deadline:
                time.sleep(0.05)  # they are not our children: no wait() tells of their end
        kept.unlink(missing_ok=True)
        return len(ours)

    def kill(self) -> None:
        """End them all at once, for somebody who will not wait."""
        for process in self.all:
            if process.popen is not None:
                _signal(process.popen.pid, signal.SIGKILL)

    def log_of(self, process: Process) -> Path:
        return self.logs / f"{process.name}.log"

    def last_lines(self, process: Process, count: int = _LOG_LINES) -> list[str]:
        """Return the end of a process's log, without empty lines."""
        try:
            lines = self.log_of(process).read_text(errors="replace").splitlines()
        except OSError:
            return []
        return [line for line in lines if line.strip()][-count:]

    def _named(self, name: str) -> Process:
        return {each.name: each for each in self.all}[name]

    def _condition(self, process: Process) -> Condition:
        if self.is_starting(process.name):
            return Condition(process, "starting")
        if process.answers():
            self._missed[process.name] = 0
            return Condition(process, "running")
        if not process.is_alive:
            return Condition(process, "down", process.exit_code)
        self._missed[process.name] = self._missed.get(process.name, 0) + 1
        return Condition(process, "silent" if self._missed[process.name] >= _SILENT_AFTER else "running")

    def _end(self, process: Process, deadline: float) -> None:
        if process.popen is None:
            return
        _signal(process.popen.pid, signal.SIGTERM)  # the group: a leader that died alone may have left workers
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(max(0.1, deadline - time.monotonic()))
        _signal(process.popen.pid, signal.SIGKILL)
        process.popen.wait()

    def _remember(self) -> None:
        """Note which processes are ours, by number and start, so that a later demo knows them for certain."""
        pids = [each.popen.pid for each in self.all if each.popen is not None]
        (self.logs / _REMEMBERED).write_text(json.dumps({pid: _began(pid) for pid in pids}))


class Watch:
    """Looks after the processes in a thread of its own. on_change: called when one goes down or comes back."""

    def __init__(
        self, processes: Processes, on_change: Callable[[Condition], None], *, every_s: float = _LOOK_S
    ) -> None:
        self._processes = processes
        self._on_change = on_change
        self._every_s = every_s
        self._done = threading.Event()
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.conditions: list[Condition] = [Condition(each, "running") for each in processes.all]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and tell nothing more."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(_LOOK_S)  # it may be waiting for a process that hangs

    def look(self) -> None:
        """Look once, and tell what changed since the last look."""
        with self._looking:
            before = {each.process.name: each.state for each in self.conditions}
            self.conditions = self._processes.look()
            for each in self.conditions:
                if each.state != before.get(each.process.name) and not self._done.is_set():
                    self._on_change(each)

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            self.look()


def python(*arguments: str) -> list[str]:
    """Return the command that runs this very Python."""
    return [sys.executable, *arguments]


def _from_root(word: str) -> str:
    prefix = f"{ROOT}/"
    return word[len(prefix) :] if word.startswith(prefix) else word


def _runs_elsewhere(command: Sequence[str]) -> bool:
    """Say whether somebody runs this command by hand (Linux). The Python before it may be written another way."""
    wanted = [_from_root(word) for word in command[1:]]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            if [_from_root(word) for word in words[1:]] == wanted:
                return True
    return False


def _signal(leader: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _began(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine did; None for one that ended (Linux, proc(5))."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(rest[18])  # field 22, starttime

"""Starts processes, watches them, stops them together: no shell, no leftovers, a log file each."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STOP_S = 8.0


@dataclass
class Process:
    """One process of the demo. command: as one would type it. health: a URL that answers 200 when it is ready."""

    name: str
    title: str
    command: Sequence[str]
    health: str
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def answers(self) -> bool:
        """Say whether the process is alive and its health address answers."""
        if not self.is_alive:
            return False
        if not self.health:
            return True
        try:
            with urllib.request.urlopen(self.health, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class Processes:
    """All processes of one demo. logs: folder for their output."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self.all: list[Process] = []
        self._logs = logs
        self._environment = os.environ | environment
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, process: Process, *, wait_s: float = 40.0) -> None:
        """Start a process and wait until it answers. Raises RuntimeError with the end of its log."""
        log = self._logs / f"{process.name}.log"
        with log.open("wb") as output:
            process.popen = subprocess.Popen(
                process.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which stops the others in order
            )
        self.all.append(process)
        deadline = time.monotonic() + wait_s
        while not process.answers():
            if not process.is_alive or time.monotonic() > deadline:
                end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RuntimeError(f"{process.title} did not start. The end of {log}:\n{end}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop them all, the last started first; one that does not listen is killed."""
        for process in reversed(self.all):
            if process.is_alive and process.popen is not None:
                _signal(process.popen, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for process in reversed(self.all):
            if process.popen is None:
                continue
            try:
                process.popen.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process.popen, signal.SIGKILL)
                process.popen.wait()


def python(*arguments: str) -> list[str]:
    """Return the command that runs this very Python."""
    return [sys.executable, *arguments]


def _signal(popen: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(popen.pid, number)
    except ProcessLookupError:
        pass

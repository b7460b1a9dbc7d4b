"""The samplers' side of the bridge: one process that is kept alive and divides, and a line to each that it made."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from sidecar.firewall.wire import VERDICT_BYTES, Verdict, unpack_verdict

log = logging.getLogger(__name__)

_MOST_UNSENT_BYTES = 8 << 20
# Nothing of ours: what a process was started with can be read in its memory. One thread, since it divides.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
_RESTART_S = (0.5, 1.0, 2.0, 5.0, 15.0)


class Samplers:
    """Keeps the process alive. state: "off" until it is wanted, "down" where there is none just now."""

    def __init__(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self.state: Literal["off", "starting", "ok", "down"] = "off"
        self.process_id = 0
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._process: asyncio.subprocess.Process | None = None
        self._door: socket.socket | None = None
        self._asked: deque[SamplerLine] = deque()  # those whose process's handle is still to come, in order
        self._failures = 0
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Have a sampler ready soon. Does nothing where one is, or is on its way."""
        if self._life is None:
            self.state = "starting"
            self._life = asyncio.get_running_loop().create_task(self._live())

    async def stop(self) -> None:
        """End the process and wait for that."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        self.state = "off"

    def line(self, on_verdict: Callable[[Verdict], None], on_end: Callable[[], None]) -> "SamplerLine | None":
        """Return a line to a sampler of one's own, None where there is none to be had."""
        if self._door is None or self.state != "ok":
            return None
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._door, [b"w"], [theirs.fileno()])
        except OSError:
            ours.close()
            return None
        finally:
            theirs.close()
        made = SamplerLine(ours, on_verdict, on_end)
        self._asked.append(made)
        return made

    async def _live(self) -> None:
        """Start it, and start it again whenever it ends."""
        while True:
            await self._once()
            self.state = "down"
            log.warning("there is no sampler; watched shares are closed until there is one")
            self._on_lost()
            await asyncio.sleep(_RESTART_S[min(self._failures, len(_RESTART_S) - 1)])
            self._failures += 1

    async def _once(self) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            command = [sys.executable, "-m", "sidecar.firewall.sampler", str(theirs.fileno())]
            none = asyncio.subprocess.DEVNULL
            self._process = process = await asyncio.create_subprocess_exec(
                *command, pass_fds=(theirs.fileno(),), env=_ENVIRONMENT, stdin=none, stdout=none, stderr=none
            )
        except OSError:
            log.exception("no sampler can be started")
            ours.close()
            return
        finally:
            theirs.close()
        self._door, self.process_id = ours, process.pid
        loop.add_reader(ours, self._hear, ours)
        try:
            await process.wait()
        finally:
            loop.remove_reader(ours)
            ours.close()
            self._door, self.process_id = None, 0
            self._asked.clear()
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _hear(self, door: socket.socket) -> None:
        """It is ready, or it has divided for the line that was asked for first."""
        try:
            word, handles, _, _ = socket.recv_fds(door, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            word, handles = b"", []
        if word == b"r":
            self._failures, self.state = 0, "ok"
            self._on_ready()
        elif word in (b"p", b"x") and self._asked:
            self._asked.popleft().take_handle(handles[0] if handles else -1)
        elif not word:
            asyncio.get_running_loop().remove_reader(door)  # the end of the process is waited for elsewhere


class SamplerLine:
    """The line to one sampler. on_end: called once, when it went silent by itself."""

    def __init__(self, line: socket.socket, on_verdict: Callable[[Verdict], None], on_end: Callable[[], None]) -> None:
        self._line = line
        self._on_verdict = on_verdict
        self._on_end = on_end
        self._handle = -1
        self._closed = False
        self._unsent = bytearray()
        self._heard = bytearray()
        self._loop = asyncio.get_running_loop()
        line.setblocking(False)
        self._loop.add_reader(line, self._hear)

    def send(self, data: bytes) -> None:
        """Put a frame on its way. One that is too many is left out: what is not judged in time is cut."""
        if self._closed or len(self._unsent) + len(data) > _MOST_UNSENT_BYTES:
            return
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._flush()

    def close(self) -> None:
        """Hang up, and end the sampler."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._line)
            self._loop.remove_writer(self._line)
            self._line.close()
            self._unsent.clear()
        self._kill()

    def take_handle(self, handle: int) -> None:
        """Take the handle of the sampler's process, -1 where it is gone already."""
        self._handle = handle
        if self._closed:
            self._kill()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._line.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._line, self._flush)
            return
        except OSError:
            self._unsent.clear()  # that it is gone is heard on the way back
        self._loop.remove_writer(self._line)

    def _hear(self) -> None:
        try:
            data = self._line.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard += data
        while len(self._heard) >= VERDICT_BYTES and not self._closed:
            try:
                verdict = unpack_verdict(bytes(self._heard[:VERDICT_BYTES]))
            except ValueError:
                data = b""
                break
            del self._heard[:VERDICT_BYTES]
            self._on_verdict(verdict)
        if not data and not self._closed:
            self.close()
            self._on_end()

    def _kill(self) -> None:
        """End the process by its handle: its number could be somebody else's by now."""
        if self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            os.close(self._handle)
            self._handle = -1

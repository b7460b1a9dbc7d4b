"""The disk side of recording: one thread that opens, seals, writes and syncs, so that media never waits for a disk."""

import errno
import logging
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.recorder.sealed import SealedWriter
from sidecar.recorder.session import Written

log = logging.getLogger(__name__)

SYNC_EVERY_S = 1.0
MOST_WAITING_BYTES = 64 << 20  # of one recording: a disk that is this far behind does not catch up
_LEAST_FREE_BYTES = 32 << 20  # a recording that would end at once is not begun
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ENDING = ".rec"


@dataclass
class OutFile:
    """One recording's file in the making. on_failed: told once, from the writing thread, with a short reason.

    made: it is on the disk, empty or not. given_up: closed by whoever asked for it; is none made yet, none is.
    """

    recording: str
    on_failed: Callable[[str], None]
    made: bool = False
    given_up: bool = False
    waiting_bytes: int = 0
    failed: str = ""
    _writer: SealedWriter | None = field(default=None, repr=False)
    _synced_at: float = 0.0


class DiskThread:
    """Writes every recording of this process, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="recordings", daemon=True)
        self._thread.start()

    def open(
        self,
        recording: str,
        dek: bytes,
        on_failed: Callable[[str], None],
        tried: Callable[[], None] = lambda: None,
    ) -> OutFile:
        """Return the file of a new recording, which is made soon; what is put meanwhile is written after that.

        tried: told from the writing thread once it is made, or has failed.
        """
        file = OutFile(recording, on_failed)
        self._queue.put(lambda: self._open(file, dek, tried))
        return file

    def put(self, file: OutFile, records: list[Written]) -> None:
        """Write records soon."""
        size = sum(len(data) for _, data in records)
        if file.failed or not records:
            return
        file.waiting_bytes += size
        if file.waiting_bytes > MOST_WAITING_BYTES:
            self._fail(file, "disk-slow")
            return
        self._queue.put(lambda: self._write(file, records, size))

    def close(self, file: OutFile, done: Callable[[], None] | None = None) -> None:
        """Sync and close a file once all before it is written. done: told from the writing thread.

        One that is not made by now will not be: the recording's deletion may be over before its turn comes.
        """
        file.given_up = True
        self._queue.put(lambda: self._close(file, done))

    def stop(self) -> None:
        """Write what is queued, then end. Returns when the thread has ended, or after five seconds."""
        self._queue.put(None)
        self._thread.join(5.0)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("a recording could not be written")  # the outermost loop of this thread

    def _open(self, file: OutFile, dek: bytes, tried: Callable[[], None]) -> None:
        try:
            if file.given_up:
                return
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if shutil.disk_usage(self.folder).free < _LEAST_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            path = self.folder / f"{file.recording}{ENDING}"
            writer = SealedWriter(path, recording=file.recording, dek=dek)
            if file.given_up:  # while the disk was making it
                writer.close()
                path.unlink(missing_ok=True)
                return
            file._writer, file._synced_at, file.made = writer, time.monotonic(), True
        except (OSError, ValueError) as error:  # ValueError: a DEK that is none
            self._fail(file, _reason(error))
        finally:
            tried()

    def _write(self, file: OutFile, records: list[Written], size: int) -> None:
        file.waiting_bytes -= size
        writer = file._writer
        if file.failed or writer is None:
            return
        try:
            for kind, data in records:
                writer.append(kind, data)
            now = time.monotonic()
            if now - file._synced_at >= SYNC_EVERY_S * 0.9:
                file._synced_at = now
                writer.sync()
        except OSError as error:
            self._fail(file, _reason(error))

    def _close(self, file: OutFile, done: Callable[[], None] | None) -> None:
        writer, file._writer = file._writer, None
        if writer is not None:
            try:
                writer.sync()
            except OSError as error:
                self._fail(file, _reason(error))
            finally:
                writer.close()
        if done is not None:
            done()

    @staticmethod
    def _fail(file: OutFile, reason: str) -> None:
        if not file.failed:
            file.failed = reason
            log.error("a recording cannot be written", extra={"recording": file.recording, "reason": reason})
            file.on_failed(reason)


def _reason(error: Exception) -> str:
    return "disk-full" if isinstance(error, OSError) and error.errno in _FULL else "disk-failed"

"""Recordings on files: the sealed media the bridge wrote, and beside each its key, wrapped by the region's KEK.

The key's file is what makes a recording readable; destroying it is deletion, and comes first.
"""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sidecar.adapters.sealing import UnsealError, new_dek, seal, unseal
from sidecar.domain.clock import from_text
from sidecar.domain.errors import NotFoundError, StoreUnavailableError
from sidecar.domain.ids import ParticipantId, RecordingId
from sidecar.recorder.reading import Outline, Stretch, TrackInfo, blocks_between, outline_of
from sidecar.recorder.render import NOT_SHUT_IN, Part, Source, pack
from sidecar.recorder.sealed import DamagedError, SealedReader
from sidecar.recorder.writing import ENDING
from sidecar.services.recording_ports import (
    RecordedTrack,
    RecordingDamagedError,
    RecordingOutline,
    Watermark,
)

log = logging.getLogger("tillit.web")

_ID = re.compile(r"\Arec_[2-9a-z]{20}\Z")
# The number in both grows with what an Outline holds: of versions side by side none reads what another kept
_INDEX = ".idx2"
_INDEX_PURPOSE = "recording-index-2"
_KNOWN_OUTLINES = 32
_AT_ONCE = 2  # parts being made at the same moment, in this process
_RENDER_TIMEOUT_S = 90
_WAIT_S = 20.0


class FileRecordings:
    """Recordings below one folder, which the bridge writes to as well."""

    def __init__(self, folder: Path, *, kek: bytes) -> None:
        self._folder = folder
        self._kek = kek
        self._outlines: OrderedDict[str, tuple[tuple[int, int], Outline]] = OrderedDict()  # size, change -> outline
        self._lock = threading.Lock()
        self._renderers = threading.BoundedSemaphore(_AT_ONCE)

    def new_key(self, recording: RecordingId) -> bytes:
        dek = new_dek()
        wrapped = {"wrapped_key": seal(self._kek, dek, purpose=f"recording:{recording}").hex()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._path(recording, ".key"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(wrapped).encode())
                file.flush()
                os.fsync(handle)
            self._sync()
        except OSError as error:
            raise StoreUnavailableError(f"a recording's key cannot be kept: {error.strerror}") from error
        return dek

    def destroy(self, recording: RecordingId) -> None:
        key = self._path(recording, ".key")
        try:
            if key.exists():
                # Overwritten where it lies: on most disks the wrapped key is gone from its blocks too
                with key.open("r+b") as file:
                    file.write(bytes(key.stat().st_size))
                    file.flush()
                    os.fsync(file.fileno())
                key.unlink()
                self._sync()
            for ending in (_INDEX, ".idx", ENDING):  # .idx: an earlier version's
                self._path(recording, ending).unlink(missing_ok=True)
            if self._folder.exists():
                self._sync()
        except OSError as error:
            raise StoreUnavailableError(f"a recording cannot be deleted: {error.strerror}") from error
        with self._lock:
            self._outlines.pop(recording, None)

    def outline(self, recording: RecordingId) -> RecordingOutline:
        found = self._outline(recording, self._dek(recording))
        return RecordingOutline(
            complete=found.complete,
            began_at=from_text(found.began_at) if found.began_at else None,
            duration_ms=found.duration_ms,
            tracks=tuple(_track(each) for each in found.tracks),
            pauses=tuple((at, from_text(stopped), from_text(on)) for at, stopped, on in found.pauses),
            left_out=tuple(_track(each) for each in found.left_out),
        )

    def watch(
        self,
        recording: RecordingId,
        *,
        from_ms: int,
        to_ms: int,
        watermark: Watermark,
        names: Mapping[ParticipantId, str],
        head: bool = True,
    ) -> bytes:
        dek = self._dek(recording)
        outline = self._outline(recording, dek)
        try:
            with self._open(recording, dek) as reader:
                blocks = blocks_between(reader, outline, from_ms, to_ms)
        except (DamagedError, ValueError, StopIteration) as error:
            raise RecordingDamagedError() from error
        sources = tuple(
            Source(t.number, t.kind, t.codec, names.get(ParticipantId(t.owner), "")) for t in outline.tracks
        )
        part = Part(from_ms, to_ms, watermark.text, watermark.code, sources, head)
        return self._render(pack(part, blocks))

    # Inside

    def _render(self, request: bytes) -> bytes:
        """Have the part made by a process of its own, with limits."""
        if not self._renderers.acquire(timeout=_WAIT_S):
            raise StoreUnavailableError("too many recordings are watched at this moment")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "sidecar.recorder.render"],
                input=request,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_RENDER_TIMEOUT_S,
                check=True,
                env={
                    "PATH": os.defpath,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "OPENBLAS_NUM_THREADS": "1",  # else it claims address space for every core
                },
            )
        except (OSError, subprocess.SubprocessError) as error:
            if isinstance(error, subprocess.CalledProcessError) and error.returncode == NOT_SHUT_IN:
                log.error("the renderer cannot be shut in here; no recording is played")
            raise StoreUnavailableError("this part of the recording cannot be made just now") from error
        finally:
            self._renderers.release()
        return done.stdout

    def _outline(self, recording: RecordingId, dek: bytes) -> Outline:
        """Return the outline: kept in memory, else beside the media, else read from them and kept.

        That a file has no end is true of this file as it is now, and kept nowhere but in memory.
        """
        state = self._state_of(recording)
        with self._lock:
            known = self._outlines.get(recording)
        if known is not None and known[0] == state:
            return known[1]
        index = self._path(recording, _INDEX)
        found = self._read_index(index, recording, dek)
        if found is None:
            try:
                with self._open(recording, dek) as reader:
                    found = outline_of(reader)
            except (DamagedError, ValueError, KeyError) as error:
                raise RecordingDamagedError() from error
            if found.complete:
                self._keep_index(index, recording, dek, found)
        with self._lock:
            self._outlines[recording] = (state, found)
            while len(self._outlines) > _KNOWN_OUTLINES:
                self._outlines.popitem(last=False)
        return found

    @staticmethod
    def _read_index(path: Path, recording: str, dek: bytes) -> Outline | None:
        """Return what was kept, None where it is not there or cannot be read: then it is made anew."""
        try:
            values = json.loads(unseal(dek, path.read_bytes(), purpose=f"{_INDEX_PURPOSE}:{recording}"))
            return Outline(
                complete=values["complete"],
                began_at=values["began_at"],
                duration_ms=values["duration_ms"],
                tracks=tuple(TrackInfo(**each) for each in values["tracks"]),
                stretches=tuple(Stretch(a, b, c, d, tuple(e)) for a, b, c, d, e in values["stretches"]),
                pauses=tuple((a, b, c) for a, b, c in values["pauses"]),
                left_out=tuple(TrackInfo(**each) for each in values["left_out"]),
                shifts=tuple((a, tuple((b, c) for b, c in points)) for a, points in values["shifts"]),
            )
        except (OSError, UnsealError, ValueError, KeyError, TypeError):
            return None

    @staticmethod
    def _keep_index(path: Path, recording: str, dek: bytes, outline: Outline) -> None:
        """Spare the next reader the reading. It is only that: one that cannot be written is done without."""
        sealed = seal(dek, json.dumps(asdict(outline)).encode(), purpose=f"{_INDEX_PURPOSE}:{recording}")
        draft = path.with_suffix(f".{os.getpid()}.draft")
        try:
            draft.write_bytes(sealed)
            draft.chmod(0o600)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)

    def _state_of(self, recording: RecordingId) -> tuple[int, int]:
        try:
            found = self._path(recording, ENDING).stat()
        except FileNotFoundError as error:
            raise NotFoundError("There is no such recording, or its media are gone.") from error
        except OSError as error:
            raise StoreUnavailableError(f"a recording cannot be read: {error.strerror}") from error
        return found.st_size, found.st_mtime_ns

    def _open(self, recording: RecordingId, dek: bytes) -> SealedReader:
        try:
            return SealedReader(self._path(recording, ENDING), recording=recording, dek=dek)
        except FileNotFoundError as error:
            raise NotFoundError("There is no such recording, or its media are gone.") from error
        except OSError as error:
            raise StoreUnavailableError(f"a recording cannot be read: {error.strerror}") from error

    def _dek(self, recording: RecordingId) -> bytes:
        try:
            wrapped = json.loads(self._path(recording, ".key").read_bytes())["wrapped_key"]
            return unseal(self._kek, bytes.fromhex(wrapped), purpose=f"recording:{recording}")
        except FileNotFoundError as error:
            raise NotFoundError("There is no such recording, or its key is destroyed.") from error
        except (UnsealError, ValueError, KeyError, TypeError) as error:
            raise RecordingDamagedError() from error
        except OSError as error:
            raise StoreUnavailableError(f"a recording's key cannot be read: {error.strerror}") from error

    def _path(self, recording: RecordingId, ending: str) -> Path:
        if not _ID.match(recording):
            raise NotFoundError("There is no such recording.")
        return self._folder / f"{recording}{ending}"

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _track(found: TrackInfo) -> RecordedTrack:
    return RecordedTrack(found.number, ParticipantId(found.owner), found.kind)

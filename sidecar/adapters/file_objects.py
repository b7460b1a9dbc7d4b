"""The `objects` store on files: each object under its own DEK, the DEK wrapped by the region's KEK."""

import json
import os
import re
from pathlib import Path

from sidecar.adapters.sealing import UnsealError, new_dek, seal, unseal
from sidecar.domain.errors import NotFoundError, StoreUnavailableError
from sidecar.domain.ids import MeetingId, new_id

_ID = re.compile(r"\Ao_[2-9a-z]{20}\Z")


class FileObjects:
    """Objects below one folder. The wrapped key lies beside the object: without it nobody can read it."""

    def __init__(self, root: Path, *, kek: bytes) -> None:
        self._root = root
        self._kek = kek
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, *, object_class: str, meeting: MeetingId | None, data: bytes) -> str:
        object_id = new_id("o")
        dek = new_dek()
        about = {
            "class": object_class,
            "meeting": meeting,
            "wrapped_key": seal(self._kek, dek, purpose=f"dek:{object_id}").hex(),
        }
        folder = self._path(object_id, "bin").parent
        try:
            if not folder.exists():
                folder.mkdir(exist_ok=True, mode=0o700)
                _sync(self._root)  # else a crash could take the whole new folder with what lies in it
            _write(self._path(object_id, "bin"), seal(dek, data, purpose=f"object:{object_id}"))
            _write(self._path(object_id, "json"), json.dumps(about).encode())
            _sync(folder)  # both names at once
        except OSError as error:
            raise StoreUnavailableError(f"the object store cannot be written: {error.strerror}") from error
        return object_id

    def get(self, object_id: str) -> bytes:
        if not _ID.match(object_id):
            raise NotFoundError("There is no such object.")
        try:
            about = json.loads(self._path(object_id, "json").read_bytes())
            dek = unseal(self._kek, bytes.fromhex(about["wrapped_key"]), purpose=f"dek:{object_id}")
            return unseal(dek, self._path(object_id, "bin").read_bytes(), purpose=f"object:{object_id}")
        except (FileNotFoundError, UnsealError) as error:
            raise NotFoundError("There is no such object, or its key is destroyed.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreUnavailableError(f"an object cannot be read: {type(error).__name__}") from error

    def drop(self, object_id: str) -> None:
        if not _ID.match(object_id):
            return
        try:
            for ending in ("json", "bin"):  # the wrapped key first: from then on nobody can read the rest
                self._path(object_id, ending).unlink(missing_ok=True)
            if self._path(object_id, "bin").parent.exists():
                _sync(self._path(object_id, "bin").parent)
        except OSError as error:
            raise StoreUnavailableError(f"the object store cannot be written: {error.strerror}") from error

    def _path(self, object_id: str, ending: str) -> Path:
        return self._root / object_id[2:4] / f"{object_id}.{ending}"


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Keys of connected systems: one file, digests only, so that a copy of it opens nothing."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.ids import new_id

RIGHTS = frozenset({"book", "read", "evidence"})
_OF_PLUGIN = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_.]{0,63}\Z")  # what a plugin's manifest declares


@dataclass(frozen=True)
class ApiKey:
    """A connected system and what its key may do."""

    id: str
    name: str
    rights: frozenset[str]


class ApiKeys:
    """Reads the file anew when it changed, so that a key can be withdrawn without a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def find(self, key: str) -> ApiKey | None:
        self._read()
        return self._keys.get(_digest(key))

    def all(self) -> list[ApiKey]:
        self._read()
        return sorted(self._keys.values(), key=lambda each: each.name)

    def create(self, name: str, rights: Iterable[str]) -> str:
        """Add a system and return its key, which is shown once and kept nowhere."""
        wanted = frozenset(rights)
        if not wanted or not all(each in RIGHTS or _OF_PLUGIN.match(each) for each in wanted):
            raise ConfigurationError(f"Rights are some of: {', '.join(sorted(RIGHTS))}, <plugin>.<name>.")
        key = "tillit_" + secrets.token_urlsafe(32)
        self._read()
        self._keys[_digest(key)] = ApiKey(new_id("sys"), name, wanted)
        self._write()
        return key

    def withdraw(self, system_id: str) -> bool:
        """Remove a system's key. Return False where there is none."""
        self._read()
        kept = {digest: each for digest, each in self._keys.items() if each.id != system_id}
        gone = len(kept) < len(self._keys)
        self._keys = kept
        self._write()
        return gone

    def _read(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        if mark == self._seen:
            return
        try:
            stored = json.loads(self._path.read_text())
            self._keys = {
                digest: ApiKey(each["id"], each["name"], frozenset(each["rights"])) for digest, each in stored.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{self._path.name} is not a file of API keys: {error}") from error
        self._seen = mark

    def _write(self) -> None:
        stored = {
            digest: {"id": each.id, "name": each.name, "rights": sorted(each.rights)}
            for digest, each in self._keys.items()
        }
        fresh = self._path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(stored, file, indent=2)
            file.flush()
            os.fsync(handle)  # a withdrawn key may not come back with a crash
        fresh.replace(self._path)
        self._seen = None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

"""Signing keys and secrets in a private folder: the key place of a deployment without an HSM.

The folder (0700) holds `root.secret`, and per purpose one ring `<purpose>.json` and the private keys
`<purpose>.<kid>.pem` (0600). A ring is itself a JWKS document: each of its keys carries, beside the public
members, `tillit_state` ("current", "next" or "retired"), `created_at` and `retire_after`.
The next key is published one rotation before it signs, so whoever caches the document knows it already.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sidecar.domain.clock import from_text, to_text, utc_now
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import (
    Algorithm,
    JwkSet,
    LocalSigningKey,
    PrivateKey,
    local_signing_key,
    new_private_key,
)

Purpose = Literal["join", "control", "audit", "evidence"]


@dataclass(frozen=True)
class _Rule:
    """Which algorithms a purpose may use, the first by default; how long a retired key stays published."""

    algorithms: tuple[Algorithm, ...]
    keeps: timedelta | None  # None: for good, since what it signed must be verifiable for years


# Ten minutes: a join token lives for 120 s and is forgiven 30, and a process may be slow between fetching its
# key and signing; the rest is air.
_SHORT_LIVED = timedelta(minutes=10)
PURPOSES: Mapping[Purpose, _Rule] = {
    "join": _Rule(("ES256", "RS256"), _SHORT_LIVED),
    "control": _Rule(("ES256",), _SHORT_LIVED),
    "audit": _Rule(("EdDSA", "ES256"), None),
    "evidence": _Rule(("EdDSA", "ES256"), None),
}
_STATE_MEMBERS = ("tillit_state", "created_at", "retire_after")
_SECRET_BYTES = 32


@dataclass(frozen=True)
class _Ring:
    """One reading of a ring file. stamp: what tells that the file has been replaced since."""

    stamp: tuple[int, int, int]
    keys: tuple[dict[str, Any], ...]

    def in_state(self, state: str) -> dict[str, Any]:
        found = [key for key in self.keys if key["tillit_state"] == state]
        if len(found) != 1:
            raise ConfigurationError(f"A key ring must have one {state} key and has {len(found)}.")
        return found[0]

    def published(self, now: datetime) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in key.items() if name not in _STATE_MEMBERS}
            for key in self.keys
            if _still_needed(key, now)
        ]


class KeyRing:
    """The keys of one deployment. Safe to share between threads, and the folder between processes.

    Another process's rotation is noticed at the next call, at the price of one stat().
    """

    def __init__(self, directory: Path, algorithms: Mapping[Purpose, Algorithm], clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._algorithms = {purpose: algorithms.get(purpose, rule.algorithms[0]) for purpose, rule in PURPOSES.items()}
        self._clock = clock
        self._ring_paths = {purpose: directory / f"{purpose}.json" for purpose in PURPOSES}
        self._lock = threading.Lock()
        self._signing: dict[Purpose, tuple[tuple[int, int, int], LocalSigningKey]] = {}
        self._sets: dict[Purpose, tuple[list[dict[str, Any]], JwkSet]] = {}
        self._rings: dict[Purpose, _Ring] = {}
        self._root_secret = b""

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        algorithms: Mapping[Purpose, Algorithm] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> "KeyRing":
        """Return the ring in this folder, with whatever is missing created first.

        algorithms: where a purpose departs from its default ({"join": "RS256"} on Jitsi).
        Raises ConfigurationError where others may read the keys, or the root secret is gone.
        """
        for purpose, algorithm in (algorithms or {}).items():
            if algorithm not in PURPOSES[purpose].algorithms:
                raise ConfigurationError(f"{algorithm} is not an algorithm for {purpose} keys.")
        ring = cls(directory, algorithms or {}, clock)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(directory)
        with ring._alone():
            ring._open_root_secret()
            for purpose in PURPOSES:
                if not ring._ring_path(purpose).exists():
                    ring._write_ring(purpose, ring._fresh_pair(purpose, clock()))
                ring._remove_stray_keys(purpose)
        for path in directory.iterdir():
            _check_private(path)
        return ring

    def signing_key(self, purpose: Purpose) -> LocalSigningKey:
        """Return the key to sign with now. Fetch it anew for each token: that is how a rotation takes effect.

        Raises ConfigurationError when the settings ask for another algorithm than the ring's.
        """
        for _ in range(3):  # a rotation between reading ring and key takes the key away: read again
            ring = self._ring(purpose)
            cached = self._signing.get(purpose)
            if cached is not None and cached[0] == ring.stamp:
                return cached[1]
            try:
                key = self._load(purpose, ring.in_state("current"))
            except FileNotFoundError:
                continue
            if key.algorithm != self._algorithms[purpose]:
                raise ConfigurationError(
                    f"The {purpose} keys are {key.algorithm}, the settings say {self._algorithms[purpose]}: "
                    f"run `tillit rotate-keys {purpose}`."
                )
            self._signing[purpose] = (ring.stamp, key)
            return key
        raise ConfigurationError(f"{self._ring_path(purpose)} names a private key that is not there.")

    def jwks(self, purpose: Purpose) -> JwkSet:
        """Return the public keys that count now: current, next, and the retired ones still needed."""
        published = self._ring(purpose).published(self._clock())
        cached = self._sets.get(purpose)
        if cached is None or cached[0] != published:
            cached = self._sets[purpose] = (published, JwkSet(published))
        return cached[1]

    def rotate(self, purpose: Purpose, now: datetime, *, compromised: bool = False) -> str:
        """Let the next key sign from here on, and return its kid.

        The old private key is deleted, its public key stays until the last token it signed has expired.
        compromised: no earlier key is trusted any more, the prepared one included, and tokens signed with
        them are refused at once. Keys that vouch for evidence stay published even then.
        """
        with self._alone():
            ring = self._read_ring(purpose)
            # Another algorithm than the prepared key's, or a theft: both places are filled anew.
            reusable = not compromised and ring.in_state("next")["alg"] == self._algorithms[purpose]
            if reusable:
                current = ring.in_state("next") | {"tillit_state": "current"}
                fresh = [current, self._fresh_key(purpose, "next", now)]
            else:
                fresh = self._fresh_pair(purpose, now)
            kept = {key["kid"] for key in fresh}
            retired = [_retired(purpose, key, now) for key in ring.keys if key["kid"] not in kept]
            if compromised and PURPOSES[purpose].keeps is not None:
                retired = []
            retired = [key for key in retired if _still_needed(key, now)]
            self._write_ring(purpose, fresh + retired)
            self._remove_stray_keys(purpose)
            return str(fresh[0]["kid"])

    def secret(self, name: str) -> bytes:
        """Return 32 bytes that stay the same for this name and folder, and say nothing about any other name.

        Source: HKDF with SHA-256, RFC 5869 section 3.2; the root is random, so no salt.
        """
        derivation = HKDF(hashes.SHA256(), _SECRET_BYTES, salt=None, info=b"tillit secret 1\x00" + name.encode())
        return derivation.derive(self._root_secret)

    # The folder

    def _ring_path(self, purpose: Purpose) -> Path:
        return self._ring_paths[purpose]

    def _key_path(self, purpose: Purpose, kid: str) -> Path:
        return self._directory / f"{purpose}.{kid}.pem"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder against every other process, and every other thread of this one."""
        with self._lock:
            held = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                yield
            finally:
                os.close(held)

    def _open_root_secret(self) -> None:
        path = self._directory / "root.secret"
        if not path.exists():
            # It is the first file ever written here, so beside others its absence is a loss: a new one would
            # silently cut every pseudonym off from its person.
            if any(self._directory.glob("*.json")):
                raise ConfigurationError(f"{path} is gone. Restore it; a new one would not fit the data.")
            _write_durably(path, os.urandom(_SECRET_BYTES))
        self._root_secret = path.read_bytes()
        if len(self._root_secret) != _SECRET_BYTES:
            raise ConfigurationError(f"{path} must hold {_SECRET_BYTES} bytes.")

    def _ring(self, purpose: Purpose) -> _Ring:
        known = self._rings.get(purpose)
        if known is None or known.stamp != _stamp(os.stat(self._ring_paths[purpose])):
            known = self._rings[purpose] = self._read_ring(purpose)
        return known

    def _read_ring(self, purpose: Purpose) -> _Ring:
        path = self._ring_path(purpose)
        try:
            with path.open("rb") as file:
                keys = json.load(file)["keys"]
                return _Ring(_stamp(os.fstat(file.fileno())), tuple(keys))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path} is not a key ring.") from error

    def _write_ring(self, purpose: Purpose, keys: list[dict[str, Any]]) -> None:
        _write_durably(self._ring_path(purpose), json.dumps({"keys": keys}, indent=2).encode())

    def _remove_stray_keys(self, purpose: Purpose) -> None:
        """Delete private keys that sign nothing any more: the old one, and what a crash left behind."""
        ring = self._read_ring(purpose)
        wanted = {self._key_path(purpose, ring.in_state(state)["kid"]) for state in ("current", "next")}
        for path in self._directory.glob(f"{purpose}.*.pem"):
            if path not in wanted:
                path.unlink()
        for draft in self._directory.glob(f".{purpose}.*.draft"):
            draft.unlink()

    # The keys

    def _fresh_pair(self, purpose: Purpose, now: datetime) -> list[dict[str, Any]]:
        return [self._fresh_key(purpose, state, now) for state in ("current", "next")]

    def _fresh_key(self, purpose: Purpose, state: str, now: datetime) -> dict[str, Any]:
        """Make a key, keep its private half on disk, and return its entry in the ring."""
        algorithm = self._algorithms[purpose]
        private_key = new_private_key(algorithm)
        key = local_signing_key(algorithm, private_key)
        _write_durably(self._key_path(purpose, key.kid), _pem(private_key))
        return key.public_jwk() | {"tillit_state": state, "created_at": to_text(now), "retire_after": None}

    def _load(self, purpose: Purpose, entry: Mapping[str, Any]) -> LocalSigningKey:
        pem = self._key_path(purpose, entry["kid"]).read_bytes()
        private_key: Any = serialization.load_pem_private_key(pem, password=None)
        key = local_signing_key(entry["alg"], private_key)
        if key.kid != entry["kid"]:
            raise ConfigurationError(f"The private key of {purpose} is not the one its ring names.")
        return key


def _still_needed(key: Mapping[str, Any], now: datetime) -> bool:
    return key["retire_after"] is None or from_text(key["retire_after"]) > now


def _retired(purpose: Purpose, key: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the entry of a key that signs no more; one retired earlier keeps its end."""
    keeps = PURPOSES[purpose].keeps
    if key["tillit_state"] == "retired" or keeps is None:
        return key | {"tillit_state": "retired"}
    return key | {"tillit_state": "retired", "retire_after": to_text(now + keeps)}


def _pem(private_key: PrivateKey) -> bytes:
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    # Each version is a new file moved into place, so the inode changes even within one tick of the clock.
    return status.st_ino, status.st_mtime_ns, status.st_size


def _write_durably(path: Path, data: bytes) -> None:
    """Replace a file as a whole: after a crash it is the old one or the new one."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_private(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        right = "0700" if path.is_dir() else "0600"
        raise ConfigurationError(f"{path} can be read by others. Set its mode to {right}.")

"""Keys the bridge verifies and signs with: public ones by file or URL, its own by file.

A key ring's files are read as they lie: `<purpose>.json` is a JWKS whose entries also say their state.
"""

import asyncio
import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization

from sidecar.domain import clock
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import JwkSet, LocalSigningKey, local_signing_key

log = logging.getLogger(__name__)

_FETCH_TIMEOUT_S = 3.0
_FETCH_AT_MOST_EVERY_S = 5.0
_MAX_DOCUMENT_BYTES = 256 * 1024


class KeySource:
    """A JWKS behind a path or a URL, read again when a key is asked for that it does not have."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._remote = location.startswith(("http://", "https://"))
        self._set = JwkSet(())
        self._stamp: tuple[int, int, int] | None = None
        self._fetched_at = float("-inf")

    async def current(self, kid: str) -> JwkSet:
        """Return the set, refreshed if it lacks this kid. A set that cannot be read leaves the old one."""
        try:
            if self._remote:
                if kid not in self._set.kids:
                    await self._fetch()
            else:
                self._read()
        except (OSError, ValueError, ConfigurationError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the public keys could not be read", extra={"error": type(error).__name__})
        return self._set

    def _read(self) -> None:
        path = Path(self._location)
        status = path.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._set = read_key_set(path.read_bytes(), clock.utc_now())
            self._stamp = stamp

    async def _fetch(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._fetched_at < _FETCH_AT_MOST_EVERY_S:
            return  # a caller that invents kids makes no traffic
        self._fetched_at = now
        timeout = aiohttp.ClientTimeout(total=_FETCH_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(self._location) as answer:
            answer.raise_for_status()
            self._set = read_key_set(await answer.content.read(_MAX_DOCUMENT_BYTES), clock.utc_now())


def read_key_set(document: bytes, now: datetime) -> JwkSet:
    """Return the keys that count: all of a plain JWKS, without the expired ones of a key ring's."""
    keys = json.loads(document).get("keys")
    if not isinstance(keys, list):
        raise ConfigurationError("the key set has no list of keys")
    return JwkSet(key for key in keys if not _is_over(key, now))


def _is_over(key: dict[str, Any], now: datetime) -> bool:
    retire_after = key.get("retire_after")
    return isinstance(retire_after, str) and clock.from_text(retire_after) <= now


class ReportSigner:
    """Signs reports to the web process with the key ring's current control key."""

    def __init__(self, folder: Path, *, issuer: str, audience: str) -> None:
        self._folder = folder
        self._issuer = issuer
        self._audience = audience
        self._kid = ""
        self._signing_key: LocalSigningKey | None = None

    def token_for(self, *, method: str, path: str, body: bytes) -> str:
        """Return the control token for this very request. Raises ConfigurationError without a key."""
        return mint_control_token(
            signing_key=self._current(),
            issuer=self._issuer,
            audience=self._audience,
            method=method,
            path=path,
            body=body,
            now=clock.utc_now(),
        )

    def _current(self) -> LocalSigningKey:
        """Return the key to sign with now; a rotation is noticed because the ring names another."""
        try:
            ring = json.loads((self._folder / "control.json").read_bytes())
            kid = next(str(key["kid"]) for key in ring["keys"] if key["tillit_state"] == "current")
            if self._signing_key is None or kid != self._kid:
                pem = (self._folder / f"control.{kid}.pem").read_bytes()
                private_key: Any = serialization.load_pem_private_key(pem, password=None)
                self._signing_key, self._kid = local_signing_key("ES256", private_key), kid
        except (OSError, ValueError, KeyError, StopIteration) as error:
            raise ConfigurationError("the control key cannot be read") from error
        return self._signing_key


class PemSigner:
    """Signs reports with a key of the process's own, in one PEM file. Raises ConfigurationError where that is none."""

    def __init__(self, path: Path, *, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        try:
            private_key: Any = serialization.load_pem_private_key(path.read_bytes(), password=None)
            self._signing_key = local_signing_key("ES256", private_key)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{path} holds no private key of P-256 in PEM") from error

    def token_for(self, *, method: str, path: str, body: bytes) -> str:
        """Return the control token for this very request."""
        return mint_control_token(
            signing_key=self._signing_key,
            issuer=self._issuer,
            audience=self._audience,
            method=method,
            path=path,
            body=body,
            now=clock.utc_now(),
        )

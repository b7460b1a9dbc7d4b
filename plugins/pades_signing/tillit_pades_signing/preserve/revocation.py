"""Revocation lists: from files or addresses of the settings, kept for as long as they say."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import requests
from asn1crypto import crl as asn1_crl

_LARGEST_LIST_BYTES = 20 * 1024 * 1024
_KEPT = timedelta(minutes=10)  # a list is asked for anew after this, though it may be good for longer


class RevocationError(Exception):
    """A revocation list cannot be had just now. Without it nothing is preserved."""


class CrlSource:
    """Reads every list of the settings."""

    def __init__(self, places: Sequence[str], *, answer_seconds: float, clock: Callable[[], datetime]) -> None:
        self._places, self._timeout, self._clock = tuple(places), answer_seconds, clock
        self._lock = threading.Lock()
        self._kept: tuple[datetime, list[asn1_crl.CertificateList]] | None = None

    def read(self) -> list[asn1_crl.CertificateList]:
        """Return the lists. Raises RevocationError."""
        with self._lock:
            now = self._clock()
            if self._kept is not None and timedelta(0) <= now - self._kept[0] < _KEPT:
                return self._kept[1]
            lists = [self._load(place) for place in self._places]
            self._kept = (now, lists)
            return lists

    def forget(self) -> None:
        with self._lock:
            self._kept = None

    def _load(self, place: str) -> asn1_crl.CertificateList:
        data = self._fetch(place) if place.startswith(("http://", "https://")) else _read_file(place)
        try:
            found = asn1_crl.CertificateList.load(data, strict=True)
            found["tbs_cert_list"]["this_update"].native  # noqa: B018, read so that a broken one is refused here
        except (ValueError, TypeError) as error:
            raise RevocationError("a revocation list is unreadable") from error
        return found

    def _fetch(self, address: str) -> bytes:
        try:
            with requests.Session() as http:
                http.trust_env = False
                with http.get(address, timeout=self._timeout, allow_redirects=False, stream=True) as response:
                    if response.status_code != 200:
                        raise RevocationError("a revocation list is not there")
                    data = response.raw.read(_LARGEST_LIST_BYTES + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise RevocationError("a revocation list cannot be fetched") from error
        if len(data) > _LARGEST_LIST_BYTES:
            raise RevocationError("a revocation list is too large")
        return bytes(data)


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RevocationError("a revocation list's file cannot be read") from error

"""Ways to answer wrongly on purpose, so that a test sees each of them refused."""

import threading
from typing import Literal, get_args

Fault = Literal[
    "wrong_nonce",
    "missing_nonce",
    "expired",
    "issued_in_future",
    "alg_none",
    "alg_hs256",
    "wrong_key",
    "unknown_kid",
    "no_kid",
    "other_audience",
    "more_audiences",
    "other_azp",
    "other_issuer",
    "old_auth_time",
    "earlier_auth_time",
    "missing_auth_time",
    "one_factor",
    "no_amr",
    "low_acr",
    "wrong_at_hash",
    "access_token_type",
    "empty_name",
    "groups_as_text",
    "no_groups",
    "wrong_response_issuer",
    "no_response_issuer",
    "other_state",
    "token_500",
    "token_slow_body",
    "jwks_500",
    "discovery_other_issuer",
    "discovery_500",
]
FAULTS: frozenset[str] = frozenset(get_args(Fault))


class Faults:
    """The faults switched on, until switched off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: frozenset[str] = frozenset()

    def set(self, names: list[str]) -> None:
        """Switch on exactly these. Raises ValueError for an unknown one."""
        unknown = set(names) - FAULTS
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        with self._lock:
            self._on = frozenset(names)

    def on(self, name: Fault) -> bool:
        with self._lock:
            return name in self._on

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._on)

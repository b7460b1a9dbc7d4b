"""Who may enter and who may command: tokens checked before anything else is looked at."""

import json
from typing import Protocol

from sidecar.bridge.config import BridgeConfig
from sidecar.bridge.grant import Grant
from sidecar.bridge.keys import KeySource
from sidecar.domain import clock
from sidecar.domain.control_tokens import SeenIds, verify_control_token
from sidecar.domain.jws import TokenMalformedError, unb64url
from sidecar.domain.tokens import TokenSpentError, verify_join_token


class CommandGate(Protocol):
    """Checks commands: ControlGate, TokenGate, or a test's own."""

    async def check_command(self, unverified_token: str, *, method: str, path: str, body: bytes) -> None:
        """Return if the control token is for this very request, and spend it. Raises TokenRefusedError."""


class Gate(CommandGate, Protocol):
    """Checks tokens: TokenGate, or a test's own."""

    async def admit(self, unverified_token: str, *, room: str) -> Grant:
        """Return what the join token grants, and spend it. Raises TokenRefusedError."""


class ControlGate:
    """Checks commands to one process. keys: the public keys they are signed with, a file or a URL."""

    def __init__(self, keys: str, *, issuer: str, audience: str) -> None:
        self._keys = KeySource(keys)
        self._issuer = issuer
        self._audience = audience
        self._spent = SeenIds()

    async def check_command(self, unverified_token: str, *, method: str, path: str, body: bytes) -> None:
        verify_control_token(
            unverified_token,
            jwks=await self._keys.current(_unverified_kid(unverified_token)),
            expected_issuer=self._issuer,
            expected_audience=self._audience,
            method=method,
            path=path,
            body=body,
            now=clock.utc_now(),
            seen=self._spent,
        )


class TokenGate:
    """The real gate. Spent token ids are remembered for as long as their tokens would be taken."""

    def __init__(self, config: BridgeConfig) -> None:
        self._config = config
        self._join_keys = KeySource(config.join_keys)
        self._control = ControlGate(config.control_keys, issuer=config.control_issuer, audience=config.audience)
        self._spent_joins = SeenIds()

    async def admit(self, unverified_token: str, *, room: str) -> Grant:
        now = clock.utc_now()
        join = verify_join_token(
            unverified_token,
            jwks=await self._join_keys.current(_unverified_kid(unverified_token)),
            algorithm=self._config.join_algorithm,
            expected_issuer=self._config.join_issuer,
            expected_audience=self._config.join_audience,
            expected_room=room,
            now=now,
        )
        if not self._spent_joins.spend(join.claims.jti, until=join.forget_after, now=now):
            raise TokenSpentError
        return Grant(join.claims.user_id, join.claims.permissions, join.claims.session_until)

    async def check_command(self, unverified_token: str, *, method: str, path: str, body: bytes) -> None:
        await self._control.check_command(unverified_token, method=method, path=path, body=body)


def _unverified_kid(unverified_token: str) -> str:
    """Return the kid the token names, only to know whether our keys are stale."""
    try:
        header = json.loads(unb64url(unverified_token[:4096].partition(".")[0]))
    except (ValueError, RecursionError, TokenMalformedError):
        return ""
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else ""

"""Who may report what happened to media: each media side under its own name, with its own key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sidecar.domain.control_tokens import SpentIds, verify_control_token
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import JwkSet, TokenBadSignatureError, TokenRefusedError, public_jwk_of
from sidecar.domain.tokens import TokenWrongIssuerError

_END = b"-----END PUBLIC KEY-----"


@dataclass(frozen=True)
class Reporter:
    """One media side. shard: its id, "" without shards. name: the `iss` of its tokens.

    kind: "bridge", "jitsi", or "recorder" for the one beside a Jitsi, which tells of recordings alone.
    """

    shard: str
    kind: str
    name: str
    jwks: Callable[[], JwkSet]


def read_reporter_keys(path: Path) -> JwkSet:
    """Return the public keys of a PEM file: P-256, as mod_tillit_events signs with; two while one replaces the other.

    Raises ConfigurationError.
    """
    try:
        blocks = [block + _END for block in path.read_bytes().split(_END)[:-1]]
        keys: list[Any] = [load_pem_public_key(block) for block in blocks]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} holds no public key in PEM.") from error
    if not keys:
        raise ConfigurationError(f"{path} holds no public key in PEM.")
    for key in keys:
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ConfigurationError(f"{path} holds another key than one of P-256.")
    return JwkSet([public_jwk_of("ES256", key) for key in keys])


class Reporters:
    """Tells whose report a request is. audience: our name in their tokens. seen: tokens that every process has seen."""

    def __init__(
        self, reporters: Sequence[Reporter], *, audience: str, clock: Callable[[], datetime], seen: SpentIds
    ) -> None:
        self._reporters = reporters
        self._audience = audience
        self._clock = clock
        self._seen = seen

    def verify(self, *, unverified_token: str, method: str, path: str, body: bytes) -> Reporter:
        """Return the media side that sent this very request, once. Raises TokenRefusedError."""
        refused: TokenRefusedError = TokenBadSignatureError()
        for reporter in self._reporters:
            try:
                verify_control_token(
                    unverified_token,
                    jwks=reporter.jwks(),
                    expected_issuer=reporter.name,
                    expected_audience=self._audience,
                    method=method,
                    path=path,
                    body=body,
                    now=self._clock(),
                    seen=self._seen,
                )
            except (TokenBadSignatureError, TokenWrongIssuerError) as error:
                refused = error  # another's key, or one key for several bridges of ours: the name decides
                continue
            return reporter
        raise refused

"""The table [plugins.staff_oidc], checked: an unknown or impossible key stops the start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sidecar.plugin_api import ConfigurationError

ALGORITHMS = ("ES256", "PS256", "RS256")
STRONG_METHODS = ("hwk", "swk", "sc", "pop", "mca")  # keys, smart cards and a second channel: RFC 8176
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

ClientKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Value = TypeVar("Value", str, bool, int)


@dataclass(frozen=True)
class Demand:
    """What one purpose asks of the sign-in.

    acr_values: asked for, and the only ones accepted. acr_is_enough: accept a token without amr, for a
    provider that cannot send it. max_age: how old the sign-in may be. strong_methods: one of these amr values
    must be there; empty asks for none. fresh: ask the provider to sign the person in anew.
    """

    acr_values: tuple[str, ...]
    acr_is_enough: bool
    max_age: timedelta
    strong_methods: frozenset[str]
    fresh: bool


@dataclass(frozen=True)
class OidcSettings:
    """Everything the sign-in needs to know. Exactly one of client_key and client_secret is set."""

    issuer: str
    client_id: str
    client_key: ClientKey | None
    client_secret: str | None
    key_id: str
    assertion_audience: Literal["issuer", "token_endpoint"]
    algorithms: tuple[str, ...]
    scopes: tuple[str, ...]
    hosts: frozenset[str]
    ca_file: str | None
    acr_claim: str
    name_claim: str
    groups_claim: str
    title_claim: str
    office_claim: str
    clock_skew: timedelta
    demands: Mapping[str, Demand]


def read_settings(table: Mapping[str, Any]) -> OidcSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    reader = _Reader(table, "plugins.staff_oidc")
    issuer = reader.text("issuer")
    if not is_safe_url(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise reader.wrong("issuer", "must be an https address (plain http only on this computer)")
    key_file, secret_file = reader.text("key_file", ""), reader.text("client_secret_file", "")
    if bool(key_file) == bool(secret_file):
        raise reader.wrong("key_file", "give either key_file (private_key_jwt) or client_secret_file")
    audience = reader.text("assertion_audience", "issuer")
    if audience not in ("issuer", "token_endpoint"):
        raise reader.wrong("assertion_audience", 'is "issuer" or "token_endpoint"')
    settings = OidcSettings(
        issuer=issuer,
        client_id=reader.text("client_id"),
        client_key=_client_key(reader, key_file) if key_file else None,
        client_secret=_secret(reader, secret_file) if secret_file else None,
        key_id=reader.text("key_id", ""),
        assertion_audience="issuer" if audience == "issuer" else "token_endpoint",
        algorithms=reader.texts("algorithms", ALGORITHMS, among=ALGORITHMS),
        scopes=reader.texts("scopes", ("openid", "profile")),
        hosts=frozenset({urlsplit(issuer).hostname or "", *reader.texts("extra_hosts", ())}),
        ca_file=reader.text("ca_file", "") or None,
        acr_claim=reader.text("acr_claim", "acr"),
        name_claim=reader.text("name_claim", "name"),
        groups_claim=reader.text("groups_claim", "groups"),
        title_claim=reader.text("title_claim", ""),
        office_claim=reader.text("office_claim", ""),
        clock_skew=timedelta(seconds=reader.number("clock_skew_seconds", 10, most=60)),
        demands={"desk": _desk(reader.table("desk")), "call": _call(reader.table("call"))},
    )
    if "openid" not in settings.scopes:
        raise reader.wrong("scopes", "must hold openid")
    reader.finish()
    return settings


def is_safe_url(url: str) -> bool:
    """Return whether an address is https, or http to this very computer. Never with a user name in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    local = host in _LOOPBACK or host.endswith(".localhost")
    return bool(host) and "@" not in parts.netloc and (parts.scheme == "https" or (parts.scheme == "http" and local))


def _desk(reader: "_Reader") -> Demand:
    demand = Demand(
        acr_values=reader.texts("acr_values"),
        acr_is_enough=reader.flag("acr_is_enough", False),
        max_age=timedelta(seconds=reader.number("max_age_seconds", 8 * 3600, most=24 * 3600)),
        strong_methods=frozenset(reader.texts("strong_methods", ())),
        fresh=False,
    )
    reader.finish()
    return demand


def _call(reader: "_Reader") -> Demand:
    demand = Demand(
        acr_values=reader.texts("acr_values"),
        acr_is_enough=reader.flag("acr_is_enough", False),
        max_age=timedelta(seconds=reader.number("fresh_seconds", 60, most=300)),
        strong_methods=frozenset(reader.texts("strong_methods", STRONG_METHODS)),
        fresh=True,
    )
    if not demand.strong_methods:
        raise reader.wrong("strong_methods", "cannot be empty: a call asks for a security key or a phone")
    reader.finish()
    return demand


def _client_key(reader: "_Reader", path: str) -> ClientKey:
    try:
        key = load_pem_private_key(Path(path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise reader.wrong("key_file", "cannot be read as a PEM private key") from error
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return key
    raise reader.wrong("key_file", "must hold a P-256 key, or an RSA key of at least 2048 bits")


def _secret(reader: "_Reader", path: str) -> str:
    try:
        secret = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise reader.wrong("client_secret_file", "cannot be read") from error
    if len(secret) < 16:
        raise reader.wrong("client_secret_file", "must hold at least 16 signs")
    return secret


class _Reader:
    """Takes keys out of a table one by one; what is left over in the end is unknown."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._left = dict(table)
        self._where = where

    def wrong(self, key: str, rule: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}.{key} {rule}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default, str)
        if default is None and not value.strip():
            raise self.wrong(key, "cannot be empty")
        return value

    def flag(self, key: str, default: bool) -> bool:
        return self._take(key, default, bool)

    def number(self, key: str, default: int, *, most: int) -> int:
        value = self._take(key, default, int)
        if isinstance(value, bool) or not 0 <= value <= most:
            raise self.wrong(key, f"must lie between 0 and {most}")
        return value

    def texts(
        self, key: str, default: tuple[str, ...] | None = None, *, among: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        value = self._left.pop(key, default)
        if value is None or (default is None and not value):
            raise self.wrong(key, "is missing")
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, "must be a list of texts")
        if among and (not value or set(value) - set(among)):
            raise self.wrong(key, f"must be some of {', '.join(among)}")
        return tuple(value)

    def table(self, key: str) -> "_Reader":
        value = self._left.pop(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, "must be a table")
        return _Reader(value, f"{self._where}.{key}")

    def finish(self) -> None:
        if self._left:
            raise ConfigurationError(f"{self._where} has unknown keys: {', '.join(sorted(self._left))}")

    def _take(self, key: str, default: Value | None, kind: type[Value]) -> Value:
        value = self._left.pop(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, kind):
            raise self.wrong(key, f"must be of type {kind.__name__}")
        return value

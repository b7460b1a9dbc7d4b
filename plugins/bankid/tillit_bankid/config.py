"""The settings of [plugins.bankid], checked when the plugin is loaded."""

import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from sidecar.plugin_api import ConfigurationError

# BankID on file, on card, in the mobile app, and Nordea's own card.
PRODUCTION_POLICIES = ("1.2.752.78.1.1", "1.2.752.78.1.2", "1.2.752.78.1.5", "1.2.752.71.1.3")
SHORTEST_COLLECT_SECONDS = 2.0  # BankID's rule: no more often than every other second

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*)){2,}")


@dataclass(frozen=True)
class BankIdSettings:
    """url: the API up to and with the version, ending in a slash. client_cert, client_key: our relying-party
    certificate and its key, PEM files, the key unencrypted and not readable by everybody. ca_file: BankID's
    own root for TLS, and nothing else is trusted. signature_root_file: the root(s) of people's BankIDs.

    policy_oids: kinds of BankID accepted, asked of BankID and checked in the certificate.
    app_link: opens the app on the same device; None means BankID's own links.
    require_same_ip: refuse, rather than note, a same-device sign-in whose app has another address.
    """

    url: str
    client_cert: Path
    client_key: Path
    ca_file: Path
    signature_root_file: Path
    policy_oids: tuple[str, ...] = PRODUCTION_POLICIES
    collect_seconds: float = SHORTEST_COLLECT_SECONDS
    connect_seconds: float = 5.0
    answer_seconds: float = 10.0
    clock_tolerance_seconds: float = 300.0
    app_link: str | None = None
    require_same_ip: bool = False

    @property
    def collect_interval(self) -> timedelta:
        return timedelta(seconds=self.collect_seconds)

    @property
    def clock_tolerance(self) -> timedelta:
        return timedelta(seconds=self.clock_tolerance_seconds)


def read_settings(table: Mapping[str, Any]) -> BankIdSettings:
    """Return the checked settings. Raises ConfigurationError, which names the key and the rule."""
    known = {field.name for field in fields(BankIdSettings)}
    for key in table:
        if key not in known:
            raise _wrong(key, "is not a setting of this plugin")
    client_cert, client_key = _file(table, "client_cert"), _file(table, "client_key")
    ca_file = _file(table, "ca_file")
    _check_keys(client_cert, client_key, ca_file)
    settings = BankIdSettings(
        url=_api_url(table),
        client_cert=client_cert,
        client_key=client_key,
        ca_file=ca_file,
        signature_root_file=_file(table, "signature_root_file"),
        policy_oids=_oids(table),
        collect_seconds=_seconds(table, "collect_seconds", least=SHORTEST_COLLECT_SECONDS),
        connect_seconds=_seconds(table, "connect_seconds", least=0.1),
        answer_seconds=_seconds(table, "answer_seconds", least=0.1),
        clock_tolerance_seconds=_seconds(table, "clock_tolerance_seconds", least=1.0),
        app_link=_app_link(table),
        require_same_ip=_flag(table, "require_same_ip"),
    )
    load_roots(settings.signature_root_file)
    return settings


def load_roots(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the pinned roots of people's certificates. Raises ConfigurationError."""
    try:
        roots = tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except ValueError as error:
        raise _wrong("signature_root_file", "must hold PEM certificates") from error
    for root in roots:
        if root.subject != root.issuer:
            raise _wrong("signature_root_file", "must hold self-signed roots only")
    return roots


def _wrong(key: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"[plugins.bankid] {key} {rule}")


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(key, "must be given, as text")
    return value


def _file(table: Mapping[str, Any], key: str) -> Path:
    path = Path(_text(table, key))
    if not path.is_file():
        raise _wrong(key, f"names no file: {path}")
    return path


def _api_url(table: Mapping[str, Any]) -> str:
    url = _text(table, "url")
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise _wrong("url", "must begin with https:// and name a host")
    return url.rstrip("/") + "/"


def _app_link(table: Mapping[str, Any]) -> str | None:
    if "app_link" not in table:
        return None
    link = _text(table, "app_link")
    if urlsplit(link).scheme not in ("https", "http", "bankid") or "?" in link or "#" in link:
        raise _wrong("app_link", "must be an https, http or bankid link without query")
    return link


def _seconds(table: Mapping[str, Any], key: str, *, least: float) -> float:
    value = table.get(key, getattr(BankIdSettings, key))
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 3600:
        raise _wrong(key, f"must be a number from {least} to 3600")
    return float(value)


def _flag(table: Mapping[str, Any], key: str) -> bool:
    value = table.get(key, getattr(BankIdSettings, key))
    if not isinstance(value, bool):
        raise _wrong(key, "must be true or false")
    return value


def _oids(table: Mapping[str, Any]) -> tuple[str, ...]:
    value = table.get("policy_oids", PRODUCTION_POLICIES)
    if not isinstance(value, list | tuple) or not value:
        raise _wrong("policy_oids", "must be a list of at least one policy")
    for oid in value:
        # No "*": what we accept is written out, so that the check of the certificate is an equality.
        if not isinstance(oid, str) or not _OID.fullmatch(oid):
            raise _wrong("policy_oids", f"holds something that is no object identifier: {oid!r}")
    return tuple(value)


def _check_keys(client_cert: Path, client_key: Path, ca_file: Path) -> None:
    if stat.S_IMODE(client_key.stat().st_mode) & stat.S_IRWXO:
        raise _wrong("client_key", "may not be readable by everybody (chmod 600)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise _wrong("ca_file", "must hold PEM certificates") from error
    try:
        # The password call-back keeps OpenSSL from asking at the terminal, which would hang the start.
        context.load_cert_chain(client_cert, client_key, password=_refuse_password)
    except (ssl.SSLError, OSError) as error:
        raise _wrong("client_key", "must be PEM, unencrypted, and the key of client_cert") from error


def _refuse_password() -> str:
    raise _wrong("client_key", "must be unencrypted; keep it safe by the rights of its file")

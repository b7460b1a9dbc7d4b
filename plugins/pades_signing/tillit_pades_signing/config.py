"""The settings of [plugins.pades_signing], checked when the plugin is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.plugin_api import ConfigurationError


@dataclass(frozen=True)
class SigningSettings:
    """seal_certificate: PEM, the bank's sealing certificate and its issuers, without the root.

    seal_key: its key, PEM, in a file only the service reads; or, instead, pkcs11_module, pkcs11_token,
    pkcs11_label and pkcs11_pin_file for a key in a device. roots: PEM, the roots that seals and time-stamps are
    checked against. tsa_url: the RFC 3161 time-stamp authority; without one, files stay at PAdES B-B.
    crls: files or http addresses of revocation lists, fetched when a file is preserved. ocsp: what the addresses of
    OCSP responders begin with that may be asked, where a certificate names one. renew_before: days before a
    time-stamp's certificate ends when a new one is put around it. deadline: hours a signing stays open
    where nobody says.
    """

    seal_certificate: Path
    seal_key: Path | None = None
    pkcs11_module: Path | None = None
    pkcs11_token: str = ""
    pkcs11_label: str = ""
    pkcs11_pin_file: Path | None = None
    roots: Path | None = None
    tsa_url: str = ""
    crls: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    answer_seconds: float = 10.0
    renew_before_days: int = 90
    deadline_hours: float = 24.0
    largest_document_bytes: int = 50 * 1024 * 1024

    @property
    def deadline(self) -> timedelta:
        return timedelta(hours=self.deadline_hours)

    @property
    def renew_before(self) -> timedelta:
        return timedelta(days=self.renew_before_days)


def read_settings(table: Mapping[str, Any]) -> SigningSettings:
    """Return the checked settings. Raises ConfigurationError, which names the key and the rule."""
    known = {field.name for field in fields(SigningSettings)}
    for key in table:
        if key not in known:
            raise _wrong(key, "is not a setting of this plugin")
    device = _optional_file(table, "pkcs11_module")
    key_file = _optional_file(table, "seal_key")
    if (device is None) == (key_file is None):
        raise _wrong("seal_key", "or pkcs11_module must be given, one of the two")
    certificate = _optional_file(table, "seal_certificate")
    if certificate is None:
        raise _wrong("seal_certificate", "must be given")
    tsa_url = str(table.get("tsa_url", ""))
    roots = _optional_file(table, "roots")
    if tsa_url and (urlsplit(tsa_url).scheme not in ("http", "https") or roots is None):
        raise _wrong("tsa_url", "must be an http or https address, and goes with roots")
    crls = table.get("crls", ())
    if not isinstance(crls, list | tuple) or not all(isinstance(each, str) and each for each in crls):
        raise _wrong("crls", "must be a list of files or addresses")
    responders = table.get("ocsp", ())
    if not isinstance(responders, list | tuple) or not all(_is_address(each) for each in responders):
        raise _wrong("ocsp", "must be a list of http or https addresses")
    return SigningSettings(
        seal_certificate=certificate,
        seal_key=key_file,
        pkcs11_module=device,
        pkcs11_token=str(table.get("pkcs11_token", "")),
        pkcs11_label=str(table.get("pkcs11_label", "")),
        pkcs11_pin_file=_optional_file(table, "pkcs11_pin_file") if device is None else _file(table, "pkcs11_pin_file"),
        roots=roots,
        tsa_url=tsa_url,
        crls=tuple(crls),
        ocsp=tuple(responders),
        answer_seconds=_number(table, "answer_seconds", least=0.1, most=120),
        renew_before_days=int(_number(table, "renew_before_days", least=1, most=3650)),
        deadline_hours=_number(table, "deadline_hours", least=0.1, most=24 * 365),
        largest_document_bytes=int(_number(table, "largest_document_bytes", least=1024, most=200 * 1024 * 1024)),
    )


def _wrong(key: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"[plugins.pades_signing] {key} {rule}")


def _is_address(value: object) -> bool:
    """Whether it names a host to its end: "http://ocsp.ca" would let "http://ocsp.ca.evil.example" in as well."""
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path.startswith("/")


def _optional_file(table: Mapping[str, Any], key: str) -> Path | None:
    return _file(table, key) if key in table else None


def _file(table: Mapping[str, Any], key: str) -> Path:
    value = table.get(key)
    if not isinstance(value, str) or not Path(value).is_file():
        raise _wrong(key, f"names no file: {value}")
    return Path(value)


def _number(table: Mapping[str, Any], key: str, *, least: float, most: float) -> float:
    value = table.get(key, getattr(SigningSettings, key))
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _wrong(key, f"must be a number from {least:g} to {most:g}")
    return float(value)

"""The table [plugins.notify_smtp], checked: an unknown or impossible key stops the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidecar.plugin_api import ConfigurationError

SECURITY = ("starttls", "tls", "none")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DEFAULTS: Mapping[str, Any] = {
    "port": 587,
    "security": "starttls",
    "ca_file": "",
    "user": "",
    "password_file": "",
    "reply_to": "",
    "timeout_seconds": 15,
}
_REQUIRED = ("host", "sender_address")


@dataclass(frozen=True)
class SmtpSettings:
    """security: "starttls" and "tls" verify the certificate and never fall back; "none" only to this computer."""

    host: str
    port: int
    security: str
    ca_file: str | None
    user: str
    password: str = field(repr=False)
    sender_address: str
    reply_to: str
    timeout_seconds: int


def read_settings(table: Mapping[str, Any]) -> SmtpSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    unknown = set(table) - {*_DEFAULTS, *_REQUIRED}
    if unknown:
        raise ConfigurationError(f"plugins.notify_smtp has unknown keys: {', '.join(sorted(unknown))}")
    for key in _REQUIRED:
        if not table.get(key):
            raise _wrong(key, "is missing")
    values = {**_DEFAULTS, **table}
    for key in ("host", "security", "ca_file", "user", "password_file", "sender_address", "reply_to"):
        if not isinstance(values[key], str):
            raise _wrong(key, "must be a text")
    for key, most in (("port", 65535), ("timeout_seconds", 120)):
        if type(values[key]) is not int or not 1 <= values[key] <= most:
            raise _wrong(key, f"must lie between 1 and {most}")
    if values["security"] not in SECURITY:
        raise _wrong("security", f"must be one of {', '.join(SECURITY)}")
    if values["security"] == "none" and values["host"] not in LOOPBACK:
        raise _wrong("security", 'can be "none" only to this computer')
    if values["security"] == "none" and values["user"]:
        raise _wrong("user", "cannot be sent without encryption")
    if bool(values["user"]) != bool(values["password_file"]):
        raise _wrong("user", "and password_file come together")
    for key in ("sender_address", "reply_to"):
        if values[key] and (
            values[key].count("@") != 1 or not values[key].isascii() or set(values[key]) & set(" <>\r\n,;")
        ):
            raise _wrong(key, "must be one bare e-mail address")
    return SmtpSettings(
        host=values["host"],
        port=values["port"],
        security=values["security"],
        ca_file=values["ca_file"] or None,
        user=values["user"],
        password=_password(values["password_file"]),
        sender_address=values["sender_address"],
        reply_to=values["reply_to"],
        timeout_seconds=values["timeout_seconds"],
    )


def _password(path: str) -> str:
    if not path:
        return ""
    try:
        password = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong("password_file", "cannot be read") from error
    if not password:
        raise _wrong("password_file", "is empty")
    return password


def _wrong(key: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"plugins.notify_smtp.{key} {rule}")

"""The table [plugins.notify_sms], checked: an unknown or impossible key stops the start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.plugin_api import ConfigurationError

_DEFAULTS: Mapping[str, Any] = {"sender": "", "ca_file": "", "timeout_seconds": 10, "most_parts": 6}
_REQUIRED = ("url", "token_file")


@dataclass(frozen=True)
class SmsSettings:
    """sender: what the telephone shows, 1 to 11 letters, digits and spaces, or a number; empty takes the
    message's sender name, cut to fit. most_parts: a longer text is refused rather than sent in pieces."""

    url: str
    token: str = field(repr=False)
    sender: str
    ca_file: str | None
    timeout_seconds: int
    most_parts: int


def read_settings(table: Mapping[str, Any]) -> SmsSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    unknown = set(table) - {*_DEFAULTS, *_REQUIRED}
    if unknown:
        raise ConfigurationError(f"plugins.notify_sms has unknown keys: {', '.join(sorted(unknown))}")
    values = {**_DEFAULTS, **table}
    for key in (*_REQUIRED, "sender", "ca_file"):
        if not isinstance(values.get(key), str) or (key in _REQUIRED and not values[key]):
            raise _wrong(key, "must be a text")
    for key, most in (("timeout_seconds", 60), ("most_parts", 10)):
        if type(values[key]) is not int or not 1 <= values[key] <= most:
            raise _wrong(key, f"must lie between 1 and {most}")
    if not is_safe_url(values["url"]):
        raise _wrong("url", "must be an https address (plain http only on this computer)")
    if values["sender"] and not re.fullmatch(r"[A-Za-z0-9 ]{1,11}|\+[1-9]\d{7,14}", values["sender"]):
        raise _wrong("sender", "must be 1 to 11 letters, digits and spaces, or a number like +46701234567")
    return SmsSettings(
        url=values["url"],
        token=_token(values["token_file"]),
        sender=values["sender"],
        ca_file=values["ca_file"] or None,
        timeout_seconds=values["timeout_seconds"],
        most_parts=values["most_parts"],
    )


def is_safe_url(url: str) -> bool:
    """Return whether an address is https, or http to this very computer. Never with a user name in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    local = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
    scheme_fits = parts.scheme == "https" or (parts.scheme == "http" and local)
    return bool(host) and scheme_fits and "@" not in parts.netloc


def _token(path: str) -> str:
    try:
        token = Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong("token_file", "cannot be read") from error
    if len(token) < 16 or not re.fullmatch(r"[!-~]+", token):
        raise _wrong("token_file", "must hold a token of at least 16 signs")
    return token


def _wrong(key: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"plugins.notify_sms.{key} {rule}")

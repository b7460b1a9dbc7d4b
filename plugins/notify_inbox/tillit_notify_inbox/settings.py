"""The table [plugins.notify_inbox], checked: an unknown or impossible key stops the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.plugin_api import ConfigurationError

_DEFAULTS: Mapping[str, Any] = {"ca_file": "", "timeout_seconds": 10}
_REQUIRED = ("url", "key_file")
_LEAST_KEY_BYTES = 32  # as long as the HMAC's output: RFC 2104 section 3


@dataclass(frozen=True)
class InboxSettings:
    """url: the bank's own service. signing_key: shared with it, signs each call."""

    url: str
    signing_key: bytes = field(repr=False)
    ca_file: str | None
    timeout_seconds: int


def read_settings(table: Mapping[str, Any]) -> InboxSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    unknown = set(table) - {*_DEFAULTS, *_REQUIRED}
    if unknown:
        raise ConfigurationError(f"plugins.notify_inbox has unknown keys: {', '.join(sorted(unknown))}")
    values = {**_DEFAULTS, **table}
    for key in (*_REQUIRED, "ca_file"):
        if not isinstance(values.get(key), str) or (key in _REQUIRED and not values[key]):
            raise _wrong(key, "must be a text")
    if type(values["timeout_seconds"]) is not int or not 1 <= values["timeout_seconds"] <= 60:
        raise _wrong("timeout_seconds", "must lie between 1 and 60")
    if not is_safe_url(values["url"]):
        raise _wrong("url", "must be an https address (plain http only on this computer)")
    return InboxSettings(
        url=values["url"],
        signing_key=_signing_key(values["key_file"]),
        ca_file=values["ca_file"] or None,
        timeout_seconds=values["timeout_seconds"],
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


def _signing_key(path: str) -> bytes:
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise _wrong("key_file", "cannot be read") from error
    if len(key) < _LEAST_KEY_BYTES:
        raise _wrong("key_file", f"must hold at least {_LEAST_KEY_BYTES} bytes")
    return key


def _wrong(key: str, rule: str) -> ConfigurationError:
    return ConfigurationError(f"plugins.notify_inbox.{key} {rule}")

"""The table [plugins.forms], checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidecar.plugin_api import ConfigurationError

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_KEYS = frozenset(
    {"templates_folder", "font_folder", "frame_origins", "published", "receivers", "attempts", "sign_days"}
)
_RECEIVER_KEYS = frozenset({"url", "secret_file", "regions", "timeout_seconds"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
LEAST_SECRET = 24  # bytes: below that an HMAC key is a password


@dataclass(frozen=True)
class Receiver:
    """A system that may be told. regions: whose meetings' data may go there; empty for every region.

    secret: the key of the signature, from its file. timeout: seconds for an answer.
    """

    name: str
    url: str
    secret: bytes = field(repr=False)
    regions: frozenset[str] = frozenset()
    timeout: float = 10.0


@dataclass(frozen=True)
class FormsSettings:
    """published: names of the forms that stand on a public page. frame_origins: whose pages may show those in a frame.

    attempts: deliveries before it is given up. sign_days: how long a form waits for its signatures.
    """

    templates_folder: Path | None = None
    font_folder: Path | None = None
    frame_origins: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    attempts: int = 12
    sign_days: int = 14


def read_settings(table: Mapping[str, Any]) -> FormsSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    for key in sorted(set(table) - _KEYS):
        raise ConfigurationError(f"plugins.forms has the unknown key {key}")
    receivers = table.get("receivers", {})
    if not isinstance(receivers, Mapping):
        raise ConfigurationError("plugins.forms.receivers is a table of tables")
    return FormsSettings(
        templates_folder=_folder(table, "templates_folder"),
        font_folder=_folder(table, "font_folder"),
        frame_origins=tuple(_origin(each) for each in _texts(table, "frame_origins")),
        published=_texts(table, "published"),
        receivers={name: _receiver(name, each) for name, each in receivers.items()},
        attempts=_number(table, "attempts", 12, 1, 40),
        sign_days=_number(table, "sign_days", 14, 1, 180),
    )


def _receiver(name: str, table: object) -> Receiver:
    where = f"plugins.forms.receivers.{name}"
    if not _NAME.match(name) or not isinstance(table, Mapping):
        raise ConfigurationError(f"{where}: a receiver has a name of small letters and a table")
    for key in sorted(set(table) - _RECEIVER_KEYS):
        raise ConfigurationError(f"{where} has the unknown key {key}")
    url, file = table.get("url"), table.get("secret_file")
    if not isinstance(url, str) or not isinstance(file, str):
        raise ConfigurationError(f"{where} needs url and secret_file")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise ConfigurationError(f"{where}.url must begin with https:// (http only to this machine)")
    if not parts.hostname or parts.username or parts.fragment:
        raise ConfigurationError(f"{where}.url is an address without user or fragment")
    try:
        secret = Path(file).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{where}.secret_file cannot be read") from error
    if len(secret) < LEAST_SECRET:
        raise ConfigurationError(f"{where}.secret_file holds fewer than {LEAST_SECRET} bytes")
    regions = table.get("regions", [])
    if not isinstance(regions, list | tuple) or not all(isinstance(each, str) for each in regions):
        raise ConfigurationError(f"{where}.regions is a list of texts")
    timeout = table.get("timeout_seconds", 10)
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout <= 60:
        raise ConfigurationError(f"{where}.timeout_seconds lies between 0 and 60")
    return Receiver(name, url, secret, frozenset(regions), float(timeout))


def _folder(table: Mapping[str, Any], key: str) -> Path | None:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"plugins.forms.{key} is a path")
    if not value:
        return None
    if not Path(value).is_dir():
        raise ConfigurationError(f"plugins.forms.{key} is no folder")
    return Path(value)


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, ())
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ConfigurationError(f"plugins.forms.{key} is a list of texts")
    return tuple(value)


def _origin(text: str) -> str:
    """Accept an exact origin and nothing wider: a frame of ours in a stranger's page asks people to sign there."""
    if not _ORIGIN.match(text):
        raise ConfigurationError("plugins.forms.frame_origins holds origins like https://www.bank.example, exactly")
    if text.startswith("http:") and urlsplit(text).hostname not in _LOCAL:
        raise ConfigurationError("plugins.forms.frame_origins must begin with https:// (http only on this machine)")
    return text


def _number(table: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    value = table.get(key, default)
    if type(value) is not int or not low <= value <= high:
        raise ConfigurationError(f"plugins.forms.{key} must lie between {low} and {high}")
    return value

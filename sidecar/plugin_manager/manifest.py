"""What a plugin says of itself before any of its code runs: its manifest.toml, read as a closed form."""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sidecar.domain.errors import ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*\Z")
_HOST_SETTING = re.compile(r"setting:[a-z][a-z0-9_]{0,39}\Z")  # the bank names it in that key of the plugin's table
_PLACES = ("in-region", "outside")


@dataclass(frozen=True)
class DataUse:
    """One kind of data the plugin touches, and why it must."""

    what: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """A plugin's own declaration. Its reviewer approves this together with the code.

    api_version: of sidecar.plugin_api it was written for. data_goes: "in-region" or "outside". hosts: all it
    calls, "setting:<key>" where the bank names it. permissions, audit_kinds: those it adds, "<plugin>.<name>".
    """

    name: str
    version: str
    publisher: str
    api_version: int
    purpose: str
    data: tuple[DataUse, ...]
    data_goes: str
    hosts: tuple[str, ...]
    permissions: tuple[str, ...]
    audit_kinds: tuple[str, ...]


def read_manifest(path: Path, *, name: str) -> Manifest:
    """Return the manifest of the plugin of that name. Raises ConfigurationError naming plugin and key."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"Plugin {name} has no manifest.toml in its package.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Plugin {name}: its manifest.toml is not TOML.") from error
    known = {each.name for each in fields(Manifest)}
    for key in known.symmetric_difference(table):
        problem = "lacks" if key in known else "has the unknown key"
        raise ConfigurationError(f"Plugin {name}: its manifest {problem} {key!r}.")
    manifest = Manifest(
        **{key: _text(table, key, name) for key in ("name", "version", "publisher", "purpose", "data_goes")},
        api_version=_version(table, name),
        data=tuple(_data_use(each, name) for each in _list(table, "data", dict, name)),
        hosts=tuple(_list(table, "hosts", str, name)),
        permissions=tuple(_list(table, "permissions", str, name)),
        audit_kinds=tuple(_list(table, "audit_kinds", str, name)),
    )
    _check(manifest, name)
    return manifest


def _check(manifest: Manifest, name: str) -> None:
    if manifest.name != name or not _NAME.match(name):
        raise ConfigurationError(f"Plugin {name}: its manifest says it is {manifest.name!r}.")
    if manifest.data_goes not in _PLACES:
        raise ConfigurationError(f"Plugin {name}: data_goes is one of {', '.join(_PLACES)}.")
    for host in manifest.hosts:
        if not _HOST.match(host) and not _HOST_SETTING.match(host):
            raise ConfigurationError(f"Plugin {name}: {host!r} is not the name of a host.")
    own = re.compile(rf"{name}\.[a-z][a-z0-9_.]{{0,63}}\Z")
    for each in (*manifest.permissions, *manifest.audit_kinds):
        if not own.match(each):
            raise ConfigurationError(f"Plugin {name}: {each!r} must begin with {name!r} and a dot.")


def _text(table: dict[str, Any], key: str, name: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"Plugin {name}: {key} in its manifest is a text.")
    return value


def _version(table: dict[str, Any], name: str) -> int:
    value = table["api_version"]
    if type(value) is not int:
        raise ConfigurationError(f"Plugin {name}: api_version in its manifest is a whole number.")
    return value


def _list(table: dict[str, Any], key: str, kind: type, name: str) -> list[Any]:
    value = table[key]
    if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
        raise ConfigurationError(f"Plugin {name}: {key} in its manifest is a list.")
    return value


def _data_use(table: dict[str, Any], name: str) -> DataUse:
    if set(table) != {"what", "why"}:
        raise ConfigurationError(f"Plugin {name}: each [[data]] in its manifest says what and why.")
    return DataUse(what=_text(table, "what", name), why=_text(table, "why", name))

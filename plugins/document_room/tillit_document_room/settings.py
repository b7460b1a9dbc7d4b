"""The table [plugins.document_room], checked."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sidecar.plugin_api import ConfigurationError
from tillit_document_room.sandbox.limits import MEGABYTE, Limits

TextFor = Literal["everyone", "unmasked", "nobody"]
_NUMBERS = {
    "max_megabytes": (1, 60, 50),
    "max_pages": (1, 2000, 500),
    "max_documents": (1, 1000, 200),
    "processes": (1, 32, 2),
    "clause_seconds": (0, 120, 4),
    "undo_minutes": (0, 120, 10),
}


@dataclass(frozen=True)
class RoomSettings:
    """scanner: "" for none, "unix:/path" or "tcp:host:port" of a clamd. office: the soffice program, None for none.

    page_text: who is given a page's words beside its picture. clause_seconds: how long a clause must be in view.
    undo_minutes: how long a withdrawal can be taken back. unsafe_weak_sandbox: go on where the system cannot shut
    the reading process in.
    """

    scanner: str = ""
    office: Path | None = None
    page_text: TextFor = "everyone"
    documents: int = 200
    processes: int = 2
    clause_seconds: float = 4.0
    undo_minutes: int = 10
    unsafe_weak_sandbox: bool = False
    limits: Limits = field(default_factory=Limits)


def read_settings(table: Mapping[str, Any]) -> RoomSettings:
    """Return the checked settings. Raises ConfigurationError naming the key and the rule."""
    known = {*_NUMBERS, "scanner", "office", "page_text", "unsafe_weak_sandbox"}
    if unknown := set(table) - known:
        raise ConfigurationError(f"plugins.document_room has unknown keys: {', '.join(sorted(unknown))}")
    numbers = {key: _number(table, key) for key in _NUMBERS}
    weak = table.get("unsafe_weak_sandbox", False)
    if not isinstance(weak, bool):
        raise ConfigurationError("plugins.document_room.unsafe_weak_sandbox must be true or false")
    page_text = table.get("page_text", "everyone")
    if page_text not in ("everyone", "unmasked", "nobody"):
        raise ConfigurationError("plugins.document_room.page_text must be everyone, unmasked or nobody")
    return RoomSettings(
        scanner=_scanner(table.get("scanner", "")),
        office=_office(table.get("office", "auto")),
        page_text=page_text,
        documents=numbers["max_documents"],
        processes=numbers["processes"],
        clause_seconds=float(numbers["clause_seconds"]),
        undo_minutes=numbers["undo_minutes"],
        unsafe_weak_sandbox=weak,
        limits=Limits(file_bytes=numbers["max_megabytes"] * MEGABYTE, pages=numbers["max_pages"]),
    )


def _number(table: Mapping[str, Any], key: str) -> int:
    least, most, default = _NUMBERS[key]
    value = table.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"plugins.document_room.{key} must lie between {least} and {most}")
    return value


def _scanner(value: Any) -> str:
    if value == "":
        return ""
    kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "unix" and rest.startswith("/"):
        return str(value)
    host, _, port = rest.rpartition(":")
    if kind == "tcp" and host and port.isdigit() and 0 < int(port) < 65536:
        return str(value)
    raise ConfigurationError('plugins.document_room.scanner must be "", "unix:/path" or "tcp:host:port"')


def _office(value: Any) -> Path | None:
    """Return the converter: "auto" finds soffice or libreoffice, "" is none, else a path that must be there."""
    if value == "auto":
        found = shutil.which("soffice") or shutil.which("libreoffice")
        return Path(found) if found else None
    if value == "":
        return None
    if not isinstance(value, str) or not Path(value).is_file():
        raise ConfigurationError("plugins.document_room.office must be auto, empty or the path of soffice")
    return Path(value)

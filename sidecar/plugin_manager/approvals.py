"""Which plugins were reviewed, by digest of their code: one changed byte and the approval is void."""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import ConfigurationError, InvalidInputError

_HEAD = """\
# Plugins that were reviewed, code and manifest, by whom and when. The last entry of a plugin counts.
# Written by `tillit plugins approve`. Deleting an entry withdraws the approval.
"""


@dataclass(frozen=True)
class Approval:
    """One review's outcome. digest: "sha256:" and hex, see PackageFiles."""

    plugin: str
    version: str
    digest: str
    by: str
    at: datetime


@dataclass(frozen=True)
class PackageFiles:
    """A package's files by path within it, each as the SHA-256 of its bytes.

    Compiled files are left out: the loader never reads them (see loading.ApprovedLoader).
    """

    root: Path
    hashes: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Return the digest of the whole: over each path, a null byte and the hash, in the order of paths."""
        whole = hashlib.sha256()
        for path, each in sorted(self.hashes.items()):
            whole.update(path.encode() + b"\x00" + bytes.fromhex(each))
        return f"sha256:{whole.hexdigest()}"


def package_files(root: Path) -> PackageFiles:
    """Read a package's folder."""
    return PackageFiles(
        root,
        {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
        },
    )


def read_approvals(path: Path) -> dict[str, Approval]:
    """Return the approval in force of each plugin; none where there is no file. Raises ConfigurationError."""
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("approval", [])
        found = [Approval(**{**entry, "at": from_text(entry["at"])}) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path} is not a list of approvals.") from error
    return {approval.plugin: approval for approval in found}


def add_approval(path: Path, approval: Approval) -> None:
    """Add an approval to the list, which is replaced as a whole. Raises InvalidInputError without a name."""
    if not approval.by.strip() or not approval.by.isprintable():
        raise InvalidInputError("An approval needs the name of the person who reviewed.", field="by")
    read_approvals(path)  # never build on a list that cannot be read
    before = path.read_text("utf-8") if path.exists() else _HEAD
    lines = ["[[approval]]"]
    for each in fields(Approval):
        value = getattr(approval, each.name)
        text = to_text(value) if isinstance(value, datetime) else value
        lines.append(f"{each.name} = {json.dumps(text, ensure_ascii=False)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(before.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

"""A throwaway folder of installed plugins, written by a test: real packages, really approved, really loaded."""

import sys
from collections.abc import Mapping
from pathlib import Path

from sidecar.domain.clock import utc_now
from sidecar.plugin_manager import approve
from sidecar.plugin_manager.loading import forget

_HEAD = "from sidecar.plugin_api import *\nfrom sidecar.plugin_api import hookimpl\n"


class PluginSite:
    """Plugins below a folder that is on sys.path. approvals: the file to load them with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.approvals = folder / "approvals.toml"
        self._packages: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(folder))

    def install(self, name: str, code: str, *, files: Mapping[str, str] | None = None, **manifest: str) -> str:
        """Install and approve a plugin and return its name.

        code: of its package, with a function load(context); all of plugin_api is imported ahead of it. files: others
        by path in the package. manifest: values as TOML.
        """
        self._packages.add(f"tillit_{name}")
        lay_plugin(self.folder, name, files={"__init__.py": _HEAD + code, **(files or {})}, manifest=manifest)
        approve(name, by="Tests", approvals=self.approvals, now=utc_now())
        return name

    def remove(self) -> None:
        """Take the folder off sys.path again, and forget its modules."""
        sys.path.remove(str(self.folder))
        for package in self._packages:
            forget(package)


def lay_plugin(folder: Path, name: str, *, files: Mapping[str, str], manifest: Mapping[str, str]) -> None:
    """Write a plugin as an installer would, approved by nobody. files: of its package. manifest: values as TOML."""
    declared = {
        "name": f'"{name}"',
        "version": '"1.0"',
        "publisher": '"Tests"',
        "api_version": "1",
        "purpose": '"To be tested."',
        "data_goes": '"in-region"',
        "hosts": "[]",
        "permissions": "[]",
        "audit_kinds": "[]",
        "data": '[{what = "Nothing", why = "It is a test."}]',
    } | dict(manifest)
    whole = {"manifest.toml": "\n".join(f"{key} = {value}" for key, value in declared.items())} | dict(files)
    for path, text in whole.items():
        place = folder / f"tillit_{name}" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    info = folder / f"tillit_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tillit-{name}\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(f"[tillit]\n{name} = tillit_{name}\n", "utf-8")

"""Finds installed plugins without running them, and runs only the very bytes that were approved."""

import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_manager.approvals import PackageFiles, package_files
from sidecar.plugin_manager.manifest import Manifest, read_manifest

GROUP = "tillit"


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin found in this environment: its declaration and its files, none of its code run yet."""

    name: str
    package: str
    files: PackageFiles
    manifest: Manifest


def installed_names() -> dict[str, str]:
    """Return plugin name -> package of every plugin in this environment. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        if entry.name in found:
            raise ConfigurationError(f"Two installed packages call themselves the plugin {entry.name}.")
        found[entry.name] = entry.value
    return found


def inspect(name: str, package: str) -> InstalledPlugin:
    """Read a plugin's files and manifest. Raises ConfigurationError."""
    if package != f"tillit_{name}":
        raise ConfigurationError(f"Plugin {name}: its package must be tillit_{name}, not {package!r}.")
    spec = importlib.util.find_spec(package)  # finds, without importing: the name has no dot
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"Plugin {name}: its package {package} is not there.")
    root = Path(next(iter(spec.submodule_search_locations)))
    files = package_files(root)
    return InstalledPlugin(name, package, files, read_manifest(root / "manifest.toml", name=name))


class ApprovedLoader(importlib.machinery.SourceFileLoader):
    """Compiles approved source. Never takes a compiled file, which no review has seen."""

    def __init__(self, fullname: str, path: str, approved_sha256: str) -> None:
        super().__init__(fullname, path)
        self._approved_sha256 = approved_sha256

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError  # without these figures the import system neither reads nor writes a cache

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if hashlib.sha256(data).hexdigest() != self._approved_sha256:
            raise ImportError(f"{self.name} was changed while it was being loaded")
        return data


class ApprovedFinder:
    """Finds the modules of approved packages, and those only; goes first on sys.meta_path."""

    def __init__(self) -> None:
        self._packages: dict[str, PackageFiles] = {}

    def admit(self, package: str, files: PackageFiles) -> None:
        self._packages[package] = files

    def dismiss(self, package: str) -> None:
        self._packages.pop(package, None)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where an approved module is, None for every other package. Raises ImportError."""
        package, *below = fullname.split(".")
        files = self._packages.get(package)
        if files is None:
            return None
        for relative in ("/".join([*below, "__init__.py"]), "/".join(below) + ".py"):
            if relative in files.hashes:
                place = files.root / relative
                loader = ApprovedLoader(fullname, str(place), files.hashes[relative])
                folders = [str(place.parent)] if place.name == "__init__.py" else None
                return importlib.util.spec_from_file_location(
                    fullname, place, loader=loader, submodule_search_locations=folders
                )
        raise ModuleNotFoundError(f"{fullname} is not among the approved files", name=fullname)


_finder = ApprovedFinder()  # one per process, like the list of modules it feeds


def import_approved(plugin: InstalledPlugin) -> ModuleType:
    """Import a plugin's package from the files that were inspected. Raises ConfigurationError."""
    _finder.admit(plugin.package, plugin.files)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    try:
        return importlib.import_module(plugin.package)
    except Exception as error:  # whatever a plugin's module does wrong, the start stops with its name
        raise ConfigurationError(f"Plugin {plugin.name} cannot be imported: {type(error).__name__}: {error}") from error


def forget(package: str) -> None:
    """Forget a package that was approved, so that another one of its name can be found: for tests."""
    _finder.dismiss(package)
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        del sys.modules[module]

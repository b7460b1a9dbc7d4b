"""The templates of this installation: those that come with the plugin, and the bank's own folder beside them."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from sidecar.plugin_api import ConfigurationError, NotFoundError
from tillit_forms.reading import read_template
from tillit_forms.template import Template

SHIPPED = Path(__file__).parent / "shipped"


class Library:
    """Every version of every form. A form that was begun keeps its version; a new one takes what is in force."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self._by_ref: dict[str, Template] = {}
        for each in templates:
            if each.ref in self._by_ref:
                raise ConfigurationError(f"there are two templates {each.ref}")
            self._by_ref[each.ref] = each

    @classmethod
    def read(cls, folder: Path | None) -> "Library":
        """Return the shipped templates and the bank's own. Raises ConfigurationError naming file and key."""
        files = [*sorted(SHIPPED.glob("*.toml")), *(sorted(folder.glob("*.toml")) if folder else ())]
        return cls(read_template(each) for each in files)

    def get(self, ref: str) -> Template:
        """Raises NotFoundError."""
        found = self._by_ref.get(ref)
        if found is None:
            raise NotFoundError("There is no such form.")
        return found

    def in_force(self, today: date) -> Mapping[str, Template]:
        """Return the newest version of each form that is in force, by name."""
        found: dict[str, Template] = {}
        for each in sorted(self._by_ref.values(), key=lambda template: template.version):
            if each.in_force_from <= today:
                found[each.name] = each
        return found

    def newest(self, name: str, today: date) -> Template:
        """Raises NotFoundError."""
        found = self.in_force(today).get(name)
        if found is None:
            raise NotFoundError("There is no such form.")
        return found

    def all(self) -> list[Template]:
        return sorted(self._by_ref.values(), key=lambda each: (each.name, each.version))

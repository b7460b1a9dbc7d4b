"""Share firewall: entry point `share_firewall` in the group `tillit`.

The looking is done beside the bridge, for every meeting whose type lets this plugin in; see docs/share-firewall.md.
Here is what the bank says of it: which systems bear a canary, and the patterns to put on their pages.
"""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import LANGUAGES, DeskSection, PluginContext, Route, hookimpl
from tillit_share_firewall.desk import Desk
from tillit_share_firewall.settings import FirewallSettings, read_settings

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class Plugin:
    """What the host registers."""

    def __init__(self, settings: FirewallSettings) -> None:
        self._settings = settings
        self._desk = Desk(settings)

    @hookimpl
    def provide_routes(self) -> Sequence[Route]:
        return self._desk.routes()

    @hookimpl
    def provide_desk_sections(self) -> Sequence[DeskSection]:
        return self._desk.sections()

    @hookimpl
    def provide_services(self) -> Mapping[str, object]:
        return {"share_firewall": self._settings}

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError naming the setting."""
    return Plugin(read_settings(context.settings))

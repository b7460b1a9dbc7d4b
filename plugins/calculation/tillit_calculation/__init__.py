"""Calculation: entry point `calculation` in the group `tillit`."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import LANGUAGES, DeskSection, Panel, PluginContext, Route, hookimpl
from tillit_calculation.calculations import Calculations
from tillit_calculation.rates import read_tables
from tillit_calculation.routes import SEE, Routes
from tillit_calculation.settings import read_settings

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class Plugin:
    """What the host registers."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    @hookimpl
    def provide_routes(self) -> Sequence[Route]:
        return self._routes.routes()

    @hookimpl
    def provide_panels(self) -> Sequence[Panel]:
        return (Panel("calculation", "calculation", "calc", "calculation.panel.title", SEE, "panel.js", "panel.css"),)

    @hookimpl
    def provide_desk_sections(self) -> Sequence[DeskSection]:
        return self._routes.sections()

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError naming the setting, or the table's file and key."""
    settings = read_settings(context.settings)
    calculations = Calculations(
        core=context.core,
        tables=read_tables(settings.tables_folder),
        product=settings.product,
        clock=context.clock,
    )
    return Plugin(Routes(core=context.core, calculations=calculations))

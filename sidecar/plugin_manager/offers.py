"""Looks at what a plugin offers before anybody uses it: what is not of its form stops the start."""

import re
from collections.abc import Sequence
from typing import get_args

from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_api import DeskSection, Panel, Route
from sidecar.plugin_manager.approvals import PackageFiles
from sidecar.services.plugin_pages import RouteCaller, RouteMethod

_PART = r"(?:(?!\.+(?:/|\Z))[a-z0-9_.-]+|<(?:(?:int|string|uuid):)?[a-z_]+>)"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_MOST_BODY = 64 * 1024 * 1024  # bytes; a larger upload does not fit a web process


def check_routes(plugin: str, routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes. Raises ConfigurationError naming the first that cannot be served."""
    seen = set()
    for route in routes:
        where = f"Plugin {plugin}: the route {route.method} {route.path!r}"
        if route.method not in get_args(RouteMethod) or route.caller not in get_args(RouteCaller):
            raise ConfigurationError(f"{where} names a method or a caller that does not exist.")
        if not _PATH.match(route.path):
            raise ConfigurationError(f"{where} is not a path: lower-case parts, or parameters in angle brackets.")
        if not 0 < route.max_body <= _MOST_BODY:
            raise ConfigurationError(f"{where} takes a body of 1 to {_MOST_BODY} bytes.")
        if route.caller == "system" and not route.summary:
            raise ConfigurationError(f"{where} needs a summary: it stands in the open API's description.")
        key = (route.caller, route.method, re.sub(r"<[^>]*>", "<>", route.path))
        if key in seen:
            raise ConfigurationError(f"{where} is offered twice.")
        seen.add(key)
    return tuple(routes)


def check_panel(plugin: str, panel: Panel, files: PackageFiles | None) -> None:
    """Raise ConfigurationError for a panel of another plugin's, or one whose files are not there."""
    if panel.plugin != plugin:
        raise ConfigurationError(f"Plugin {plugin}: the panel {panel.name!r} names {panel.plugin!r} as its plugin.")
    if not _NAME.match(panel.name):
        raise ConfigurationError(f"Plugin {plugin}: a panel's name is lower-case letters, digits and hyphens.")
    for name in filter(None, (panel.module, panel.style)):
        if files is not None and f"static/{name}" not in files.hashes:
            raise ConfigurationError(f"Plugin {plugin}: the panel {panel.name!r} needs static/{name} in its package.")


def check_errand(plugin: str, kind: str) -> None:
    """Raise ConfigurationError for a kind of work outside the plugin's own name space."""
    if not re.fullmatch(rf"{plugin}\.[a-z][a-z0-9_]{{0,39}}", kind):
        raise ConfigurationError(f"Plugin {plugin}: the errand {kind!r} must be {plugin!r}, a dot and a name.")


def check_desk_section(plugin: str, section: DeskSection) -> DeskSection:
    """Return the section. Raises ConfigurationError where it shows nothing."""
    if section.where == "menu" and not section.path:
        raise ConfigurationError(f"Plugin {plugin}: the menu entry {section.name!r} needs the path of a staff route.")
    if section.where != "menu" and not section.template:
        raise ConfigurationError(f"Plugin {plugin}: the card {section.name!r} needs a template.")
    return section

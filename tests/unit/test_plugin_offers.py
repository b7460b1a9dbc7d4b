"""What a plugin offers is looked at before anybody can use it: what is not of its form stops the start."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError
from sidecar.plugin_api import DeskSection, LateCore, Panel, PluginRequest, PluginResponse, Route
from sidecar.plugin_manager import PackageFiles
from sidecar.plugin_manager.offers import check_desk_section, check_errand, check_panel, check_routes

FILES = PackageFiles(Path("/nowhere"), {"static/panel.js": "ab" * 32})


def handle(request: PluginRequest) -> PluginResponse:
    return PluginResponse()


ROUTE = Route("GET", "notes/<int:number>", "occupant", handle)
PANEL = Panel("notes", "notebook", "list", "notebook.panel.title", "view_document")
CARD = DeskSection("card", "notebook.card", "meeting", template="notebook/card.html")


def test_routes_of_every_form_are_taken() -> None:
    routes = (
        ROUTE,
        replace(ROUTE, method="POST"),
        replace(ROUTE, caller="anyone"),
        replace(ROUTE, caller="system", summary="A note"),
        replace(ROUTE, path="a-b_c.d/<x>/<string:name>"),
    )

    assert check_routes("notebook", routes) == routes


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "TRACE"},
        {"caller": "everybody"},
        {"caller": "bridge"},
        {"path": ""},
        {"path": "/notes"},
        {"path": "notes/"},
        {"path": "Notes"},
        {"path": "notes/../../v/<pid>/room"},
        {"path": "notes/<path:rest>"},
        {"path": "notes\n"},
        {"max_body": 0},
        {"max_body": 10**9},
        {"caller": "system"},
    ],
)
def test_a_route_that_is_not_of_its_form_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="notebook"):
        check_routes("notebook", [replace(ROUTE, **wrong)])


def test_two_routes_one_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        check_routes("notebook", [ROUTE, replace(ROUTE, path="notes/<name>")])


@pytest.mark.parametrize("wrong", [{"plugin": "bankid"}, {"name": "Notes"}, {"module": "x.js"}, {"style": "x.css"}])
def test_a_panel_is_the_plugins_own_and_its_files_are_there(wrong: dict[str, Any]) -> None:
    check_panel("notebook", PANEL, FILES)

    with pytest.raises(ConfigurationError):
        check_panel("notebook", replace(PANEL, **wrong), FILES)


@pytest.mark.parametrize(
    "kind", ["bind", "bankid.bind", "notebook.", "notebook.a.b", "notebook.Bind", "notebookx.bind"]
)
def test_work_stands_under_the_plugins_own_name(kind: str) -> None:
    check_errand("notebook", "notebook.bind")

    with pytest.raises(ConfigurationError):
        check_errand("notebook", kind)


@pytest.mark.parametrize("wrong", [{"template": ""}, {"where": "menu"}])
def test_a_section_of_the_desk_shows_something(wrong: dict[str, Any]) -> None:
    assert check_desk_section("notebook", CARD) == CARD

    with pytest.raises(ConfigurationError):
        check_desk_section("notebook", replace(CARD, **wrong))


def test_a_plugin_that_asks_the_core_too_early_is_told_so() -> None:
    late = LateCore("notebook")

    with pytest.raises(ConfigurationError, match="before the start was over"):
        late.records  # noqa: B018 - asking is what is tested
    late.bind(_Core())  # type: ignore[arg-type]  # one question is enough here
    assert late.records() == "records"


class _Core:
    def records(self) -> str:
        return "records"

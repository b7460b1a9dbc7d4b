"""How a plugin answers people and programs: routes, panels in the room, sections of the desk. Framework-neutral."""

import json as json_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sidecar.domain.errors import InvalidInputError
from sidecar.services.plugin_ports import MeetingView, PlaceView, StaffView
from sidecar.services.signing_ports import ClientView

RouteMethod = Literal["GET", "POST", "PUT", "DELETE"]
RouteCaller = Literal["occupant", "visitor", "staff", "system", "anyone"]
PLUGIN_BODY_BYTES = 64 * 1024  # a form's worth; a route that takes files says more


@dataclass(frozen=True)
class UploadedFile:
    """A file of a multipart form. name, media_type: as the browser said, so neither is to be trusted."""

    name: str = field(repr=False)
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class PluginRequest:
    """One HTTP request to a plugin's route, its caller already checked.

    path: the route's parameters, as text. query, form: of several values of one name, the first. files: by the
    field's name; of several, "<field>", "<field>.2", "<field>.3". place: on routes for "occupant" and "visitor".
    staff: on routes for "staff". system: the id of the connected system. csrf: for a page's <meta name="csrf">
    or a form's field "csrf". t: a sentence of the texts in the reader's language, t(key, **values).
    """

    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    files: Mapping[str, UploadedFile]
    language: str
    brand: str
    now: datetime
    client: ClientView
    t: Callable[..., str] = field(repr=False)
    csrf: str = field(default="", repr=False)
    place: PlaceView | None = None
    staff: StaffView | None = None
    system: str | None = None

    @cached_property
    def json(self) -> Any:
        """Return the body as JSON. Raises InvalidInputError naming "body"."""
        try:
            return json_module.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError("The request is not JSON.", field="body") from error

    @property
    def here(self) -> PlaceView:
        """Return the caller's place; on routes for "occupant" and "visitor" there always is one."""
        if self.place is None:
            raise InvalidInputError("This request is about no place in a meeting.", field="path")
        return self.place


@dataclass(frozen=True)
class PluginResponse:
    """An answer: json, data with its media_type, or a page.

    page: "<plugin>/name.html" in the plugin's templates/ folder, rendered with the context and what base.html
    knows (t, brand, static_url, csrf). redirect: an address of this service. may_embed: origins whose pages may
    show this page in a frame ("https://bank.example"); nobody when empty.
    """

    status: int = 200
    json: Any = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    redirect: str | None = None
    may_embed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """One address of a plugin.

    path: "documents/<document>/pages/<int:page>", parameters as Flask writes them. It stands below
    /v/<pid>/x/<plugin>/ for "occupant" (identified in this browser, or staff in their own place) and "visitor"
    (opened the invitation), below /desk/x/<plugin>/ for "staff", /api/v1/x/<plugin>/ for "system", and
    /x/<plugin>/ for "anyone".
    permission: of the meeting's for a place, a right of the desk's for staff, a right of the key's for a system;
    checked before `handle`, and a refusal is recorded.
    where: "room" asks that the caller is inside the running meeting, "any" opens the route before and after it too.
    in_turn: requests of one place (of one address, without a place) wait for each other, as polls of a remote
    service must.
    max_body: bytes. summary: one line of the OpenAPI description, for a system's routes.
    """

    method: RouteMethod
    path: str
    caller: RouteCaller
    handle: Callable[[PluginRequest], PluginResponse]
    permission: str | None = None
    where: Literal["room", "any"] = "room"
    in_turn: bool = False
    max_body: int = PLUGIN_BODY_BYTES
    summary: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel in the room's window. name: its data-panel; "documents" is opened by the fourth button.

    icon: an id in icons.svg. title: key in the texts. permission: who sees it. module: a file of the plugin's
    static/ folder, an ES module that exports `mount(section, api)`; see docs/plugins.md. style: a CSS file of it.
    """

    name: str
    plugin: str
    icon: str
    title: str
    permission: str
    module: str = "panel.js"
    style: str | None = None


@dataclass(frozen=True)
class DeskSection:
    """A part of the desk. where: "meeting" is a card on a meeting's page, "home" one on today's page, "menu" an entry.

    title: key in the texts. template: "<plugin>/card.html", rendered with what `context` answers, for a card. path:
    of a staff route of the plugin's, for a menu entry. right: whose desk has it, everybody's when left out.
    context: takes the meeting (None at home) and the staff member.
    """

    name: str
    title: str
    where: Literal["meeting", "home", "menu"]
    template: str = ""
    path: str = ""
    right: str | None = None
    context: Callable[[MeetingView | None, StaffView], Mapping[str, Any]] | None = None

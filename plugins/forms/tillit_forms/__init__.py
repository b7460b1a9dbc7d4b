"""Forms: entry point `forms` in the group `tillit`."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import LANGUAGES, DeskSection, ErrandView, Panel, PluginContext, Route, hookimpl
from tillit_forms.delivery.acts import DELIVER, FORGET, Deliveries
from tillit_forms.forms import Forms
from tillit_forms.library import Library
from tillit_forms.pdf import Fonts
from tillit_forms.settings import read_settings
from tillit_forms.signing import FormSigning
from tillit_forms.web.api import ApiRoutes
from tillit_forms.web.desk import DeskRoutes
from tillit_forms.web.public import PublicRoutes
from tillit_forms.web.room import SEE, RoomRoutes
from tillit_forms.web.visiting import Visits

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class Plugin:
    """What the host registers."""

    def __init__(
        self, *, room: RoomRoutes, public: PublicRoutes, api: ApiRoutes, desk: DeskRoutes, deliveries: Deliveries
    ) -> None:
        self._room, self._public, self._api = room, public, api
        self._desk, self._deliveries = desk, deliveries

    @hookimpl
    def provide_routes(self) -> Sequence[Route]:
        return (*self._room.routes(), *self._public.routes(), *self._api.routes(), *self._desk.routes())

    @hookimpl
    def provide_panels(self) -> Sequence[Panel]:
        return (Panel("forms", "forms", "list", "forms.panel.title", SEE, "panel.js", "panel.css"),)

    @hookimpl
    def provide_desk_sections(self) -> Sequence[DeskSection]:
        return self._desk.sections()

    @hookimpl
    def provide_errands(self) -> Mapping[str, Callable[[ErrandView], None]]:
        return {DELIVER: self._deliveries.deliver, FORGET: self._deliveries.forget}

    @hookimpl
    def provide_services(self) -> Mapping[str, object]:
        return {"forms": self._room, "signing_listener.forms": self._deliveries}

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError naming the setting, or the template's file and key."""
    settings, core = read_settings(context.settings), context.core
    library = Library.read(settings.templates_folder)
    forms = Forms(
        core=core,
        library=library,
        fonts=Fonts(settings.font_folder),
        clock=context.clock,
        digest_key=context.secret("answers"),
    )
    signing = FormSigning(core=core, forms=forms, clock=context.clock, days=settings.sign_days)
    visits = Visits(
        core=core, forms=forms, clock=context.clock, key_of=context.secret("visits"), published=settings.published
    )
    deliveries = Deliveries(
        core=core,
        forms=forms,
        receivers=settings.receivers,
        clock=context.clock,
        attempts=settings.attempts,
        signing=signing.service,
    )
    parts: dict[str, Any] = {"core": core, "forms": forms, "library": library, "signing": signing}
    return Plugin(
        room=RoomRoutes(**parts),
        public=PublicRoutes(**parts, visits=visits, frame_origins=settings.frame_origins),
        api=ApiRoutes(**parts, visits=visits, deliveries=deliveries),
        desk=DeskRoutes(forms=forms, library=library, deliveries=deliveries),
        deliveries=deliveries,
    )

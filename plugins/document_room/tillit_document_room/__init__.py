"""The document room: entry point `document_room` in the group `tillit`."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from sidecar.plugin_api import (
    LANGUAGES,
    Decision,
    DeskSection,
    ErrandView,
    MeetingFact,
    Panel,
    PluginContext,
    Route,
    SignQuestion,
    hookimpl,
)
from tillit_document_room.annotating import Annotating
from tillit_document_room.desk_routes import DeskRoutes
from tillit_document_room.finding import Index
from tillit_document_room.intake import EXPIRE, Intake
from tillit_document_room.keeping import Keeping
from tillit_document_room.processes import Workshop
from tillit_document_room.room_routes import RoomRoutes
from tillit_document_room.scanner import scanner_at
from tillit_document_room.service import Documents
from tillit_document_room.settings import RoomSettings, read_settings
from tillit_document_room.staging import Staging
from tillit_document_room.viewing import Viewing
from tillit_document_room.views import Views
from tillit_document_room.visitor_routes import VisitorRoutes

_HERE = files(__name__)

MANIFEST: Mapping[str, Any] = tomllib.loads((_HERE / "manifest.toml").read_text("utf-8"))


def load_texts() -> dict[str, dict[str, str]]:
    """Return the plugin's sentences: language -> key -> sentence."""
    return {
        language: tomllib.loads((_HERE / "texts" / f"{language}.toml").read_text("utf-8")) for language in LANGUAGES
    }


class Plugin:
    """What the host registers."""

    def __init__(self, context: PluginContext, settings: RoomSettings) -> None:
        core = context.core
        self._workshop = Workshop(
            settings.limits, processes=settings.processes, allow_unshut=settings.unsafe_weak_sandbox
        )
        scanner, index = scanner_at(settings.scanner), Index(context.secret("index"))
        self._intake = Intake(core, self._workshop, scanner, index, settings)
        staging = Staging(core, self._workshop, settings)
        viewing = Viewing(core, self._workshop, settings)
        annotating, views = Annotating(core, viewing, staging), Views(core, staging, settings)
        self._keeping = Keeping(core, self._workshop, index, context.clock)
        self._documents = Documents(core, self._intake, staging, context.clock)
        room = settings.limits.file_bytes
        self._room = RoomRoutes(self._intake, staging, viewing, annotating, views, file_bytes=room)
        self._visitor = VisitorRoutes(core, self._intake, self._keeping, settings)
        self._desk = DeskRoutes(core, self._intake, viewing, self._keeping, scanner, self._workshop, settings)

    @hookimpl
    def provide_routes(self) -> Sequence[Route]:
        return (*self._room.routes(), *self._visitor.routes(), *self._desk.routes())

    @hookimpl
    def provide_panels(self) -> Sequence[Panel]:
        title = "document_room.panel.title"
        return (Panel("documents", "document_room", "doc", title, "view_document", style="panel.css"),)

    @hookimpl
    def provide_desk_sections(self) -> Sequence[DeskSection]:
        return self._desk.sections()

    @hookimpl
    def provide_errands(self) -> Mapping[str, Callable[[ErrandView], None]]:
        return {EXPIRE: self._keeping.expire}

    @hookimpl
    def provide_services(self) -> Mapping[str, object]:
        return {"documents": self._documents}

    @hookimpl
    def provide_texts(self) -> Mapping[str, Mapping[str, str]]:
        return load_texts()

    @hookimpl
    def judge_sign(self, question: SignQuestion) -> Decision | None:
        """Hold back who has not read what must not be missed, or may not. The rest is others' to say."""
        held = self._documents.held_back(question)
        if held is None:
            return None
        why, document = held
        return Decision(False, f"document_room/{why}", f"document-{why}", {"document": document})

    @hookimpl
    def on_meeting_fact(self, fact: MeetingFact) -> None:
        if fact.kind == "meeting.ended":
            self._workshop.close_room(fact.meeting)


def load(context: PluginContext) -> Plugin:
    """Return the plugin, or raise ConfigurationError."""
    return Plugin(context, read_settings(context.settings))

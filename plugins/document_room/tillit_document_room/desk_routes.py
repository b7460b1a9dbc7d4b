"""The bank's side outside the room: a meeting's documents, the archive, and the connected systems' routes."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sidecar.plugin_api import (
    Core,
    DeskSection,
    InvalidInputError,
    MeetingView,
    NotFoundError,
    PluginRefusedError,
    PluginRequest,
    PluginResponse,
    Route,
    StaffView,
)
from tillit_document_room import asked, shelf
from tillit_document_room.intake import Intake, Sender, refusal
from tillit_document_room.keeping import Keeping
from tillit_document_room.model import Document, Origin
from tillit_document_room.processes import Workshop
from tillit_document_room.room_routes import NOT_KEPT, pdf_answer
from tillit_document_room.sandbox.refusals import UnsafeFileError
from tillit_document_room.scanner import Scanner
from tillit_document_room.settings import RoomSettings
from tillit_document_room.viewing import Viewing

_FORM_BYTES = 64 * 1024
_IMPORT_BYTES = 64 * 1024 * 1024  # the most a request may be: base64 of 47 MB
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SUCCESSOR = "read_all_journals"  # whoever may read every journal finds every document


class DeskRoutes:
    """Answers staff and connected systems."""

    def __init__(
        self,
        core: Core,
        intake: Intake,
        viewing: Viewing,
        keeping: Keeping,
        scanner: Scanner,
        workshop: Workshop,
        settings: RoomSettings,
    ) -> None:
        self._core, self._intake, self._viewing, self._keeping = core, intake, viewing, keeping
        self._scanner, self._workshop, self._settings = scanner, workshop, settings

    def sections(self) -> Sequence[DeskSection]:
        title = "document_room.desk.title"
        return (
            DeskSection("documents", title, "meeting", template="document_room/card.html", context=self._card),
            DeskSection("archive", "document_room.desk.archive", "menu", path="archive"),
        )

    def routes(self) -> Sequence[Route]:
        most = self._settings.limits.file_bytes + _FORM_BYTES
        by_system = "document_room.import"
        return (
            Route("POST", "meetings/<meeting>/documents", "staff", self.upload, max_body=most),
            Route("GET", "archive", "staff", self.archive),
            Route("GET", "archive/<document>", "staff", self.document),
            Route("GET", "archive/<document>/<version>/pages/<page>", "staff", self.page),
            Route("GET", "archive/<document>/<version>/file", "staff", self.file),
            Route("GET", "readiness", "staff", self.readiness),
            Route(
                "POST",
                "documents",
                "system",
                self.take_over,
                permission=by_system,
                max_body=_IMPORT_BYTES,
                summary="Put a historic document into a meeting's archive",
            ),
            Route(
                "GET",
                "meetings/<meeting>/documents",
                "system",
                self.listed,
                permission="evidence",
                summary="List a meeting's documents: digests, versions, deletion days",
            ),
            Route(
                "GET",
                "documents/<document>/report",
                "system",
                self.report,
                permission="evidence",
                summary="Say who was shown which page of which version, and when",
            ),
        )

    # Staff

    def upload(self, request: PluginRequest) -> PluginResponse:
        """Take a file from the desk, for the meeting or, with its day, as a historic one for the archive."""
        staff, id = _staff(request), request.path["meeting"]
        self._check_meeting(staff, id)
        dated = request.form.get("dated", "").strip()
        if dated and not _DAY.fullmatch(dated):
            raise InvalidInputError("A day is written 2019-05-31.", field="dated")
        origin: Origin = "import" if dated else "upload"
        try:
            file = asked.uploaded(request)
            added = self._intake.add(
                id,
                file.name,
                file.data,
                sender=Sender(staff.id),
                origin=origin,
                now=request.now,
                state="ready" if dated else "draft",
                dated=dated,
            )
        except PluginRefusedError as error:
            params = {key: value for key, value in error.params.items() if key != "sentence"}
            sentence = request.t(str(error.params["sentence"]), **params)
            context = {"sentence": sentence, "meeting": id, "tab_here": ""}
            return PluginResponse(status=409, page="document_room/desk_refused.html", context=context)
        return PluginResponse(status=303, redirect=f"/desk/meetings/{id}?document={quote(added.id)}")

    def archive(self, request: PluginRequest) -> PluginResponse:
        staff, words = _staff(request), request.query.get("q", "")[:200]
        found = self._keeping.search(words, may_find=lambda meeting: self._may(staff, meeting)) if words else []
        context = {"q": words, "asked": bool(words.strip()), "documents": [self._line(each) for each in found]}
        return PluginResponse(page="document_room/archive.html", context=context)

    def document(self, request: PluginRequest) -> PluginResponse:
        document = self._archived(request)
        names = {each.person: each.name for each in self._core.places(document.meeting) if each.person}
        events = [
            {
                "kind": each.kind,
                "sentence": request.t(f"document_room.event.{each.kind}", page=each.page or "", version=each.version),
                "who": names.get(each.person) or self._known(each.person, request),
                "at": each.at,
                "version": each.version,
                "page": each.page,
            }
            for each in self._keeping.viewed(document)
        ]
        context = {
            "document": self._line(document) | {"may_fetch": document.state in ("ready", "signed")},
            "versions": [
                {"number": each.number, "pages": each.pages, "sha256": each.sha256, "at": each.at}
                for each in document.versions
            ],
            "pages": range(1, document.latest.pages + 1),
            "events": events,
        }
        return PluginResponse(page="document_room/document.html", context=context)

    def page(self, request: PluginRequest) -> PluginResponse:
        """Show an archived page to staff, with their own mark, after recording it."""
        document, staff = self._archived(request), _staff(request)
        version = document.version(asked.in_path(request, "version"))
        page = asked.in_path(request, "page")
        if version is None or not 1 <= page <= version.pages or document.state == "withdrawn":
            raise NotFoundError("There is no such page.")
        mark = f"{staff.name}  {request.now:%Y-%m-%d %H:%M} UTC"
        png = self._viewing.archived_page(document, version, page, mark=mark, person=staff.id)
        return PluginResponse(data=png, media_type="image/png", headers=NOT_KEPT)

    def file(self, request: PluginRequest) -> PluginResponse:
        document, staff = self._archived(request), _staff(request)
        version = document.version(asked.in_path(request, "version"))
        if version is None or document.state not in ("ready", "signed"):
            raise NotFoundError("There is no such version.")
        return pdf_answer(document.name, self._viewing.archived_file(document, version, person=staff.id))

    def readiness(self, request: PluginRequest) -> PluginResponse:
        """Say what stands between a stranger's file and the bank: scanner, closed process, converter."""
        try:
            is_shut = self._workshop.is_shut()
        except UnsafeFileError:
            is_shut = False
        facts = {
            "scanner": self._scanner.name,
            "scanner_ready": self._scanner.is_ready(),
            "sandbox": "shut" if is_shut else "weak",
            "office": self._settings.office is not None,
        }
        return PluginResponse(json=facts, headers=NOT_KEPT)

    # Connected systems

    def take_over(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        dated = asked.text(given, "dated", longest=10)
        if not _DAY.fullmatch(dated):
            raise InvalidInputError("A day is written 2019-05-31.", field="dated")
        try:
            data = base64.b64decode(str(given.get("data", "")), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInputError("The file is base64.", field="data") from error
        added = self._intake.add(
            asked.text(given, "meeting", longest=40),
            asked.text(given, "title", longest=200),
            data,
            sender=Sender(request.system or "system"),
            origin="import",
            now=request.now,
            state="ready",
            dated=dated,
        )
        facts = {"id": added.id, "sha256": added.latest.sha256, "pages": added.latest.pages}
        return PluginResponse(status=201, json=facts)

    def listed(self, request: PluginRequest) -> PluginResponse:
        meeting = self._core.meeting(request.path["meeting"])
        found = [self._fact(each) for each in shelf.of_meeting(self._core.records(), meeting.id)]
        return PluginResponse(json={"documents": found}, headers=NOT_KEPT)

    def report(self, request: PluginRequest) -> PluginResponse:
        document, _ = shelf.document(self._core.records(), request.path["document"])
        return PluginResponse(json=self._keeping.report(document), headers=NOT_KEPT)

    # Shared

    def _card(self, meeting: MeetingView | None, staff: StaffView) -> Mapping[str, Any]:
        if meeting is None or not self._may(staff, meeting.id):
            return {"documents": [], "may_add": False}
        known = shelf.of_meeting(self._core.records(), meeting.id)
        return {
            "documents": [self._line(each) for each in known if each.state != "deleted"],
            "may_add": meeting.state in ("booked", "open", "ended"),
            "meeting_id": meeting.id,
            "scanner": self._scanner.name,
            "megabytes": self._settings.limits.file_bytes // (1024 * 1024),
        }

    def _line(self, document: Document) -> dict[str, Any]:
        return {
            "id": document.id,
            "shown_as": document.name,
            "meeting": document.meeting,
            "case": document.case,
            "origin": document.origin,
            "state": document.state,
            "version": document.latest.number,
            "pages": document.latest.pages,
            "sha256": document.latest.sha256,
            "at": document.created_at,
            "dated": document.dated,
            "delete_at": document.delete_at,
        }

    def _fact(self, document: Document) -> dict[str, Any]:
        kept = self._line(document)
        plain = {key: kept[key] for key in ("id", "state", "origin", "version", "pages", "sha256", "dated")}
        return plain | {"delete_at": document.delete_at.isoformat(), "at": document.created_at.isoformat()}

    def _archived(self, request: PluginRequest) -> Document:
        document, _ = shelf.document(self._core.records(), request.path["document"])
        if document.state == "deleted":
            raise NotFoundError("There is no such document.")
        self._check_meeting(_staff(request), document.meeting)
        return document

    def _check_meeting(self, staff: StaffView, meeting: str) -> None:
        """Answer another adviser's meeting as one that is not there."""
        self._core.meeting(meeting)
        if not self._may(staff, meeting):
            raise NotFoundError("There is no such meeting.")

    def _may(self, staff: StaffView, meeting: str) -> bool:
        if _SUCCESSOR in staff.rights:
            return True
        try:
            return any(each.is_staff and each.person == staff.id for each in self._core.places(meeting))
        except NotFoundError:
            return False

    def _known(self, person: str, request: PluginRequest) -> str:
        try:
            return self._core.person(person).name
        except NotFoundError:
            return request.t("document_room.desk.somebody")


def _staff(request: PluginRequest) -> StaffView:
    if request.staff is None:
        raise refusal("not_yours")
    return request.staff

"""Before the meeting: the upload page behind the invitation, so that nobody mails a payslip."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from sidecar.plugin_api import (
    Core,
    NotFoundError,
    PlaceView,
    PluginRefusedError,
    PluginRequest,
    PluginResponse,
    Route,
)
from tillit_document_room import asked, shelf
from tillit_document_room.intake import Intake, Sender, refusal
from tillit_document_room.keeping import Keeping
from tillit_document_room.settings import RoomSettings

_FORM_BYTES = 64 * 1024
_BEFORE = ("booked", "open")


class VisitorRoutes:
    """The customer's and guest's own page. What they sent is listed once they have shown who they are."""

    def __init__(self, core: Core, intake: Intake, keeping: Keeping, settings: RoomSettings) -> None:
        self._core, self._intake, self._keeping, self._settings = core, intake, keeping, settings

    def routes(self) -> Sequence[Route]:
        bring, most = "upload_document", self._settings.limits.file_bytes + _FORM_BYTES
        return (
            Route("GET", "upload", "visitor", self.page, permission=bring, where="any"),
            Route("POST", "upload", "visitor", self.upload, permission=bring, where="any", max_body=most, in_turn=True),
            Route("POST", "upload/<document>/remove", "visitor", self.remove, permission=bring, where="any"),
        )

    def page(self, request: PluginRequest) -> PluginResponse:
        return self._page(request)

    def upload(self, request: PluginRequest) -> PluginResponse:
        here = request.here
        if here.meeting_state not in _BEFORE:
            raise refusal("over")
        try:
            file = asked.uploaded(request)
            added = self._intake.add(
                here.meeting,
                file.name,
                file.data,
                sender=_sender(here),
                origin="upload",
                now=request.now,
            )
        except PluginRefusedError as error:
            params = {key: value for key, value in error.params.items() if key != "sentence"}
            return self._page(request, problem=request.t(str(error.params["sentence"]), **params), status=409)
        return PluginResponse(
            status=303, redirect=f"/v/{here.participant}/x/document_room/upload?sent={quote(added.id)}"
        )

    def remove(self, request: PluginRequest) -> PluginResponse:
        here = request.here
        document, expected = shelf.document(self._core.records(), request.path["document"])
        if here.loa is None or document.meeting != here.meeting or document.by_participant != here.participant:
            raise NotFoundError("There is no such document.")
        if document.released or document.state != "draft":
            raise refusal("shown_already")
        self._keeping.delete(document, expected=expected, reason="sender", actor=here.person or here.participant)
        return PluginResponse(status=303, redirect=f"/v/{here.participant}/x/document_room/upload")

    def _page(self, request: PluginRequest, *, problem: str = "", status: int = 200) -> PluginResponse:
        here = request.here
        own = [
            each
            for each in shelf.of_meeting(self._core.records(), here.meeting)
            if each.by_participant == here.participant and each.state in ("draft", "ready")
        ]
        sent = next((each for each in own if each.id == request.query.get("sent")), None)
        meeting = self._core.meeting(here.meeting)
        context: dict[str, Any] = {
            "step": None,
            "steps_done": [],
            "pid": here.participant,
            "csrf": request.csrf,
            "problem": problem,
            "sent": None if sent is None else {"shown_as": sent.name, "cleaned": bool(sent.latest.removed)},
            "documents": [
                {
                    "id": each.id,
                    "shown_as": each.name,
                    "pages": each.latest.pages,
                    "sent_at": each.created_at,
                    "delete_at": each.delete_at,
                    "removable": not each.released and each.state == "draft",
                }
                for each in own
            ]
            if here.loa is not None
            else [],
            "is_known": here.loa is not None,
            "is_over": here.meeting_state not in _BEFORE,
            "megabytes": self._settings.limits.file_bytes // (1024 * 1024),
            "office": self._settings.office is not None,
            "delete_at": meeting.retain_until,
            "title": meeting.title(request.language),
            "back": f"/v/{here.participant}/arrive",
        }
        return PluginResponse(status=status, page="document_room/upload.html", context=context)


def _sender(place: PlaceView) -> Sender:
    return Sender(place.person or place.participant, place)

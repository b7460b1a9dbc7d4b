"""The panel's routes: for people in the meeting, each in their own place."""

from collections.abc import Sequence

from sidecar.plugin_api import PluginRequest, PluginResponse, Route
from tillit_document_room import asked
from tillit_document_room.annotating import Annotating, box_of
from tillit_document_room.intake import Intake, Sender, refusal
from tillit_document_room.model import OVERSEERS
from tillit_document_room.names import file_name
from tillit_document_room.staging import Staging
from tillit_document_room.viewing import Viewing
from tillit_document_room.views import Views

_FORM_BYTES = 64 * 1024  # around the file itself
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_DONE = PluginResponse(json={})


def pdf_answer(name: str, data: bytes) -> PluginResponse:
    """Answer a document to keep: never shown in place, so that nothing in it runs on our address."""
    disposition = f'attachment; filename="{file_name(name)}"'
    return PluginResponse(
        data=data, media_type="application/pdf", headers=NOT_KEPT | {"Content-Disposition": disposition}
    )


class RoomRoutes:
    """Answers the panel."""

    def __init__(
        self,
        intake: Intake,
        staging: Staging,
        viewing: Viewing,
        annotating: Annotating,
        views: Views,
        *,
        file_bytes: int,
    ) -> None:
        self._intake, self._staging, self._viewing = intake, staging, viewing
        self._annotating, self._views, self._max_body = annotating, views, file_bytes + _FORM_BYTES

    def routes(self) -> Sequence[Route]:
        see, show, bring = "view_document", "present_document", "upload_document"
        one, page = "documents/<document>", "documents/<document>/<version>/pages/<page>"
        return (
            Route("GET", "state", "occupant", self.state, permission=see),
            Route(
                "POST", "documents", "occupant", self.upload, permission=bring, max_body=self._max_body, in_turn=True
            ),
            Route(
                "POST",
                f"{one}/versions",
                "occupant",
                self.version,
                permission=bring,
                max_body=self._max_body,
                in_turn=True,
            ),
            Route("POST", "present", "occupant", self.present, permission=show),
            Route("POST", "stop", "occupant", self.stop, permission=show),
            Route("GET", page, "occupant", self.page, permission=see),
            Route("GET", f"{page}/text", "occupant", self.text, permission=see),
            Route("POST", f"{one}/<version>/reading", "occupant", self.reading, permission=see),
            Route("POST", f"{one}/<version>/clauses/<clause>/read", "occupant", self.acknowledge, permission=see),
            Route("GET", f"{one}/<version>/file", "occupant", self.file, permission="download_document"),
            Route("POST", f"{one}/withdraw", "occupant", self.withdraw, permission=see),
            Route("POST", f"{one}/restore", "occupant", self.restore, permission=show),
            Route("POST", f"{one}/share", "occupant", self.share, permission=show),
            Route("POST", f"{one}/masks", "occupant", self.hide, permission=show),
            Route("POST", f"{one}/masks/<mask>/settled", "occupant", self.settle, permission=show),
            Route("DELETE", f"{one}/masks/<mask>", "occupant", self.unhide, permission=show),
            Route("POST", f"{one}/clauses", "occupant", self.mark, permission=show),
            Route("DELETE", f"{one}/clauses/<clause>", "occupant", self.unmark, permission=show),
        )

    def state(self, request: PluginRequest) -> PluginResponse:
        return PluginResponse(json=self._views.state(request.here, request.now), headers=NOT_KEPT)

    def upload(self, request: PluginRequest) -> PluginResponse:
        file, here = asked.uploaded(request), request.here
        added = self._intake.add(
            here.meeting,
            file.name,
            file.data,
            sender=Sender(here.person or here.participant, here),
            origin="upload",
            now=request.now,
        )
        return PluginResponse(
            status=201, json={"id": added.id, "name": added.name, "removed": list(added.latest.removed)}
        )

    def version(self, request: PluginRequest) -> PluginResponse:
        file, here = asked.uploaded(request), request.here
        document = self._viewing.document(here, request.path["document"])
        if here.capacity not in OVERSEERS and document.by_participant != here.participant:
            raise refusal("not_yours")
        if document.state == "signed":
            raise refusal("signed")
        sender = Sender(here.person or here.participant, here)
        changed = self._intake.add_version(document, file.data, sender=sender, now=request.now)
        unsettled = sum(changed.latest.number not in each.settled for each in changed.masks)
        told = {"id": changed.id, "version": changed.latest.number, "unsettled": unsettled}
        return PluginResponse(status=201, json=told)

    def present(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        id, page = asked.text(given, "document", longest=40), asked.number(given, "page")
        self._staging.present(request.here, id, page, request.now)
        return _DONE

    def stop(self, request: PluginRequest) -> PluginResponse:
        self._staging.stop(request.here)
        return _DONE

    def page(self, request: PluginRequest) -> PluginResponse:
        version, page = asked.in_path(request, "version"), asked.in_path(request, "page")
        png = self._viewing.page(request.here, request.path["document"], version, page, request.now)
        return PluginResponse(data=png, media_type="image/png", headers=NOT_KEPT)

    def text(self, request: PluginRequest) -> PluginResponse:
        version, page = asked.in_path(request, "version"), asked.in_path(request, "page")
        words = self._viewing.text(request.here, request.path["document"], version, page)
        return PluginResponse(json={"text": words}, headers=NOT_KEPT)

    def reading(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        self._viewing.report(
            request.here,
            request.path["document"],
            asked.in_path(request, "version"),
            page=asked.number(given, "page"),
            seconds=asked.seconds(given, "seconds"),
            seen=asked.texts(given, "seen"),
            scrolled_past=asked.texts(given, "past"),
            now=request.now,
        )
        return _DONE

    def acknowledge(self, request: PluginRequest) -> PluginResponse:
        version = asked.in_path(request, "version")
        self._viewing.acknowledge(request.here, request.path["document"], version, request.path["clause"])
        return _DONE

    def file(self, request: PluginRequest) -> PluginResponse:
        version = asked.in_path(request, "version")
        document, data = self._viewing.file(request.here, request.path["document"], version)
        return pdf_answer(document.name, data)

    def withdraw(self, request: PluginRequest) -> PluginResponse:
        reason = asked.text(asked.body(request), "reason", longest=20)
        self._staging.withdraw(request.here, request.path["document"], reason, request.now)
        return _DONE

    def restore(self, request: PluginRequest) -> PluginResponse:
        self._staging.restore(request.here, request.path["document"], request.now)
        return _DONE

    def share(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        self._staging.share(
            request.here,
            request.path["document"],
            visible_to=None if given.get("visible_to") is None else asked.texts(given, "visible_to"),
            released=asked.flag(given, "released"),
            downloadable=asked.flag(given, "downloadable"),
        )
        return _DONE

    def hide(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        places = self._annotating.hide(
            request.here,
            request.path["document"],
            value=asked.text(given, "value", longest=200, required=False),
            page=asked.number(given, "page") if "page" in given else 0,
            box=box_of(given.get("box")),
            instead=asked.text(given, "instead", longest=60, required=False),
            hide_from=asked.texts(given, "hide_from"),
        )
        return PluginResponse(status=201, json={"places": places})

    def settle(self, request: PluginRequest) -> PluginResponse:
        version = asked.number(asked.body(request), "version")
        self._annotating.settle(request.here, request.path["document"], request.path["mask"], version)
        return _DONE

    def unhide(self, request: PluginRequest) -> PluginResponse:
        self._annotating.unhide(request.here, request.path["document"], request.path["mask"])
        return _DONE

    def mark(self, request: PluginRequest) -> PluginResponse:
        given = asked.body(request)
        clause = self._annotating.mark(
            request.here,
            request.path["document"],
            title=asked.text(given, "title", longest=120),
            words=asked.text(given, "words", longest=200, required=False),
            page=asked.number(given, "page") if "page" in given else 0,
            box=box_of(given.get("box")),
        )
        return PluginResponse(status=201, json={"id": clause.id, "page": clause.page})

    def unmark(self, request: PluginRequest) -> PluginResponse:
        self._annotating.unmark(request.here, request.path["document"], request.path["clause"])
        return _DONE

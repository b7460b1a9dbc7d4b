"""The addresses of the plugin: for the parties in the room, for the adviser, and for connected systems."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import (
    Core,
    InvalidInputError,
    NotFoundError,
    PluginAct,
    PluginRequest,
    PluginResponse,
    Route,
    SignStep,
    from_text,
)
from tillit_pades_signing.model import DECIMALS, Party, Signing
from tillit_pades_signing.opening import Wanted
from tillit_pades_signing.seal.transaction import transaction_paper
from tillit_pades_signing.sealing import file_name
from tillit_pades_signing.signings import Signings
from tillit_pades_signing.views import Views, may_see, neutral

_API_BODY_BYTES = 30 * 1024 * 1024
_ANSWER_BYTES = 128 * 1024
_ANSWERS = ("strokes", "typed", "code", "again", "nonce")


class Routes:
    def __init__(
        self, *, core: Core, signings: Signings, views: Views, deadline: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._core, self._signings, self._views = core, signings, views
        self._deadline, self._clock = deadline, clock

    def all(self) -> tuple[Route, ...]:
        own = "signings/<signing>"
        return (
            Route("GET", "signings", "occupant", self.listing, where="any"),
            Route("POST", "signings", "occupant", self.open, permission="sign"),
            Route("GET", own, "occupant", self.show, where="any"),
            Route("POST", f"{own}/start", "occupant", self.start),
            Route("POST", f"{own}/poll", "occupant", self.poll),
            Route("POST", f"{own}/answer", "occupant", self.answer, max_body=_ANSWER_BYTES),
            Route("POST", f"{own}/stop", "occupant", self.stop),
            Route("POST", f"{own}/decline", "occupant", self.decline),
            Route("POST", f"{own}/withdraw", "occupant", self.withdraw),
            Route("GET", f"{own}/documents/<document>/copy", "occupant", self.copy, where="any"),
            Route("GET", f"{own}/back", "occupant", self.back, where="any"),
            Route(
                "POST",
                "signings",
                "system",
                self.open_by_system,
                permission="pades_signing.create",
                max_body=_API_BODY_BYTES,
                summary="Open a signing: documents as base64, parties, order, ways to sign, deadline.",
            ),
            Route(
                "GET",
                own,
                "system",
                self.show_to_system,
                permission="pades_signing.create",
                summary="Where a signing stands, without names.",
            ),
            Route(
                "GET",
                f"{own}/documents/<document>",
                "system",
                self.file_to_system,
                permission="pades_signing.create",
                summary="The sealed PDF of one document.",
            ),
        )

    # In the room

    def listing(self, request: PluginRequest) -> PluginResponse:
        here = request.here
        found = [each for each in reversed(self._signings.of_meeting(here.meeting)) if may_see(each, here)]
        found.sort(key=lambda each: each.created_at, reverse=True)
        body = {
            "signings": [self._views.of(each, here, request.now) for each in found],
            "may_open": here.is_staff and "sign" in here.permissions,
            "people": self._people(request) if here.is_staff else [],
            "documents": self._documents(here.meeting) if here.is_staff else [],
            "approvers": self._core.meeting(here.meeting).approvers if here.is_staff else 1,
            "decimals": DECIMALS if here.is_staff else {},
        }
        return PluginResponse(json=body)

    def open(self, request: PluginRequest) -> PluginResponse:
        """The adviser asks for signatures, or for the approval of a transaction."""
        here, given = request.here, _table(request.json)
        if not here.is_staff:
            raise NotFoundError("only the bank opens a signing")
        amount = given.get("amount")
        asked = _tables(given, "parties")
        documents: list[dict[str, Any]] = _documents(_texts(given, "documents"), asked)
        act = str(given.get("act", "sign"))
        title = str(given.get("title", ""))
        text = str(given.get("text", ""))
        if act == "approve" and not documents:
            paper = transaction_paper(
                title=title, text=text, amount=amount, t=request.t, bank=self._core.brand(here.brand).name
            )
            documents = [{"key": "transaction", "name": title, "data": paper}]
        wanted = Wanted(
            meeting=here.meeting,
            brand=here.brand,
            language=self._core.meeting(here.meeting).language,
            title=title,
            text=text,
            documents=documents,
            parties=[{"key": _key(at), **_party(each)} for at, each in enumerate(asked)],
            deadline=_deadline(given, request.now, self._deadline),
            by=here.person,
            act=act,
            amount=amount,
            needed=int(given.get("needed", 0)) if isinstance(given.get("needed", 0), int) else -1,
            chosen=True,
        )
        signing = self._signings.open(wanted)
        return PluginResponse(201, json=self._views.of(signing, here, request.now))

    def show(self, request: PluginRequest) -> PluginResponse:
        signing = self._signing(request)
        return PluginResponse(json=self._views.of(signing, request.here, request.now))

    def start(self, request: PluginRequest) -> PluginResponse:
        signing, party = self._mine(request)
        given = _table(request.json)
        step = self._signings.start(
            signing,
            party.key,
            str(given.get("method", "")),
            request.client,
            same_device=given.get("same_device") is True,
            return_path=f"signings/{signing.id}/back",
        )
        return self._step(request, step)

    def poll(self, request: PluginRequest) -> PluginResponse:
        signing, party = self._mine(request)
        return self._step(request, self._signings.poll(signing, party.key, request.client))

    def answer(self, request: PluginRequest) -> PluginResponse:
        signing, party = self._mine(request)
        given = _table(request.json)
        answer = {key: str(given[key]) for key in _ANSWERS if isinstance(given.get(key), str)}
        return self._step(request, self._signings.submit(signing, party.key, request.client, answer))

    def stop(self, request: PluginRequest) -> PluginResponse:
        signing, party = self._mine(request)
        self._signings.stop(signing, party.key, request.client)
        return self.show(request)

    def decline(self, request: PluginRequest) -> PluginResponse:
        signing, party = self._mine(request)
        self._signings.decline(signing, party.key, request.client)
        return self.show(request)

    def withdraw(self, request: PluginRequest) -> PluginResponse:
        signing = self._signing(request)
        if not request.here.is_staff:
            raise NotFoundError("only the bank takes a signing back")
        self._signings.withdraw(signing.id, actor=request.here.person)
        return self.show(request)

    def copy(self, request: PluginRequest) -> PluginResponse:
        """A party's own copy, or the bank's. Who is no party to a document does not learn that it exists."""
        signing, here = self._signing(request), request.here
        party = signing.party_at(here.participant)
        for document in signing.documents:
            concerned = here.is_staff or (party is not None and party.key in document.parties)
            if document.id == request.path["document"] and concerned and signing.sealed.get(document.id):
                act = PluginAct(
                    "pades_signing.read", {"signing": signing.id, "document_sha256": document.sha256}, place=here
                )
                self._core.perform(act, effect=lambda records: None)
                return _pdf(self._core.objects.get(signing.sealed[document.id][-1]), file_name(document))
        raise NotFoundError("there is no such copy")

    def back(self, request: PluginRequest) -> PluginResponse:
        """Where the app comes back to on the same device: a page of its own, the meeting goes on in the other tab."""
        signing, party = self._mine(request)
        context = {
            "signing": signing.id,
            "title": signing.title,
            "documents": [{"name": each.name, "code": each.code} for each in signing.documents_of(party.key)],
            "amount": str(signing.amount) if signing.amount else "",
            "act": signing.act,
            "csrf": request.csrf,  # the page hands the nonce over by itself
            "here": f"/v/{request.here.participant}/x/pades_signing/signings/{signing.id}",
            "room": f"/v/{request.here.participant}/room",
        }
        return PluginResponse(page="pades_signing/back.html", context=context)

    # Connected systems

    def open_by_system(self, request: PluginRequest) -> PluginResponse:
        given = _table(request.json)
        wanted = Wanted(
            meeting=str(given["meeting"]) if given.get("meeting") else None,
            brand=str(given.get("brand") or request.brand),
            language=str(given.get("language", "sv")),
            title=str(given.get("title", "")),
            text=str(given.get("text", "")),
            documents=[_with_bytes(each) for each in _tables(given, "documents")],
            parties=_tables(given, "parties"),
            deadline=_deadline(given, request.now, self._deadline),
            by="system",
            act=str(given.get("act", "sign")),
            amount=given.get("amount"),
            needed=int(given.get("needed", 0)) if isinstance(given.get("needed", 0), int) else -1,
            reference=str(given.get("reference", "")),
        )
        return PluginResponse(201, json=dict(neutral(self._signings.open(wanted), request.now)))

    def show_to_system(self, request: PluginRequest) -> PluginResponse:
        signing = self._signings.read(request.path["signing"]).signing
        return PluginResponse(json=dict(neutral(signing, request.now)))

    def file_to_system(self, request: PluginRequest) -> PluginResponse:
        signing = self._signings.read(request.path["signing"]).signing
        for document in signing.documents:
            if document.id == request.path["document"] and signing.sealed.get(document.id):
                act = PluginAct(
                    "pades_signing.read",
                    {"signing": signing.id, "document_sha256": document.sha256},
                    meeting=signing.meeting or None,
                    actor=request.system,
                )
                self._core.perform(act, effect=lambda records: None)
                return _pdf(self._core.objects.get(signing.sealed[document.id][-1]), file_name(document))
        raise NotFoundError("there is no such file")

    # Inside

    def _signing(self, request: PluginRequest) -> Signing:
        """Return the signing of the address, of this very meeting and for this person's eyes."""
        signing = self._signings.read(request.path["signing"]).signing
        if signing.meeting != request.here.meeting or not may_see(signing, request.here):
            raise NotFoundError("there is no such signing")
        return signing

    def _mine(self, request: PluginRequest) -> tuple[Signing, Party]:
        signing = self._signing(request)
        party = signing.party_at(request.here.participant)
        if party is None or party.person != request.here.person:
            raise NotFoundError("this person does not sign here")
        return signing, party

    def _step(self, request: PluginRequest, step: SignStep) -> PluginResponse:
        body: dict[str, Any] = {
            "status": step.status,
            "message": request.t(step.message, **step.params),
            "view": dict(step.view),
        }
        if step.status != "pending":
            body["signing"] = self._views.of(self._signing(request), request.here, request.now)
        return PluginResponse(json=body)

    def _people(self, request: PluginRequest) -> list[dict[str, Any]]:
        """Return whom the adviser may ask, and how: those who may sign or approve, the bank's own last."""
        return [
            {
                "participant": each.participant,
                "name": each.name,
                "staff": each.is_staff,
                "sign": "sign" in each.permissions,
                "approve": "approve_transaction" in each.permissions,
                "ways": self._views.ways(each, request.here.language),
            }
            for each in sorted(self._core.places(request.here.meeting), key=lambda place: place.is_staff)
            if each.person and each.permissions & {"sign", "approve_transaction"}
        ]

    def _documents(self, meeting: str) -> list[dict[str, Any]]:
        try:
            room = self._core.service("documents")
        except NotFoundError:
            return []
        return [
            {"id": each.id, "name": each.name, "version": each.version, "pages": each.pages}
            for each in room.of_meeting(meeting)
            if each.state == "ready"
        ]


class SigningService:
    """What other plugins get under the name "signing". Neutral values only: nobody imports us."""

    def __init__(self, *, core: Core, signings: Signings, clock: Callable[[], datetime]) -> None:
        self._core, self._signings, self._clock = core, signings, clock

    def begin(
        self,
        *,
        meeting: str | None,
        brand: str,
        language: str,
        title: str,
        text: str,
        documents: Any,
        parties: Any,
        deadline: datetime,
        by: str,
        reference: str,
        act: str = "sign",
        amount: Mapping[str, Any] | None = None,
        needed: int = 0,
    ) -> str:
        """Open a signing and return its id. Raises InvalidInputError, NotFoundError."""
        wanted = Wanted(
            meeting=meeting,
            brand=brand,
            language=language,
            title=title,
            text=text,
            documents=tuple(documents),
            parties=tuple(parties),
            deadline=deadline,
            by=by,
            act=act,
            amount=amount,
            needed=needed,
            reference=reference,
        )
        return self._signings.open(wanted).id

    def methods(self, signing: str, party: str) -> list[Mapping[str, Any]]:
        found = self._signings.read(signing).signing
        mine = self._party(found, party)
        return [{"name": each.name, "kind": each.kind} for each in self._signings.methods(found, mine)]

    def act(
        self,
        signing: str,
        party: str,
        what: str,
        *,
        client: Any,
        method: str = "",
        answer: Mapping[str, str] | None = None,
        same_device: bool = False,
        return_path: str = "",
    ) -> Mapping[str, Any]:
        """Do what a party asks for: "start", "poll", "submit", "cancel" or "decline"."""
        found = self._signings.read(signing).signing
        if what == "start":
            step = self._signings.start(found, party, method, client, same_device=same_device, return_path=return_path)
        elif what == "poll":
            step = self._signings.poll(found, party, client)
        elif what == "submit":
            step = self._signings.submit(found, party, client, dict(answer or {}))
        elif what == "cancel":
            self._signings.stop(found, party, client)
            step = SignStep("failed", "pades_signing.stopped")
        elif what == "decline":
            self._signings.decline(found, party, client)
            step = SignStep("failed", "pades_signing.refused.was_declined")
        else:
            raise InvalidInputError("A signing knows no such act.", field="what")
        return {
            "status": step.status,
            "message": step.message,
            "params": dict(step.params),
            "view": dict(step.view),
        }

    def view(self, signing: str) -> Mapping[str, Any]:
        return neutral(self._signings.read(signing).signing, self._clock())

    def sealed(self, signing: str, document_key: str) -> bytes:
        """Return the newest sealed file of a document. Raises NotFoundError before there is one."""
        objects = self._signings.read(signing).signing.sealed.get(document_key)
        if not objects:
            raise NotFoundError("this document is not sealed yet")
        return self._core.objects.get(objects[-1])

    @staticmethod
    def _party(signing: Signing, key: str) -> Party:
        try:
            return signing.party(key)
        except KeyError:
            raise NotFoundError("nobody of that key signs here") from None


def _pdf(data: bytes, name: str) -> PluginResponse:
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "-").replace('"', "")
    headers = {"Content-Disposition": f'attachment; filename="{ascii_name}"', "Cache-Control": "private, no-store"}
    return PluginResponse(data=data, media_type="application/pdf", headers=headers)


def _table(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInputError("A JSON object is expected.", field="body")
    return given


def _tables(given: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = given.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidInputError(f"{key} is a list of objects.", field=key)
    return found


def _texts(given: Mapping[str, Any], key: str) -> list[str]:
    found = given.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidInputError(f"{key} is a list of texts.", field=key)
    return found


def _key(at: int) -> str:
    return f"p{at + 1}"


def _party(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in ("participant", "turn", "methods") if key in given}


def _documents(documents: list[str], parties: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each document with those who sign it: everybody who names no documents of their own, or names this."""
    own = {_key(at): _texts(each, "documents") if "documents" in each else documents for at, each in enumerate(parties)}
    if any(set(each) - set(documents) for each in own.values()):
        raise InvalidInputError("A party's documents are among those of the signing.", field="documents")
    return [{"document": id, "parties": [key for key, each in own.items() if id in each]} for id in documents]


def _with_bytes(given: Mapping[str, Any]) -> dict[str, Any]:
    if "data" not in given:
        return dict(given)
    try:
        return {**given, "data": base64.b64decode(str(given["data"]), validate=True)}
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("A document's data is base64.", field="documents") from error


def _deadline(given: Mapping[str, Any], now: datetime, usual: timedelta) -> datetime:
    told = given.get("deadline")
    if told is None:
        return now + usual
    try:
        return from_text(str(told))
    except ValueError as error:
        raise InvalidInputError("The deadline is a time in UTC.", field="deadline") from error

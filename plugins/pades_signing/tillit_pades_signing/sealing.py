"""From a signed signing to its sealed files: the page, the evidence inside, the manifest, the seal, the copies."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import Attachment as MessageAttachment
from sidecar.plugin_api import ConflictError, Core, InvalidInputError, NotFoundError, PluginAct, Records, to_text
from tillit_pades_signing import rules
from tillit_pades_signing.model import Party, Signature, SignedDocument, Signing, State
from tillit_pades_signing.seal.build import Attachment, SealWords, build_sealed
from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.page import SignaturePage, SignerOnPage
from tillit_pades_signing.words import Words, level, moment

log = logging.getLogger(__name__)

MANIFEST, EVENTS = "manifest.json", "events.jsonl"
FORMAT = "tillit-sealed-document/1"
COPIES_WAIT = timedelta(hours=1)  # for a time-stamp, which mostly comes within a minute; then they leave without it
# Kept in the archive alone: it holds addresses and other people's numbers, and proves nothing the rest does not.
ARCHIVE_ONLY = ("-collect.json",)
EVENT_KINDS = tuple(
    f"pades_signing.{name}" for name in ("opened", "begun", "failed", "signed", "declined", "completed")
)


class Sealing:
    """Makes the sealed files of a signed signing, once."""

    def __init__(self, *, core: Core, clock: Callable[[], datetime], maker: SealMaker, preserve: bool) -> None:
        self._core, self._clock, self._maker = core, clock, maker
        self._preserve = preserve

    def seal(self, signing_id: str) -> None:
        """Seal and store the files, queue the copies. Nothing where that is done.

        Whatever fails is no loss: the signatures are stored, and so is the errand with which the worker comes back.
        """
        try:
            self.seal_now(signing_id)
        except Exception as error:  # the signer has signed, and is told so: sealing is the bank's own work
            log.warning("sealing left to the worker", extra={"signing": signing_id, "cause": type(error).__name__})

    def seal_now(self, signing_id: str) -> None:
        """Like seal. Raises SealUnavailableError."""
        record = self._core.records().get("signing", signing_id)
        signing = Signing.from_body(record.body)
        if signing.state is not State.SIGNED:
            return
        now = self._clock()
        files = self.files(signing, now)
        objects: dict[str, str] = {}

        def keep() -> None:
            for document, data in files.items() if not objects else ():
                objects[document] = self._core.objects.put(signing.meeting or None, "sealed", data)

        def effect(records: Records) -> None:
            copies_by = now + COPIES_WAIT if self._preserve else None
            done = rules.sealed(signing, objects, copies_by=copies_by)
            about, body = signing.meeting or None, {"signing": signing_id}
            records.put("signing", signing_id, done.to_body(), meeting=about, expected=record.version)
            if self._preserve:
                records.add_errand("pades_signing.preserve", body, meeting=about)
                records.add_errand("pades_signing.copies", body, due_at=copies_by, meeting=about)
            else:
                records.add_errand("pades_signing.archive", body, meeting=about)
                self.send_copies(records, done)
            if signing.reference:
                records.add_errand("pades_signing.tell", {**body, "state": str(State.SEALED)}, meeting=about)

        digests = {document: hashlib.sha256(data).hexdigest() for document, data in files.items()}
        act = PluginAct(
            "pades_signing.sealed",
            {"signing": signing_id, "state": str(State.SEALED), "documents_sha256": sorted(digests.values())},
            meeting=signing.meeting or None,
            actor="system",
            public={"signing": signing_id, "state": str(State.SEALED)} if signing.meeting else None,
        )
        try:
            self._core.perform(act, effect=effect, before=keep)
        except ConflictError:
            log.info("sealed by another process", extra={"signing": signing_id})

    def files(self, signing: Signing, now: datetime) -> dict[str, bytes]:
        """Return each document's sealed file. Raises SealUnavailableError, NotFoundError."""
        return {each.id: self._file(signing, each, self._events(signing, each), now) for each in signing.documents}

    def _file(self, signing: Signing, document: SignedDocument, events: bytes, now: datetime) -> bytes:
        original = self._core.objects.get(document.original)
        brand = self._core.brand(signing.brand)
        t: Words = lambda key, **params: self._core.t(signing.language, key, **params)  # noqa: E731
        signers = [each for each in signing.signed if each.key in document.parties]
        attachments = self._attachments(signing, document, signers, events, now)
        return build_sealed(
            original,
            page=signature_page(
                signing, document, signers, bank=brand.name, zone=brand.time_zone, t=t, core=self._core
            ),
            attachments=attachments,
            words=SealWords(signer=brand.name, reason=t("pades_signing.page.reason")),
            at=now,
            maker=self._maker,
        )

    def _attachments(
        self, signing: Signing, document: SignedDocument, signers: list[Party], events: bytes, now: datetime
    ) -> list[Attachment]:
        parts: list[Attachment] = []
        told: list[dict[str, Any]] = []
        for number, party in enumerate(signers, start=1):
            signature = party.signature
            assert signature is not None
            kept, inside = self._evidence(signature, number)
            parts += inside
            told.append(_signer(party, signature, number, inside, kept, document))
        parts.append(Attachment(EVENTS, "application/jsonl", events, "Events of this signing, from the bank's log"))
        manifest = {
            "format": FORMAT,
            "signing": signing.id,
            "meeting": signing.meeting,
            "act": signing.act,
            "amount": {"minor": signing.amount.minor, "currency": signing.amount.currency} if signing.amount else None,
            "sealed_at": to_text(now),
            "document": {
                "id": document.id,
                "name": document.name,
                "version": document.version,
                "pages": document.pages,
                "bytes": document.length,
                "sha256": document.sha256,
            },
            "signers": told,
            "files": {each.name: hashlib.sha256(each.data).hexdigest() for each in parts},
        }
        data = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1).encode()
        return [Attachment(MANIFEST, "application/json", data, "What this file is made of", "Data"), *parts]

    def _evidence(self, signature: Signature, number: int) -> tuple[dict[str, str], list[Attachment]]:
        """Return what stays in the archive, by digest, and what goes inside the file."""
        kept: dict[str, str] = {}
        inside = [
            Attachment(
                f"signed-text-{number}.txt", "text/plain", signature.visible.encode(), "The text the signer read"
            ),
            Attachment(
                f"signed-data-{number}.json",
                "application/json",
                signature.hidden.encode(),
                "What the signature is bound to",
            ),
        ]
        for name, object_id in sorted(signature.evidence.items()):
            if name.endswith(ARCHIVE_ONLY):
                kept[name] = signature.digests[name]
                continue
            stem, _, ending = name.rpartition(".")
            data = self._core.objects.get(object_id)
            inside.append(Attachment(f"{stem}-{number}.{ending}", _MEDIA.get(ending, "application/octet-stream"), data))
        return kept, inside

    def _events(self, signing: Signing, document: SignedDocument) -> bytes:
        """Return this signing's entries of the audit log, one JSON object a line, with their places in the log.

        Outside a meeting: what was kept of them with the signing, without those places.

        What only concerns parties to other documents is left out: a copy goes to people who know nothing of them.
        So is the list of all that was opened, of which each file is told its own part.
        """
        others = {each.person for each in signing.parties if each.key not in document.parties}
        lines = []
        for entry in self._entries(signing):
            if entry["kind"] in EVENT_KINDS and entry["actor"] not in others:
                told = dict(entry)
                if "documents_sha256" in entry["data"]:
                    own = {"documents_sha256": [document.sha256], "parties_count": len(document.parties)}
                    told["data"] = {**entry["data"], **own}
                lines.append(json.dumps(told, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str))
        return "".join(f"{line}\n" for line in lines).encode()

    def _entries(self, signing: Signing) -> list[Mapping[str, Any]]:
        if not signing.meeting:
            return list(signing.events)
        return [
            {"index": each.index, "kind": each.kind, "actor": each.actor, "at": to_text(each.at), "data": each.data}
            for each in self._core.audit_entries(signing.meeting, EVENT_KINDS)
            if each.data.get("signing") == signing.id
        ]

    def send_copies(self, records: Records, signing: Signing, text: str = "") -> None:
        """Queue everybody's newest copy. text: a message's, where it is not the one that comes first and last."""
        text = text or ("approved_message" if signing.act == "approve" else "copy_message")
        for party in signing.signed:
            self._send_copy(records, signing, party, text)

    def _send_copy(self, records: Records, signing: Signing, party: Party, text: str) -> None:
        """Queue a party's copy: the documents that concern it, and no others."""
        attachments = [
            MessageAttachment(file_name(each), "application/pdf", signing.sealed[each.id][-1])
            for each in signing.documents_of(party.key)
        ]
        try:
            records.add_message(
                self._core.place(party.participant) if party.participant else party.person,
                f"pades_signing.{text}",
                {"document": signing.title},
                attachments=attachments,
                brand=signing.brand,
                meeting=signing.meeting or None,
            )
        except (InvalidInputError, NotFoundError) as error:
            # A person without an address for files, or none any more: the copy stays in the archive, to be fetched.
            log.warning("copy without an address", extra={"signing": signing.id, "cause": type(error).__name__})


_MEDIA = {"xml": "application/xml", "der": "application/ocsp-response", "json": "application/json", "txt": "text/plain"}


def file_name(document: SignedDocument) -> str:
    stem = document.name.removesuffix(".pdf").strip() or "document"
    safe = "".join(sign if sign.isalnum() or sign in " -_," else "-" for sign in stem)
    return f"{safe[:80]}.pdf"


def _signer(
    party: Party,
    signature: Signature,
    number: int,
    inside: list[Attachment],
    kept: Mapping[str, str],
    document: SignedDocument,
) -> dict[str, Any]:
    return {
        "number": number,
        "person": party.person,
        "capacity": party.capacity,
        "method": signature.method,
        "kind": signature.kind,
        "provider": signature.provider,
        "loa": signature.loa,
        "at": to_text(signature.at),
        "proof_sha256": signature.proof,
        "seen": signature.seen.get(document.id, {}),
        "files": [each.name for each in inside],
        "archived_sha256": dict(kept),
    }


def signature_page(
    signing: Signing, document: SignedDocument, signers: list[Party], *, bank: str, zone: str, t: Words, core: Core
) -> SignaturePage:
    """Return the page of one document, in the language of the signing."""
    facts = [
        (
            t("pades_signing.page.document"),
            t("pades_signing.page.version", name=document.name, version=document.version),
        ),
        (t("pades_signing.page.pages"), str(document.pages)),
    ]
    if signing.amount is not None:
        facts.append((t("pades_signing.page.amount"), str(signing.amount)))
    facts += [
        (t("pades_signing.page.code"), document.code),
        ("SHA-256", document.sha256),
        (t("pades_signing.page.bytes"), str(document.length)),
    ]
    return SignaturePage(
        language=signing.language,
        brand=bank,
        title=t(f"pades_signing.page.title_{signing.act}"),
        lead=t(
            "pades_signing.page." + _outside("lead_approve" if signing.act == "approve" else "lead", signing), bank=bank
        ),
        facts=tuple(facts),
        signers_title=t(f"pades_signing.page.signers_{signing.act}"),
        signers=tuple(_on_page(signing, document, each, zone=zone, t=t, core=core) for each in signers),
        notes=(
            t("pades_signing.page.note_prefix", bytes=document.length),
            t("pades_signing.page.note_evidence"),
            t("pades_signing.page.note_seal", bank=bank),
        ),
        # The numbers are filled in by the page, so the braces come through as they are.
        number=t("pades_signing.page.number", n="{n}", of="{of}"),
    )


def _on_page(
    signing: Signing, document: SignedDocument, party: Party, *, zone: str, t: Words, core: Core
) -> SignerOnPage:
    signature = party.signature
    assert signature is not None
    how = _outside("method_touch", signing) if signature.kind == "touch" else f"method_{signature.kind}"
    facts = [
        (t("pades_signing.page.how"), t(f"pades_signing.page.{how}", title=_title(signature, t))),
        (t("pades_signing.page.when"), moment(signature.at, language=signing.language, zone=zone)),
        (t("pades_signing.page.level"), level(signature.loa, t)),
    ]
    if signing.meeting:
        facts.append((t("pades_signing.page.part"), t(f"pades_signing.capacity.{party.capacity}")))
    seen = signature.seen.get(document.id)
    if seen:
        said = t("pades_signing.page.seen_pages", pages=seen["pages"], of=document.pages, marked=seen["acknowledged"])
        facts.append((t("pades_signing.page.seen"), said))
    strokes: tuple[tuple[tuple[float, float], ...], ...] = ()
    if signature.kind == "touch":
        drawn = json.loads(core.objects.get(signature.evidence["touch.json"]))
        strokes = tuple(tuple((x, y) for x, y in stroke) for stroke in drawn.get("drawn", ()))
        if "typed" in drawn:
            facts.append((t("pades_signing.page.typed"), drawn["typed"]))
    return SignerOnPage(heading=signature.name, facts=tuple(facts), strokes=strokes)


def _outside(key: str, signing: Signing) -> str:
    """Return the text's key for this signing: outside a meeting nobody had a part in one, nor a document in view."""
    return key if signing.meeting else f"{key}_outside"


def _title(signature: Signature, t: Words) -> str:
    return t(f"{signature.method}.title") if signature.kind == "eid" else ""

"""What somebody wants signed, checked and frozen: documents as bytes, parties, order, methods, deadline."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sidecar.plugin_api import Core, DocumentsService, InvalidInputError, NotFoundError, new_id
from tillit_pades_signing import rules
from tillit_pades_signing.binding import LONGEST_VISIBLE
from tillit_pades_signing.model import METHODS, Amount, Party, SignedDocument, Signing
from tillit_pades_signing.seal.update import page_count

MOST_DOCUMENTS, MOST_PARTIES = 20, 20
LONGEST_DEADLINE = timedelta(days=366)
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Wanted:
    """A signing as it is asked for, in neutral values. Fields as in the service "signing" (docs: README).

    chosen: somebody chose it party by party, so a way that is not open to one is refused and not left out.
    """

    meeting: str | None
    brand: str
    language: str
    title: str
    documents: Sequence[Mapping[str, Any]]
    parties: Sequence[Mapping[str, Any]]
    deadline: datetime
    by: str
    text: str = field(default="", repr=False)
    act: str = "sign"
    amount: Mapping[str, Any] | None = None
    needed: int = 0
    reference: str = ""
    chosen: bool = False


def read_wanted(wanted: Wanted, *, core: Core, now: datetime, largest: int) -> tuple[Signing, dict[str, bytes]]:
    """Return the signing, not stored yet, and each document's bytes by id.

    Raises InvalidInputError, SigningRefusedError for an approval by fewer than the meeting's type asks for, for
    a document that a party does not see the whole of, and for a chosen way that is not open to a party.
    """
    _check(wanted.act in ("sign", "approve"), "act")
    title = _line(wanted.title, "title", most=200)
    _check(now + timedelta(minutes=1) <= wanted.deadline <= now + LONGEST_DEADLINE, "deadline")
    amount = _amount(wanted)
    parties = tuple(_party(each, wanted, core) for each in _list(wanted.parties, "parties", MOST_PARTIES))
    keys = [each.key for each in parties]
    _check(len(set(keys)) == len(keys), "parties")
    # One person signs once: two places of one person would be two signatures of one.
    _check(len({each.person for each in parties}) == len(parties), "parties")
    _check(0 <= wanted.needed <= len(parties) and (wanted.act == "approve" or not wanted.needed), "needed")
    if wanted.act == "approve" and wanted.meeting:
        # Four eyes: the rule is the meeting's, so nobody at the bank can ask for fewer.
        least = core.meeting(wanted.meeting).approvers
        rules.require((wanted.needed or len(parties)) >= least, "too_few_approvers", least=least)
    content: dict[str, bytes] = {}
    documents = tuple(
        _document(each, keys, core, content, meeting=wanted.meeting, largest=largest)
        for each in _list(wanted.documents, "documents", MOST_DOCUMENTS)
    )
    _check(len(content) == len(documents), "documents")
    _check({key for each in documents for key in each.parties} == set(keys), "documents")
    _check_readers(documents, parties, core)
    _check(len(wanted.text.encode()) <= LONGEST_VISIBLE // 2, "text")
    return (
        Signing(
            id=new_id("sg"),
            meeting=wanted.meeting or "",
            title=title,
            act=wanted.act,
            documents=documents,
            parties=parties,
            deadline=wanted.deadline,
            created_at=now,
            created_by=wanted.by,
            language=wanted.language,
            brand=wanted.brand,
            text=wanted.text.strip(),
            amount=amount,
            needed=wanted.needed,
            reference=wanted.reference[:120],
        ),
        content,
    )


def is_as_opened(signing: Signing, core: Core) -> bool:
    """Return whether every document of the room's is still there, in the version that was frozen."""
    try:
        room: DocumentsService = core.service("documents")
        found = [(room.get(each.source), each.sha256) for each in signing.documents if each.source]
    except NotFoundError:
        return False
    return all(each.state == "ready" and each.sha256 == sha256 for each, sha256 in found)


def _check_readers(documents: Sequence[SignedDocument], parties: Sequence[Party], core: Core) -> None:
    """Nobody is asked to sign what they may not read, all of it: their copy would show them the rest."""
    for document in documents:
        for party in parties:
            if document.source and party.key in document.parties:
                room: DocumentsService = core.service("documents")
                shown = room.shown_to(document.source, party.participant)
                rules.require(shown != "not", "not_shown", document=document.name, name=party.name)
                rules.require(shown == "whole", "masked", document=document.name, name=party.name)


def _amount(wanted: Wanted) -> Amount | None:
    """An approval is of an amount; a signature may name one."""
    given = wanted.amount
    _check(given is not None or wanted.act == "sign", "amount")
    if given is None:
        return None
    minor, currency = given.get("minor"), given.get("currency")
    _check(type(minor) is int and 0 < minor < 10**15, "amount")
    _check(isinstance(currency, str) and _CURRENCY.fullmatch(currency) is not None, "amount")
    return Amount(int(minor or 0), str(currency))


def _party(given: Mapping[str, Any], wanted: Wanted, core: Core) -> Party:
    key, participant = _key(given, "parties"), str(given.get("participant") or "")
    asked = given.get("methods", METHODS)
    _check(isinstance(asked, list | tuple) and all(each in METHODS for each in asked), "methods")
    # Several factors in one: only an eID is that, so an approval is given with nothing weaker.
    methods = tuple(each for each in (("eid",) if wanted.act == "approve" else METHODS) if each in asked)
    _check(bool(methods), "methods")
    turn = given.get("turn", 1)
    _check(type(turn) is int and 1 <= turn <= MOST_PARTIES, "turn")
    if wanted.meeting:
        place = core.place(participant)
        _check(place.meeting == wanted.meeting and bool(place.person), "participant")
        _check(wanted.act != "approve" or "approve_transaction" in place.permissions, "participant")
        person, name, language, capacity = place.person, place.name, place.language, str(place.capacity)
        if wanted.chosen:
            left = {each.kind for each in core.signing_methods(place)} & set(methods)
            rules.require("methods" not in given or left == set(asked), "way_not_open", name=name)
            rules.require(bool(left), "no_way", name=name)
    else:
        known = core.person(str(given.get("person", "")))
        person, name, language, capacity = known.id, known.name, known.language, "party"
        participant = ""
    return Party(
        key=key,
        participant=participant,
        person=person,
        name=name,
        capacity=capacity,
        turn=turn,
        methods=methods,
        language=language,
    )


def _document(
    given: Mapping[str, Any],
    keys: Sequence[str],
    core: Core,
    content: dict[str, bytes],
    *,
    meeting: str | None,
    largest: int,
) -> SignedDocument:
    source = str(given.get("document") or "")
    version = given.get("version", 1)
    name = given.get("name", "")
    if source:
        room: DocumentsService = core.service("documents")
        found = room.get(source)
        _check(found.state == "ready" and found.meeting == meeting, "documents")
        data, name, version = room.content(source), name or found.name, found.version
    else:
        data = given.get("data", b"")
    _check(isinstance(data, bytes) and 0 < len(data) <= largest, "documents")
    _check(type(version) is int and version >= 1, "version")
    parties = tuple(dict.fromkeys(str(each) for each in given.get("parties", keys)))
    _check(bool(parties) and set(parties) <= set(keys), "parties")
    document = source or _key(given, "documents")
    content[document] = data
    return SignedDocument(
        id=document,
        name=_line(name, "name", most=200),
        version=version,
        sha256=hashlib.sha256(data).hexdigest(),
        length=len(data),
        pages=page_count(data),
        parties=parties,
        source=source,
    )


def _check(holds: bool, field_name: str) -> None:
    if not holds:
        raise InvalidInputError(f"The field {field_name} of a signing is not of its form.", field=field_name)


def _key(given: Mapping[str, Any], field_name: str) -> str:
    key = given.get("key", "")
    _check(isinstance(key, str) and _KEY.fullmatch(key) is not None, field_name)
    return str(key)


def _line(text: Any, field_name: str, *, most: int) -> str:
    line = " ".join(text.split()) if isinstance(text, str) else ""
    _check(1 <= len(line) <= most and line.isprintable(), field_name)
    return line


def _list(given: Any, field_name: str, most: int) -> Sequence[Mapping[str, Any]]:
    _check(isinstance(given, list | tuple) and 1 <= len(given) <= most, field_name)
    _check(all(isinstance(each, Mapping) for each in given), field_name)
    found: Sequence[Mapping[str, Any]] = given
    return found

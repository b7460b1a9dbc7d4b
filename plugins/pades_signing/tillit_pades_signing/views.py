"""What the panel is told: one signing as one person may see it, and a document's page of evidence for nobody else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sidecar.plugin_api import Core, NotFoundError, PlaceView, to_text
from tillit_pades_signing import rules
from tillit_pades_signing.model import METHODS, Party, PartyState, SignedDocument, Signing, State
from tillit_pades_signing.signings import Signings
from tillit_pades_signing.words import until

FILE_CHANNELS = frozenset({"inbox", "email"})  # a text message carries no file


def may_see(signing: Signing, place: PlaceView) -> bool:
    """The parties and the bank's own people; nobody else in the room."""
    return place.is_staff or signing.party_at(place.participant) is not None


class Views:
    def __init__(self, core: Core, signings: Signings) -> None:
        self._core, self._signings = core, signings

    def of(self, signing: Signing, place: PlaceView, now: datetime) -> dict[str, Any]:
        """Return a signing for the panel. Names of documents a person is no party to are left out."""
        me = signing.party_at(place.participant)
        zone = self._core.brand(signing.brand).time_zone
        turn = rules.next_turn(signing)
        state = rules.expire(signing, now).state
        shown = [each for each in signing.documents if place.is_staff or (me is not None and me.key in each.parties)]
        return {
            "id": signing.id,
            "title": signing.title,
            "act": signing.act,
            "text": signing.text,
            "amount": str(signing.amount) if signing.amount else None,
            "state": str(state),
            "deadline": to_text(signing.deadline),
            "deadline_said": until(signing.deadline, language=place.language, zone=zone),
            "needed": signing.needed or len(signing.parties),
            "mine": place.is_staff,
            "documents": [self._document(each, signing) for each in shown],
            "parties": [self._party(each, signing, place, turn=turn, zone=zone) for each in signing.parties],
            "me": self._me(signing, me, now) if me is not None else None,
        }

    @staticmethod
    def _document(document: SignedDocument, signing: Signing) -> dict[str, Any]:
        return {
            "id": document.id,
            "source": document.source,
            "name": document.name,
            "version": document.version,
            "pages": document.pages,
            "control": document.code,
            "copy": signing.state in (State.SEALED, State.PRESERVED),
        }

    def _party(
        self, party: Party, signing: Signing, reader: PlaceView, *, turn: int | None, zone: str
    ) -> dict[str, Any]:
        state = str(party.state)
        if party.state is PartyState.WAITING and signing.state is State.OPEN:
            if not self._is_here(party):
                state = "gone"
            elif party.attempt is not None:
                state = "signing"
            elif party.turn == turn:
                state = "turn"
        signature = party.signature
        return {
            "key": party.key,
            "name": party.name,
            "turn": party.turn,
            "state": state,
            "is_me": party.participant == reader.participant,
            "at_said": until(signature.at, language=reader.language, zone=zone) if signature else None,
            "kind": signature.kind if signature else None,
        }

    def ways(self, place: PlaceView, language: str) -> list[dict[str, str]]:
        """Return the kinds of signature that are open to a person here, the strongest first, in a reader's words."""
        titles: dict[str, list[str]] = {}
        for each in self._core.signing_methods(place):
            titles.setdefault(each.kind, []).append(self._title(language, each.name, each.kind))
        strongest = sorted(titles, key=METHODS.index, reverse=True)
        return [{"kind": kind, "title": ", ".join(titles[kind])} for kind in strongest]

    def _title(self, language: str, method: str, kind: str) -> str:
        return self._core.t(language, f"{method}.title" if kind == "eid" else f"pades_signing.{method}.title")

    def _is_here(self, party: Party) -> bool:
        if not party.participant:
            return True
        try:
            place = self._core.place(party.participant)
        except NotFoundError:
            return False
        return place.inside and not place.away

    def _me(self, signing: Signing, me: Party, now: datetime) -> dict[str, Any]:
        """Return what this person can do: the rule that holds them back, what is still to be seen, the ways."""
        held = rules.may_sign_now(signing, me, now)
        open_to_me = held is None
        missing = self._signings.missing(signing, me) if open_to_me else {}
        return {
            "key": me.key,
            "held_back": held,
            "missing": [{"document": document, "clauses": list(clauses)} for document, clauses in missing.items()],
            "methods": [
                {"name": each.name, "kind": each.kind, "title": self._title(me.language, each.name, each.kind)}
                for each in (self._signings.methods(signing, me) if open_to_me else ())
            ],
            "signing": me.attempt is not None,
            "method": me.attempt.method if me.attempt is not None else None,
            "copy": self._copy(signing, me),
        }

    def _copy(self, signing: Signing, me: Party) -> str | None:
        """Say whether this person's copy waits for the time-stamp, is sent, or finds no way to them."""
        if me.signature is None or signing.state not in (State.SEALED, State.PRESERVED):
            return None
        if not FILE_CHANNELS & set(self._core.person(me.person).channels):
            return "none"
        return "waits" if signing.copies_by is not None else "sent"


def neutral(signing: Signing, now: datetime) -> Mapping[str, Any]:
    """Return a signing for another plugin or a connected system: keys and states, no names of persons."""
    return {
        "id": signing.id,
        "state": str(rules.expire(signing, now).state),
        "reference": signing.reference,
        "act": signing.act,
        "deadline": to_text(signing.deadline),
        "copies_by": to_text(signing.copies_by) if signing.copies_by is not None else None,
        "parties": [
            {"key": each.key, "state": str(each.state), "method": each.signature.method if each.signature else None}
            for each in signing.parties
        ],
        "documents": [
            {
                "key": each.id,
                "name": each.name,
                "sha256": each.sha256,
                "sealed": bool(signing.sealed.get(each.id)),
                "preserved": signing.preserved_at is not None,
            }
            for each in signing.documents
        ],
    }

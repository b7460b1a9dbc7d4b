"""A signing: which documents, which parties, in which order, by when, and how far each has come. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sidecar.plugin_api import from_text, to_text


class State(StrEnum):
    """Where a signing stands. Only `open` takes signatures; the later ones follow each other, never back."""

    OPEN = "open"
    SIGNED = "signed"  # every party has signed; the sealed files are being made
    SEALED = "sealed"  # PAdES B-B, stored; copies queued where no time-stamp is to follow
    PRESERVED = "preserved"  # PAdES B-LTA, copies queued
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class PartyState(StrEnum):
    WAITING = "waiting"  # may not have come yet, or somebody else signs first
    SIGNED = "signed"
    DECLINED = "declined"


MOST_EVENTS = 200  # a record holds 1 MB, and a public page lets anybody try
METHODS = ("touch", "sms", "eid")  # from the weakest to the strongest, as the band's floor names them


# How many decimals the smallest unit of a currency has, where it is not two. Source: ISO 4217, list one.
_CURRENCIES = {
    0: (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ),
    3: ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
    4: ("CLF", "UYW"),
}
DECIMALS = {currency: places for places, known in _CURRENCIES.items() for currency in known}


@dataclass(frozen=True)
class SignedDocument:
    """One document as it is to be signed: these very bytes. parties: keys of those it concerns, who get a copy.

    sha256: hex, of the bytes. length: their number. original: the object that holds them. source: the document's
    id in the document room, "" when it came from elsewhere.
    """

    id: str
    name: str = field(repr=False)
    version: int
    sha256: str
    length: int
    pages: int
    parties: tuple[str, ...]
    original: str = ""
    source: str = ""

    @property
    def code(self) -> str:
        """What a person compares: the first twelve signs of the digest, in fours."""
        first = self.sha256[:12].upper()
        return f"{first[:4]} {first[4:8]} {first[8:]}"


@dataclass(frozen=True)
class Amount:
    """What an approval is for. minor: in the currency's smallest unit. currency: ISO 4217."""

    minor: int
    currency: str

    def __str__(self) -> str:
        places = DECIMALS.get(self.currency, 2)
        whole, rest = divmod(self.minor, 10**places)
        grouped = f"{whole:,}".replace(",", " ")
        return f"{grouped},{rest:0{places}d} {self.currency}" if rest else f"{grouped} {self.currency}"


@dataclass(frozen=True)
class Signature:
    """What a party left. evidence: object ids by name; digests: SHA-256 hex by the same name.

    visible, hidden: what was signed, as sent to the method. proof: SHA-256 over the evidence: the same proof
    is never taken twice. attached: names of evidence that stands inside the sealed file.
    """

    method: str
    kind: str
    provider: str
    loa: int
    name: str = field(repr=False)
    at: datetime
    visible: str = field(repr=False)
    hidden: str = field(repr=False)
    proof: str
    evidence: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """A party's try that is under way. id: new for each, and part of what is signed.

    visible, hidden: what the party is asked to sign. The method's own state lies in a record of its own.
    """

    id: str
    method: str
    kind: str
    started_at: datetime
    visible: str = field(repr=False)
    hidden: str = field(repr=False)
    device: str = field(default="", repr=False)
    same_device: bool = False
    return_path: str = ""


@dataclass(frozen=True)
class Party:
    """Who signs. key: within this signing ("p1"). participant: the place in the meeting. person: pseudonym.

    turn: those of a lower turn sign first; all of one turn may sign in any order. methods: kinds allowed.
    """

    key: str
    participant: str
    person: str
    name: str = field(repr=False)
    capacity: str
    turn: int
    methods: tuple[str, ...]
    language: str = "sv"
    state: PartyState = PartyState.WAITING
    attempt: Attempt | None = None
    signature: Signature | None = None


@dataclass(frozen=True)
class Signing:
    """The whole of it. act: "sign", or "approve" for a transaction, which then has an amount.

    text: what is agreed, in the signers' words, shown wherever they confirm. needed: how many of the parties
    must sign; all of them unless it is an approval by some of several. sealed: document id -> object ids of
    the sealed file, oldest first. archived: document id -> its id in the document room. reference: the caller's.
    copies_by: until when what is sent waits for a time-stamp; None before there is a seal, and once it waits no more.
    events: what was recorded of one outside a meeting, whose entries cannot be read from the log by their meeting.
    """

    id: str
    meeting: str
    title: str = field(repr=False)
    act: str
    documents: tuple[SignedDocument, ...]
    parties: tuple[Party, ...]
    deadline: datetime
    created_at: datetime
    created_by: str
    language: str
    brand: str
    text: str = field(default="", repr=False)
    amount: Amount | None = None
    needed: int = 0
    state: State = State.OPEN
    ended_at: datetime | None = None
    sealed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    preserved_at: datetime | None = None
    renew_at: datetime | None = None
    archived: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    copies_by: datetime | None = None
    events: tuple[Mapping[str, Any], ...] = ()

    def party(self, key: str) -> Party:
        """Raises KeyError."""
        for each in self.parties:
            if each.key == key:
                return each
        raise KeyError(key)

    def party_at(self, participant: str) -> Party | None:
        return next((each for each in self.parties if each.participant == participant), None)

    def with_party(self, party: Party) -> "Signing":
        return replace(self, parties=tuple(party if each.key == party.key else each for each in self.parties))

    def documents_of(self, key: str) -> tuple[SignedDocument, ...]:
        return tuple(each for each in self.documents if key in each.parties)

    @property
    def signed(self) -> tuple[Party, ...]:
        return tuple(each for each in self.parties if each.state is PartyState.SIGNED)

    def with_event(self, event: Mapping[str, Any]) -> "Signing":
        """Keep one more. Of many tries the oldest are forgotten, never how it went on."""
        events = [*self.events, event]
        if len(events) > MOST_EVENTS:
            tries = (each for each in events if str(each["kind"]).endswith((".begun", ".failed")))
            events.remove(next(tries, events[0]))
        return replace(self, events=tuple(events))

    # To the store and back

    def to_body(self) -> dict[str, Any]:
        """Return the signing as JSON values."""
        return {key: _plain(each) for key, each in vars(self).items()}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Signing":
        """Return what to_body() wrote. Raises KeyError, TypeError, ValueError for anything else."""
        values = dict(body)
        values["documents"] = tuple(_document(each) for each in values["documents"])
        values["parties"] = tuple(_party(each) for each in values["parties"])
        values["amount"] = Amount(**values["amount"]) if values["amount"] else None
        values["state"] = State(values["state"])
        values["events"] = tuple(values.get("events", ()))
        values["sealed"] = {key: tuple(objects) for key, objects in values["sealed"].items()}
        for key in ("deadline", "created_at", "ended_at", "preserved_at", "renew_at", "copies_by"):
            values[key] = from_text(values[key]) if values.get(key) else None
        return cls(**values)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, with times as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in vars(value).items()}  # a part of a signing


def _document(values: Mapping[str, Any]) -> SignedDocument:
    return SignedDocument(**{**values, "parties": tuple(values["parties"])})


def _party(values: Mapping[str, Any]) -> Party:
    attempt, signature = values["attempt"], values["signature"]
    return Party(
        **{
            **values,
            "methods": tuple(values["methods"]),
            "state": PartyState(values["state"]),
            "attempt": Attempt(**{**attempt, "started_at": from_text(attempt["started_at"])}) if attempt else None,
            "signature": Signature(**{**signature, "at": from_text(signature["at"])}) if signature else None,
        }
    )

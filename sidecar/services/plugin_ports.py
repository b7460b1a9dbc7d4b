"""What a plugin sees of the product and may ask of it, as values and Protocols; plugin_api exports all of it.

`Core` is the way in. A plugin decides, then calls `Core.perform`: its audit record is written durably first, its
records and errands change in one transaction, and the announcement is stored with them (services/acts.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from sidecar.domain.errors import TillitError
from sidecar.domain.identity import LoA, Subject
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Band, Decision
from sidecar.services.signing_ports import ClientView, SigningMethod, SigningRequest, SignQuestion

T = TypeVar("T")


class PluginRefusedError(TillitError):
    """A plugin says no, in a sentence of its own texts. params: sentence, the text's key, and its values."""

    slug = "plugin-refused"


@dataclass(frozen=True)
class PlaceView:
    """One person's place in one meeting, as a plugin sees it.

    meeting, participant: ids. person: the pseudonym, of a customer, guest or staff member; "" for a caller who
    has not identified. name: as verified, or as invited before that. permissions: what the policy grants now.
    inside: admitted, and the time in the room not over. away: inside, but left or lost just now, and may come back.
    meeting_type: "mortgage@1".
    """

    meeting: str
    participant: str
    person: str
    name: str = field(repr=False)
    capacity: Capacity
    band: Band
    meeting_type: str
    language: str
    brand: str
    loa: LoA | None
    provider: str
    permissions: frozenset[str]
    is_staff: bool
    inside: bool
    meeting_state: str
    away: bool = False


@dataclass(frozen=True)
class MeetingView:
    """One meeting, as a plugin sees it.

    titles, purposes of the type: by language. signing: the methods type and floors leave now, of "touch", "sms",
    "eid", "eid_step_up". plugins: those this meeting lets in now. state: "booked", "open", "ended", ...
    approvers: how many people a transaction needs at the least.
    """

    id: str
    titles: Mapping[str, str]
    type_ref: str
    band: Band
    segment: str
    brand: str
    region: str
    state: str
    starts_at: datetime
    ends_at: datetime
    retain_until: datetime
    purpose: str = field(repr=False)
    language: str
    case: str
    signing: frozenset[str]
    plugins: frozenset[str]
    places: tuple[PlaceView, ...]
    approvers: int = 1

    def title(self, language: str) -> str:
        """Return the type's title in a language, in English where it has none."""
        return self.titles.get(language) or self.titles["en"]


@dataclass(frozen=True)
class PersonView:
    """Somebody by pseudonym. channels: how they can be reached, best first, of "inbox", "email", "sms"."""

    id: str
    name: str = field(repr=False)
    language: str
    country: str
    channels: tuple[str, ...]
    has_number: bool  # a personal number is known, so an eID's answer can be held against it


@dataclass(frozen=True)
class StaffView:
    """A signed-in staff member at the desk. packages: role packages; rights: at the desk ("book", ...)."""

    id: str
    name: str = field(repr=False)
    packages: frozenset[str]
    rights: frozenset[str]


@dataclass(frozen=True)
class BrandView:
    """One bank's face. url: without a path. logo: SVG or PNG and its media type, None where it has none."""

    id: str
    name: str
    url: str
    phone: str
    sender: str
    colour: str
    languages: tuple[str, ...]
    time_zone: str
    logo: tuple[bytes, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PluginAct:
    """What a plugin is about to do, as the evidence will tell it.

    kind: one of the manifest's audit_kinds. data: pseudonyms, ids, digests, counts; never content, a name or a
    number (the log refuses those, and the act with them). place or meeting: what it is about; actor: a pseudonym,
    the place's person when left out, else "system". public: what open pages hear of it (`api.on(kind, ...)` in a
    panel), None for nothing. announce_to: whose pages, "all" in the meeting or participant ids.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    place: PlaceView | None = None
    meeting: str | None = None
    actor: str | None = None
    public: Mapping[str, Any] | None = None
    announce_to: Literal["all"] | Sequence[str] = "all"


@dataclass(frozen=True)
class Record:
    """One JSON document of a plugin's. version: 1 when it is new, one more with each change."""

    id: str
    meeting: str | None
    version: int
    body: Mapping[str, Any] = field(repr=False)
    updated_at: datetime


@dataclass(frozen=True)
class ErrandView:
    """Work the worker does for a plugin, at least once. attempts: how often it was tried before."""

    id: str
    kind: str
    meeting: str | None
    body: Mapping[str, Any] = field(repr=False)
    attempts: int
    due_at: datetime


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message. object: its id in the object store, where it lies encrypted."""

    name: str
    media_type: str
    object: str


@dataclass(frozen=True)
class AuditEntryView:
    """An entry of the audit log. index: its place in the log. actor: a pseudonym or "system"."""

    index: int
    kind: str
    actor: str
    at: datetime
    data: Mapping[str, Any]


class Records(Protocol):
    """The JSON documents of one plugin, sealed at rest, in the meetings store. Nobody else's are reachable.

    A collection and an id name a document: 1 to 60 of a-z, 0-9, "_", "-", "." and ":". Changes are allowed inside
    `Core.perform` only, in the transaction of its announcement; `Core.records()` reads what is committed.
    """

    def get(self, collection: str, id: str) -> Record:
        """Raises NotFoundError."""

    def find(self, collection: str, *, meeting: str | None = None, limit: int = 500) -> list[Record]:
        """Return a collection's documents, of one meeting when it is named, the oldest first."""

    def put(
        self,
        collection: str,
        id: str,
        body: Mapping[str, Any],
        *,
        meeting: str | None = None,
        expected: int | None = None,
    ) -> int:
        """Store a document and return its new version. At most 1 MB of JSON.

        expected: the version it was read with, 0 for one that must not exist yet; another one raises
        ConflictError. meeting: whose retention rule the document follows.
        """

    def drop(self, collection: str, id: str) -> None:
        """Delete a document. No error when there is none."""

    def add_errand(
        self, kind: str, body: Mapping[str, Any], *, due_at: datetime | None = None, meeting: str | None = None
    ) -> str:
        """Queue work for the worker and return its id. kind: one of `provide_errands`. due_at: now when left out."""

    def add_message(
        self,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str] | None = None,
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> str:
        """Queue a message to a place or to a person by pseudonym, and return its errand's id.

        text: the key of a subject and body in the plugin's texts, "<text>.subject", "<text>.body" and, for a text
        message, "<text>.sms". params: by placeholder; "bank", "phone" and "name" are filled in. channel: the best
        the person has when left out; files go by "email" and "inbox" only. brand: needed for a person.
        Raises InvalidInputError where the person cannot be reached this way.
        """


class PluginObjects(Protocol):
    """Encrypted objects, each under its own key. object_class: the plugin's word, "page", "original"."""

    def put(self, meeting: str | None, object_class: str, data: bytes) -> str:
        """Store durably and return the object's id."""

    def get(self, id: str) -> bytes:
        """Raises NotFoundError where the object or its key is gone."""

    def drop(self, id: str) -> None:
        """Destroy an object's key, then the object. No error when there is none."""


class Core(Protocol):
    """What a plugin may ask of the product. Usable once the start is over, never inside `load`."""

    def place(self, participant: str) -> PlaceView:
        """Raises NotFoundError."""

    def meeting(self, meeting: str) -> MeetingView:
        """Raises NotFoundError."""

    def places(self, meeting: str) -> list[PlaceView]: ...

    def person(self, person: str) -> PersonView:
        """Raises NotFoundError, also for an erased person."""

    def add_person(
        self,
        *,
        name: str,
        subject: Subject | None = None,
        email: str = "",
        phone: str = "",
        language: str = "sv",
        country: str = "SE",
    ) -> str:
        """Return the pseudonym of somebody from outside a meeting, the known one's where the subject is known.

        subject: from `normalise_national_id`. Raises InvalidInputError naming the field.
        """

    def decide(self, place: PlaceView, permission: str) -> Decision:
        """Say whether the policy grants this now, without recording anything."""

    def require(self, place: PlaceView, permission: str, act: str) -> None:
        """Raise RefusedError, recorded under its rule, unless the policy grants the permission now.

        act: the audit kind of what was asked for. Says nothing about being inside: see PlaceView.inside.
        """

    def perform(
        self,
        *acts: PluginAct,
        effect: Callable[[Records], T],
        before: Callable[[], object] | None = None,
    ) -> T:
        """Record the acts durably, run `before`, then the effect and the announcements in one transaction.

        The plugin has decided already. before: what changes outside the store (an object, a remote system).
        effect may be run again when the store asks for it: it changes records only. Raises
        AuditUnavailableError with nothing done, ConflictError when a record changed since it was read.
        """

    def tell(self, act: PluginAct) -> None:
        """Let open pages hear of what changes nothing and is no evidence: whose cursor stands in which field.

        Nothing is recorded. kind: of the manifest's audit_kinds, and never one that is performed as well.
        """

    def keep(self, effect: Callable[[Records], T]) -> T:
        """Change records without an act: the inner state of something under way, as a sign-in's is kept.

        What anybody could ask about later is an act, and goes through `perform`.
        """

    def records(self) -> Records:
        """Return the plugin's records for reading."""

    @property
    def objects(self) -> PluginObjects: ...

    def service(self, name: str) -> Any:
        """Return what a plugin offers under that name (`provide_services`), DocumentsService under "documents".

        Raises NotFoundError where no loaded plugin does.
        """

    def message(
        self,
        to: PlaceView | str,
        text: str,
        params: Mapping[str, str] | None = None,
        *,
        attachments: Sequence[Attachment] = (),
        channel: str | None = None,
        brand: str | None = None,
        meeting: str | None = None,
    ) -> str:
        """Queue a message by itself; `Records.add_message` does it in the transaction of an act."""

    def signing_methods(self, place: PlaceView | None) -> list[SigningMethod]:
        """Return the ways this person may sign now and can, the strongest first; every loaded one without a place."""

    def signing_request(
        self,
        of: PlaceView | str,
        client: ClientView,
        *,
        visible_text: str,
        hidden_data: bytes,
        same_device: bool,
        return_path: str,
        language: str | None = None,
        brand: str | None = None,
    ) -> SigningRequest:
        """Return the request to hand to a signing method: the core fills in who must sign and where to reach them.

        of: a place, or a person by pseudonym (then brand is needed). return_path: as `link` takes it.
        """

    def require_sign(self, question: SignQuestion, act: str) -> None:
        """Raise RefusedError, recorded, unless permission, floor and every plugin's judge_sign let this signing."""

    def audit_entries(self, meeting: str, kinds: Sequence[str] = ()) -> list[AuditEntryView]:
        """Return a meeting's entries in the order of the log, of these kinds, or all."""

    def brand(self, id: str) -> BrandView:
        """Raises NotFoundError."""

    def link(self, place: PlaceView | None, path: str, *, brand: str | None = None) -> str:
        """Return an absolute address. path: below this plugin's routes of the place, or of "anyone" without one.

        A path that begins with a slash stands below the brand's own address.
        """

    def t(self, language: str, key: str, **params: object) -> str:
        """Return a sentence of the product's or the plugin's texts."""

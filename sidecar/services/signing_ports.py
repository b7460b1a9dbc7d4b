"""Signing as a plugin offers it, and documents as one plugin gives them to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from sidecar.domain.identity import EvidencePart, LoA, Subject
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Band

SigningKind = Literal["touch", "sms", "eid"]


@dataclass(frozen=True)
class ClientView:
    """The browser that asks, as an eID service wants to know it. device: hash of a long-lived cookie, hex."""

    ip: str = field(repr=False)
    user_agent: str = field(repr=False)
    referring_domain: str
    device: str


@dataclass(frozen=True)
class SigningRequest:
    """One person's signature on one act, as a signing method sees it.

    id: of this signing, new each time. meeting, participant: ids, "" outside a meeting. subject: whom it must be;
    None where nobody's number is known, then the method's own proof is all there is. visible_text: what the person
    reads in the app, plain or simple markdown, at most 40,000 signs as base64. hidden_data: digests, JSON.
    return_url: where the app comes back to. contact: the address a code may go to, by channel name.
    """

    id: str
    meeting: str
    participant: str
    brand_name: str
    language: str
    end_user_ip: str = field(repr=False)
    user_agent: str
    referring_domain: str
    device: str
    same_device: bool
    return_url: str | None
    visible_text: str = field(repr=False)
    hidden_data: bytes = field(repr=False)
    subject: Subject | None = field(default=None, repr=False)
    contact: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SignCompletion:
    """A signature that was given and checked.

    signed_text_sha256, hidden_sha256: of exactly what the remote side says was signed, hex. The caller holds them
    against what it asked for. subject: who signed. evidence: the remote side's proof, whole.
    """

    method: str
    provider: str
    loa: LoA
    subject: Subject | None = field(repr=False)
    name: str = field(repr=False)
    at: datetime
    evidence: tuple[EvidencePart, ...]
    signed_text_sha256: str
    hidden_sha256: str


@dataclass(frozen=True)
class SignStep:
    """Where a signing stands. Fields as in SignInStep; state stays on the server, JSON values only."""

    status: Literal["pending", "failed", "complete"]
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    completion: SignCompletion | None = None


class SigningMethod(Protocol):
    """A way to sign. Stateless: all state travels in SignStep.state. Texts: "<name>.title" as for a sign-in.

    One of the kind "eid" may say in `number_schemes` whose numbers it can be held against, such as
    frozenset({"se-personnummer"}); else it is offered to whoever has a national number, of any country.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> SigningKind: ...
    @property
    def loa(self) -> LoA: ...

    def start(self, request: SigningRequest) -> SignStep:
        """Begin. Never raises for what the remote side answers: that is a failed step with its sentence."""

    def poll(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep:
        """Say where it stands."""

    def submit(self, request: SigningRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignStep:
        """Take what the person typed, drew, or what the return URL carried."""

    def cancel(self, request: SigningRequest, state: Mapping[str, Any]) -> None:
        """Stop it at the remote side. Never raises."""


@dataclass(frozen=True)
class SignQuestion:
    """Who wants to sign what, without any personal data. documents: ids and digests, as DocumentsService has them."""

    meeting: str
    participant: str
    capacity: Capacity
    band: Band
    meeting_type: str
    method: str
    kind: SigningKind
    documents: tuple[tuple[str, str], ...]  # (document id, SHA-256 hex)
    permission: Literal["sign", "approve_transaction"] = "sign"


@dataclass(frozen=True)
class ClauseView:
    """A clause one must not miss. page: from 1. box: x, y, width, height as shares of the page, from the top left."""

    id: str
    page: int
    title: str = field(repr=False)
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class DocumentView:
    """One version of one document. state: "draft", "ready", "withdrawn", "signed" or "deleted"."""

    id: str
    meeting: str
    name: str = field(repr=False)
    version: int
    sha256: str
    pages: int
    state: str
    critical: tuple[ClauseView, ...]


@dataclass(frozen=True)
class SeenView:
    """What one person saw of one document version. seconds: in view, by page. missing: clause ids not dealt with."""

    document: str
    version: int
    participant: str
    pages: tuple[int, ...]
    seconds: Mapping[int, float]
    acknowledged: tuple[str, ...]
    complete: bool
    missing: tuple[str, ...]


class DocumentsService(Protocol):
    """Documents of a meeting, as `document_room` offers them under the name "documents"."""

    def add(
        self,
        meeting: str,
        name: str,
        data: bytes,
        *,
        by: str,
        origin: Literal["upload", "form", "signed", "import"],
        visible_to: Sequence[str] | None = None,
        critical: Sequence[ClauseView] = (),
        hidden: Sequence[str] = (),
    ) -> str:
        """Keep a PDF and return its id. visible_to: capacities or participant ids, None for all who may view.

        hidden: words nobody sees who may not see unmasked values, wherever they stand in it.
        Raises InvalidInputError where the file cannot be taken in, or where hidden words stand nowhere.
        """

    def extend(self, document: str, data: bytes, *, by: str) -> None:
        """Keep a signed document's file with what was added behind it, such as a further time-stamp. Twice is once.

        Raises NotFoundError, InvalidInputError where it does not begin with the file that is kept.
        """

    def get(self, document: str) -> DocumentView:
        """Raises NotFoundError."""

    def content(self, document: str) -> bytes:
        """Return the PDF's bytes. Raises NotFoundError."""

    def shown_to(self, document: str, participant: str) -> Literal["whole", "masked", "not"]:
        """Say whether this person may see the present version: whole, with parts hidden from them, or not at all.

        Raises NotFoundError.
        """

    def seen(self, document: str, participant: str) -> SeenView:
        """Return what this person saw of the document's present version."""

    def of_meeting(self, meeting: str) -> list[DocumentView]: ...

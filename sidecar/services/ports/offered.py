"""What plugins implement; they see it through sidecar.plugin_api."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from sidecar.domain.errors import TillitError
from sidecar.domain.identity import IdentityAssertion, LoA, StaffAssertion
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Band, Decision
from sidecar.services.plugin_ports import ErrandView
from sidecar.services.signing_ports import SigningMethod, SignQuestion


@dataclass(frozen=True)
class SignInRequest:
    """One person's sign-in to one meeting, as an identity method sees it.

    purpose: a sentence in the person's language, shown in the eID app ("Legitimera dig för bolånemöte ...").
    end_user_ip: as this service sees it. device: hash of a long-lived cookie, hex. same_device: the person
    wants the app on this device. return_url: where the app comes back to, with a nonce, or None.
    contact: the address a code may be sent to, by channel name ("sms" -> "+4670..."), already checked to
    differ from where the link went. meeting, participant: ids, safe to log.
    """

    meeting: str
    participant: str
    brand_name: str
    purpose: str
    language: str
    end_user_ip: str
    user_agent: str
    referring_domain: str
    device: str
    same_device: bool
    return_url: str | None
    contact: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SignInStep:
    """Where a sign-in stands.

    status: "pending" (poll or submit again), "failed" (start again or choose another way), "complete".
    message: key of the sentence for the person, in the plugin's texts. params: values for the sentence.
    view: what the browser may see: {"qr": "<svg ...>"}, {"launch_url": "bankid:///..."},
    {"field": "code", "length": 6, "attempts_left": 3}, {"alert_adviser": true}
    with "failed": the person said in the eID's app that this is no call of theirs, which the adviser is told.
    state: what the plugin needs next time; kept on the server, never leaves it. JSON values only.
    """

    status: Literal["pending", "failed", "complete"]
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    assertion: IdentityAssertion | None = None


class IdentityMethod(Protocol):
    """A way to show who one is. Stateless: all state travels in SignInStep.state.

    One of the kind "code" may say in `channels` where its codes go, first choice first; else they go by "sms".
    """

    name: str  # "bankid"; its title is the text "<name>.title", one line of help "<name>.help"
    loa: LoA
    kind: Literal["eid", "code"]

    def start(self, request: SignInRequest) -> SignInStep:
        """Begin. Never raises for what the remote side answers: that is a failed step with its sentence."""

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        """Say where it stands. Called about once a second by the waiting page."""

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        """Take what the person typed or what the return URL carried ({"code": ...} or {"nonce": ...})."""

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        """Stop it at the remote side. Never raises."""


@dataclass(frozen=True)
class StaffRedirect:
    """Where to send the browser, and what to keep on the server until it comes back."""

    url: str
    state: Mapping[str, Any] = field(repr=False)


class StaffSignInError(TillitError):
    """The bank's identity service did not vouch for this staff member."""

    slug = "staff-sign-in-failed"


class StaffSignIn(Protocol):
    """Sign-in of staff through the bank's own identity service."""

    name: str

    def begin(self, *, redirect_uri: str, purpose: Literal["desk", "call"], now: datetime) -> StaffRedirect:
        """Start. purpose "desk": two factors. "call": fresh, with security key or phone, max age zero."""

    def complete(self, *, query: Mapping[str, str], state: Mapping[str, Any], now: datetime) -> StaffAssertion:
        """Finish with the query the browser came back with. Raises StaffSignInError, one message for all causes."""


@dataclass(frozen=True)
class OutboundMessage:
    """A message to one person over one channel, ready to send. attachments: (file name, media type, bytes)."""

    message_id: str
    channel: str
    address: str = field(repr=False)
    sender_name: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    attachments: tuple[tuple[str, str, bytes], ...] = field(default=(), repr=False)


class DeliveryFailedError(TillitError):
    """A message did not go out. params: retry (bool), whether a later try can help."""

    slug = "delivery-failed"


class NotificationChannel(Protocol):
    """A way to reach a person."""

    name: str  # "email", "sms", "inbox"

    def send(self, message: OutboundMessage) -> str:
        """Hand over and return the remote side's reference. Raises DeliveryFailedError(retry=...).

        The same message_id twice is delivered once where the remote side can tell.
        """


@dataclass(frozen=True)
class JoinQuestion:
    """Who wants to enter which meeting, without any personal data."""

    meeting: str
    participant: str
    capacity: Capacity
    band: Band
    meeting_type: str
    loa: LoA
    provider: str


@dataclass(frozen=True)
class MeetingFact:
    """Something that happened, as recorded: kind as in docs/events.md, data without personal data."""

    kind: str
    meeting: str
    at: datetime
    data: Mapping[str, Any]


class Extensions(Protocol):
    """What the loaded plugins offer: plugin_manager.PluginManager, testing.StubPlugins."""

    def identity_methods(self) -> Mapping[str, IdentityMethod]: ...

    def channels(self) -> Mapping[str, NotificationChannel]: ...

    def plugin_of(self, offered: str) -> str:
        """Return the plugin behind an identity method or channel, to record as used. Raises KeyError."""

    def judge_join(self, question: JoinQuestion, allowed: frozenset[str]) -> Decision | None: ...

    def judge_sign(self, question: SignQuestion, allowed: frozenset[str]) -> Decision | None: ...

    def signing_methods(self, allowed: frozenset[str] | None = None) -> Mapping[str, SigningMethod]: ...

    def plugin_of_signing(self, method: str) -> str:
        """Return the plugin behind a signing method, to record as used. Raises KeyError."""

    def service(self, name: str) -> object | None:
        """Return what a plugin offers to the others under this name."""

    def errand(self, kind: str) -> Callable[[ErrandView], None] | None:
        """Return what does this kind of work for a plugin."""

    def audit_kinds(self) -> frozenset[str]:
        """Return the kinds of audit record the plugins add."""

    def on_fact(self, fact: MeetingFact, allowed: frozenset[str]) -> None: ...

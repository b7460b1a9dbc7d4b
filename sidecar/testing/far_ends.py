"""What lies outside the product, made up: the eID, the ways to reach people, the identity service, the bridge."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from sidecar.domain.identity import EvidencePart, IdentityAssertion, LoA, StaffAssertion, Subject
from sidecar.domain.ids import ParticipantId, RecordingId, RoomName
from sidecar.domain.policy import Decision
from sidecar.plugin_api import LANGUAGES
from sidecar.plugin_manager import PluginManager
from sidecar.services.ports import (
    ConferenceUnavailableError,
    DeliveryFailedError,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    OutboundMessage,
    SignInRequest,
    SignInStep,
    StaffRedirect,
    StaffSignInError,
)
from sidecar.testing.people import Invented


class FakeEid:
    """An eID. Like BankID, it tells the end of an order once: who asks again hears that there is no such order.

    calls: what was asked of it. on_poll: called in the middle of each poll, where a test wants to hold it.
    """

    kind: Literal["eid", "code"] = "eid"

    def __init__(self, clock: Callable[[], datetime], *, name: str = "bankid", loa: LoA = LoA.SUBSTANTIAL) -> None:
        self.name, self.loa = name, loa
        self.calls: list[str] = []
        self.on_poll: Callable[[], None] = lambda: None
        self._clock = clock
        self._orders: dict[str, IdentityAssertion | None] = {}
        self._told_off: set[str] = set()
        self._number = 0

    def answers(self, who: Invented, *, loa: LoA | None = None, factors: int = 2) -> None:
        """Let this person answer the newest order in their app."""
        order = f"order-{self._number}"
        self._orders[order] = IdentityAssertion(
            provider=self.name,
            method=f"{self.name}-qr",
            loa=self.loa if loa is None else loa,
            subject=Subject("se-personnummer", who.number),
            name=who.name,
            asserted_at=self._clock(),
            evidence=(EvidencePart("signature.xml", "application/xml", f"<signed by='{who.key}'/>".encode()),),
            factors=factors,
        )

    def is_told_off(self) -> None:
        """Let whoever the newest order is put to say in their app that they are not talking to the bank."""
        del self._orders[f"order-{self._number}"]
        self._told_off.add(f"order-{self._number}")

    def start(self, request: SignInRequest) -> SignInStep:
        self.calls.append("start")
        self._number += 1
        order = f"order-{self._number}"
        self._orders[order] = None
        return SignInStep("pending", f"{self.name}.scan", view={"qr": "<svg/>"}, state={"order": order})

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        self.calls.append("poll")
        known = state.get("order") in self._orders
        answer = self._orders.get(str(state.get("order")))
        if answer is not None:
            del self._orders[str(state["order"])]
        self.on_poll()
        if not known:
            view = {"alert_adviser": True} if state.get("order") in self._told_off else {}
            return SignInStep("failed", f"{self.name}.failed", view=view)
        if answer is None:
            return SignInStep("pending", f"{self.name}.scan", view={"qr": "<svg/>"}, state=state)
        return SignInStep("complete", f"{self.name}.done", assertion=answer)

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        self.calls.append("submit")
        return self.poll(request, state)

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        self.calls.append("cancel")
        self._orders.pop(str(state.get("order")), None)


class FakeCode:
    """A code by another way than the link. The code is always the same, and a wrong one may be tried again."""

    name = "otp_link"
    channels: tuple[str, ...] = ("sms", "email")
    kind: Literal["eid", "code"] = "code"
    loa = LoA.LOW
    code = "482113"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def start(self, request: SignInRequest) -> SignInStep:
        channel = next((each for each in self.channels if each in request.contact), "")
        if not channel:
            return SignInStep("failed", "otp_link.failed")
        return self._pending({"send": {"channel": channel, "code": self.code}})

    def poll(self, request: SignInRequest, state: Mapping[str, Any]) -> SignInStep:
        return self._pending({})

    def submit(self, request: SignInRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignInStep:
        if answer.get("code") != self.code:
            return self._pending({})
        [(channel, address)] = request.contact.items()
        assertion = IdentityAssertion(
            provider=self.name,
            method=f"link+{channel}",
            loa=self.loa,
            subject=Subject("phone" if channel == "sms" else channel, address),
            name="",
            asserted_at=self._clock(),
        )
        return SignInStep("complete", "otp_link.done", assertion=assertion)

    def cancel(self, request: SignInRequest, state: Mapping[str, Any]) -> None:
        pass

    def _pending(self, state: Mapping[str, Any]) -> SignInStep:
        return SignInStep("pending", "otp_link.scan", view={"field": "code", "length": 6}, state=state)


class FakeChannel:
    """A way to reach people. sent: what went out. broken: what each send raises instead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[OutboundMessage] = []
        self.broken: DeliveryFailedError | None = None

    def send(self, message: OutboundMessage) -> str:
        if self.broken is not None:
            raise self.broken
        self.sent.append(message)
        return f"{self.name}-{len(self.sent)}"


class FakeIdentityService:
    """The bank's own identity service. The browser comes back with ?code=<key of the person>."""

    name = "staff_oidc"

    def __init__(self, people: Iterable[Invented]) -> None:
        self.people = {each.key: each for each in people}
        self.amr: tuple[str, ...] = ("pwd", "hwk")
        self._number = 0

    def begin(self, *, redirect_uri: str, purpose: Literal["desk", "call"], now: datetime) -> StaffRedirect:
        self._number += 1
        return StaffRedirect(f"https://identity.example/?state=s{self._number}", {"state": f"s{self._number}"})

    def complete(self, *, query: Mapping[str, str], state: Mapping[str, Any], now: datetime) -> StaffAssertion:
        who = self.people.get(query.get("code", ""))
        if who is None:
            raise StaffSignInError()
        return StaffAssertion(
            provider=self.name,
            subject=f"staff-{who.key}",
            name=who.name,
            groups=who.groups,
            acr="urn:example:two-factors",
            amr=self.amr,
            authenticated_at=now,
            evidence_digest="0" * 64,
        )


class FakeConference:
    """The media side. calls: (command, participant or room, details). down: whether it answers at all."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.recordings: dict[str, str] = {}
        self.deks: dict[str, bytes] = {}
        self.has_recorder = True
        self.has_sampler = True
        self.watched = False  # what the last who came, or was given other rights, shares is looked at
        self.down = False
        self.shards_down: set[str] = set()  # ids; an installation without shards has the one ""
        self.end_to_end = False

    def admit(self, *, room: RoomName, join_token: str, sdp: str, watch_shares: bool = False) -> str:
        self._do("admit", room, sdp)
        self.watched = watch_shares
        return "v=0\r\na=answer\r\n"

    def expel(self, *, room: RoomName, participant: ParticipantId, reason: str) -> None:
        self._do("expel", participant, reason)

    def set_permissions(
        self,
        *,
        room: RoomName,
        participant: ParticipantId,
        permissions: Iterable[str],
        session_until: datetime,
        watch_shares: bool = False,
    ) -> None:
        self._do("permissions", participant, frozenset(permissions))
        self.watched = watch_shares

    def watches_shares(self, room: RoomName) -> bool:
        return not self.down and self.has_sampler

    def mute(self, *, room: RoomName, participant: ParticipantId, kind: str) -> None:
        self._do("mute", participant, kind)

    def end(self, *, room: RoomName, reason: str) -> None:
        self._do("end", room, reason)

    def roster(self, room: RoomName) -> list[Mapping[str, Any]]:
        return []

    def records(self, room: RoomName) -> bool:
        return self.has_recorder

    def start_recording(
        self, *, room: RoomName, recording: RecordingId, dek: bytes, consented: Collection[ParticipantId]
    ) -> None:
        self._do("record", recording, frozenset(consented))
        self.deks[recording] = dek
        self.recordings[room] = recording

    def allow_recording(self, *, room: RoomName, recording: RecordingId, consented: Collection[ParticipantId]) -> None:
        self._do("allow", recording, frozenset(consented))

    def stop_recording(self, *, room: RoomName, recording: RecordingId, reason: str) -> None:
        self._do("stop", recording, reason)
        if self.recordings.get(room) == recording:
            del self.recordings[room]

    def recording_state(self, room: RoomName) -> Mapping[str, Any]:
        if self.down:
            raise ConferenceUnavailableError()
        running = self.recordings.get(room)
        return {"recording": running, "state": "recording", "position_ms": 0} if running else {}

    def answers(self, shard: str) -> bool:
        return shard not in self.shards_down

    def health(self) -> Mapping[str, str]:
        return {"bridge": "down" if self.down else "ok"}

    def _do(self, command: str, whom: str, details: Any) -> None:
        if self.down:
            raise ConferenceUnavailableError()
        self.calls.append((command, whom, details))


class StubPlugins(PluginManager):
    """Plugins that are objects of the test. judge: what `judge_join` answers. facts: what `on_fact` was told."""

    def __init__(
        self,
        *,
        methods: Iterable[IdentityMethod] = (),
        channels: Iterable[NotificationChannel] = (),
        staff: FakeIdentityService | None = None,
    ) -> None:
        super().__init__()
        self._methods = {each.name: (each.name, each) for each in methods}
        self._channels = {each.name: (f"notify_{each.name}", each) for each in channels}
        self._staff = {staff.name: (staff.name, staff)} if staff else {}
        self._texts = {name: _texts_of(name) for name in self._methods}
        self.judge: Callable[[JoinQuestion], Decision | None] = lambda question: None
        self.facts: list[MeetingFact] = []

    def judge_join(self, question: JoinQuestion, allowed: Iterable[str]) -> Decision | None:
        return self.judge(question) or super().judge_join(question, tuple(allowed))

    def on_fact(self, fact: MeetingFact, allowed: Iterable[str]) -> None:
        self.facts.append(fact)
        super().on_fact(fact, tuple(allowed))


def _texts_of(method: str) -> dict[str, dict[str, str]]:
    keys = ("title", "help", "label", "scan", "done", "failed")
    return {language: {f"{method}.{key}": f"{method} {key}" for key in keys} for language in LANGUAGES}

"""If the record cannot be written, the act does not happen: asked of every route there is.

Each route that changes something is brought into a state where it would succeed, the audit log is taken away,
and the route must answer 503 and leave everything as it was. Then the log comes back and the very same
request must go through: so the state was a right one. A route that is added is in one of these tables, or
`test_every_route_is_accounted_for` fails.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.test import TestResponse

from sidecar.adapters.i18n import Translator
from sidecar.domain.audit import SYSTEM
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.errors import AuditUnavailableError, StoreUnavailableError
from sidecar.domain.permissions import Capacity
from sidecar.services.ports import DeliveryFailedError, Errand
from sidecar.testing import BERIT, COLM, ELIN, MAJA, ORIGIN, SAMIR, SDP, SIV, Browser, Product, guest
from tests.integration import test_journey_recording as recorded

pytestmark = pytest.mark.requirement("R118", "R119")

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
HOUR = timedelta(hours=1)
MAJA_ID = "per_maja"
SAMIR_TYPED = {
    "name": SAMIR.name,
    "capacity": "observer",
    "email": SAMIR.email,
    "phone": SAMIR.phone,
    "national_id": SAMIR.number,
}
BOOKING = {"type": "mortgage", "customer": MAJA_ID, "purpose": "Utöka bolånet", "starts_at": "2026-11-24T13:00:00Z"}
Request = Callable[[], TestResponse]
Prepare = Callable[[Product], Request]


@dataclass
class Scene:
    """A meeting under way: Elin in the room, Maja and Samir as far as the test wants them."""

    product: Product
    maja: Browser
    samir: Browser
    elin: Browser

    def act(self, browser: Browser, path: str, body: Any = None) -> Request:
        return lambda: browser.post(path, body)


def scene(product: Product, *, maja: str = "in", samir: str = "waits", type_name: str = "mortgage") -> Scene:
    """Hold a meeting up to a point. maja, samir: "waits", "admitted" or "in"."""
    meeting = product.book(guests=[guest(SAMIR)], type_name=type_name)
    people = {
        "maja": product.arrives(product.place_of(meeting, Capacity.CUSTOMER)),
        "samir": product.arrives(product.place_of(meeting, Capacity.OBSERVER)),
    }
    elin = product.opens(meeting)
    assert elin.joins().status_code == 200
    for (name, browser), who, how_far in zip(people.items(), (MAJA, SAMIR), (maja, samir), strict=True):
        browser.waits(who)
        if how_far != "waits":
            assert elin.post("room/admit", {"participant": browser.place}).status_code == 200, name
        if how_far == "in":
            assert browser.joins().status_code == 200
    return Scene(product, people["maja"], people["samir"], elin)


def in_room(path: str, body: Any = None, *, who: str = "maja", **states: str) -> Prepare:
    def prepare(product: Product) -> Request:
        found = scene(product, **states)
        sent = {
            key: getattr(found, value[1:]).place if value in ("$maja", "$samir") else value
            for key, value in (body or {}).items()
        }
        return found.act(getattr(found, who), path, sent)

    return prepare


WISH = {"purpose": "client-order", "reference": "mifid-ii-16-7", "delete_on": "2027-06-01"}


def of_recording(how_far: str, who: str, path: str, body: Any = None) -> Prepare:
    """A request about a recording: "fresh", "asked", "running", "stopped" or "held"."""

    def prepare(product: Product) -> Request:
        room = recorded.Room(product)
        if how_far == "asked":
            room.asks()
        if how_far == "running":
            room.running()
        if how_far in ("stopped", "held"):
            recorded.stopped(room)
            recorded.gives_media(room)
        browser = product.signs_in(COLM) if who == "colm" else getattr(room, who)
        rid = room.recording.id if how_far != "fresh" else ""
        if how_far == "held":
            assert browser.post(f"/desk/recordings/{rid}/hold", {"reason": "dispute"}).status_code == 200
        return lambda: browser.post(path.format(rid=rid), body)

    return prepare


def at_the_desk(path: str, body: Any = None, **query: Any) -> Prepare:
    """A request of Elin's at the desk about a meeting she has booked: {mid} is its id."""

    def prepare(product: Product) -> Request:
        meeting = product.book(starts_at=product.clock.now + HOUR)
        elin = product.signs_in(ELIN)
        return lambda: elin.post(path.format(mid=meeting.id), body)

    return prepare


def with_key(method: str, path: str, body: Any = None) -> Prepare:
    """A request of a connected system with every right."""

    def prepare(product: Product) -> Request:
        key = product.services.api_keys.create("crm", ["book", "read", "evidence"])
        meeting = product.book()
        sent = {**body, "customer": MAJA_ID, "adviser": meeting.adviser} if body and "customer" in body else body
        client, url = product.app.test_client(), path.format(mid=meeting.id)
        headers = {"Authorization": f"Bearer {key}"}
        return lambda: client.open(url, method=method, json=sent, headers=headers, base_url=ORIGIN)

    return prepare


def consents(product: Product) -> Request:
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER), consents=False)
    return lambda: maja.post("consent", {"version": "1"})


def starts_a_sign_in(product: Product) -> Request:
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    return lambda: maja.post("sign-in/start", {"method": "bankid", "same_device": False})


def completes_a_sign_in(path: str, body: Any = None, *, method: str = "POST") -> Prepare:
    def prepare(product: Product) -> Request:
        maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
        maja.post("sign-in/start", {"method": "bankid", "same_device": True})
        product.eid.answers(MAJA)

        def request() -> TestResponse:
            if maja.post("sign-in/start", {"method": "bankid", "same_device": True}).status_code == 200:
                product.eid.answers(MAJA)  # the eID told its end to the request that failed
            return maja.get(path, query_string=body) if method == "GET" else maja.post(path, body)

        return request

    return prepare


def chooses_while_waiting(product: Product) -> Request:
    maja = scene(product, maja="waits").maja
    return lambda: maja.post("lobby/choice", {"choice": "call_me"})


def stops_waiting(product: Product) -> Request:
    maja = scene(product, maja="waits").maja
    return lambda: maja.post("lobby/leave", form=True)


def brings_media(product: Product) -> Request:
    maja = scene(product, maja="admitted").maja
    token = maja.post("room/token").get_json()["token"]
    return lambda: maja.post("room/join", {"token": token, "sdp": SDP})


def gives_a_key(product: Product) -> Request:
    product.conference.end_to_end = True
    found = scene(product)
    assert found.elin.post("room/raise", {"target": "encryption:strict"}).status_code == 200
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    body = {"key": base64.urlsafe_b64encode(key).rstrip(b"=").decode(), "sealed": {}}
    return lambda: found.maja.post("room/key", body)


def stops_sharing(product: Product) -> Request:
    elin = scene(product).elin
    assert elin.post("room/share", {"action": "start", "surface": "window"}).status_code == 200
    return lambda: elin.post("room/share", {"action": "stop"})


def books_at_the_desk(product: Product) -> Request:
    customer, elin = product.customer(), product.signs_in(ELIN)
    samir = {"name": SAMIR.name, "capacity": "observer", "email": SAMIR.email, "national_id": SAMIR.number}
    body = {
        "type": "mortgage",
        "customer": customer,
        "purpose": "Utöka bolånet",
        "starts_at": (product.clock.now + HOUR).isoformat(),
        "guests": [samir],
    }
    return lambda: elin.post("/desk/book", body)


def sends_again(product: Product) -> Request:
    product.channels["inbox"].broken = DeliveryFailedError(retry=False)
    meeting = product.book()
    product.clock.on(seconds=11)
    product.worker()
    [failed] = [each for each in product.services.meetings.errands(meeting.id) if each.state == "failed"]
    elin = product.signs_in(ELIN)
    return lambda: elin.post(f"/desk/deliveries/{failed.id}/again", {})


def starts_work_anew(product: Product) -> Request:
    meeting = product.book()
    body = {"plugin": "notebook", "template": "notebook.copy", "channel": "email", "person": MAJA_ID}
    given_up = Errand("e_work", "plugin-message", meeting.id, product.clock(), body, attempts=8, state="failed")
    product.services.meetings.write(lambda tx: tx.add_errand(given_up))
    elin = product.signs_in(ELIN)
    return lambda: elin.post("/desk/undone/e_work/again")


def picks_up(product: Product) -> Request:
    meeting = product.place(product.calls().waits(MAJA).place).meeting
    siv = product.signs_in(SIV)
    return lambda: siv.post(f"/desk/meetings/{meeting}/pick-up")


def calls(product: Product) -> Request:
    browser = product.browser()
    browser.get("/call")
    return lambda: browser.post("/call", {"type": "onboarding@1"}, form=True)


def changes_a_template(path: str) -> Prepare:
    def prepare(product: Product) -> Request:
        berit = product.signs_in(BERIT)
        t = Translator("sv", product.services.catalogue)
        body = {"kind": "notice", "channel": "sms", "language": "sv", "body": t.raw("messages.notice.sms.body") + "!"}
        if path.endswith("restore"):
            assert berit.post("/desk/messages", body).get_json()["saved"]
        return lambda: berit.post(path, body)

    return prepare


def tells_of_lost_media(product: Product) -> Request:
    maja = scene(product).maja
    told = {"id": "ev_1", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    return lambda: product.bridge_says({**told, "data": {"reason": "connection_lost"}})


def opens_a_link(product: Product) -> Request:
    place = product.place_of(product.book(), Capacity.CUSTOMER)
    browser = product.browser()
    return lambda: browser.get(f"/m/{product.services.links.secret(place.id)}")


def comes_to_the_lobby(product: Product) -> Request:
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    assert maja.identifies(MAJA).get_json()["status"] == "complete"
    return lambda: maja.get("lobby")


def comes_back_from_the_identity_service(product: Product) -> Request:
    """The very same request twice: the first takes the begun sign-in out of the session, so it begins anew."""
    browser = product.browser()

    def request() -> TestResponse:
        begun = browser.get("/staff/sign-in").headers["Location"]
        return browser.get("/staff/callback", query_string={"state": begun.partition("state=")[2], "code": "elin"})

    return request


def enters_the_meeting(product: Product) -> Request:
    meeting = product.book()
    elin = product.signs_in(ELIN)
    entering = elin.passes_identity_service(elin.post(f"/desk/meetings/{meeting.id}/start", form=True), ELIN)
    return lambda: elin.get(entering)


def reads(path: str) -> Prepare:
    def prepare(product: Product) -> Request:
        meeting = product.book()
        elin = product.signs_in(ELIN)
        return lambda: elin.get(path.format(mid=meeting.id))

    return prepare


CHANGES: dict[str, Prepare] = {
    "POST /api/v1/meetings": with_key("POST", "/api/v1/meetings", BOOKING),
    "DELETE /api/v1/meetings/<mid>": with_key("DELETE", "/api/v1/meetings/{mid}"),
    "POST /api/v1/meetings/<mid>/guests": with_key("POST", "/api/v1/meetings/{mid}/guests", SAMIR_TYPED),
    "POST /call": calls,
    "POST /desk/book": books_at_the_desk,
    "POST /desk/deliveries/<errand>/again": sends_again,
    "POST /desk/meetings/<mid>/cancel": at_the_desk("/desk/meetings/{mid}/cancel"),
    "POST /desk/meetings/<mid>/guests": at_the_desk("/desk/meetings/{mid}/guests", SAMIR_TYPED),
    "POST /desk/meetings/<mid>/late": at_the_desk("/desk/meetings/{mid}/late"),
    "POST /desk/meetings/<mid>/move": at_the_desk("/desk/meetings/{mid}/move", {"starts_at": "2026-11-25T13:00:00Z"}),
    "POST /desk/meetings/<mid>/pick-up": picks_up,
    "POST /desk/meetings/<mid>/undo": at_the_desk("/desk/meetings/{mid}/undo"),
    "POST /desk/messages": changes_a_template("/desk/messages"),
    "POST /desk/messages/restore": changes_a_template("/desk/messages/restore"),
    "POST /desk/undone/<errand>/again": starts_work_anew,
    "POST /internal/bridge/events": tells_of_lost_media,
    "POST /v/<pid>/consent": consents,
    "POST /v/<pid>/lobby/choice": chooses_while_waiting,
    "POST /v/<pid>/lobby/leave": stops_waiting,
    "POST /v/<pid>/room/admit": in_room("room/admit", {"participant": "$maja"}, who="elin", maja="waits"),
    "POST /v/<pid>/room/chat": in_room("room/chat", {"text": "Räntan är rörlig."}),
    "POST /v/<pid>/room/deny": in_room("room/deny", {"participant": "$samir"}, who="elin"),
    "POST /v/<pid>/room/end": in_room("room/end", who="elin"),
    "POST /v/<pid>/room/expel": in_room("room/expel", {"participant": "$maja"}, who="elin"),
    "POST /v/<pid>/room/send-back": in_room("room/send-back", {"participant": "$maja"}, who="elin"),
    "POST /v/<pid>/room/hand": in_room("room/hand", {"raised": True}),
    "POST /v/<pid>/room/invite": in_room(
        "room/invite",
        {"name": "Ture Almvik", "capacity": "observer", "email": "ture@example.org", "national_id": "196103182371"},
        who="elin",
    ),
    "POST /v/<pid>/room/join": brings_media,
    "POST /v/<pid>/room/key": gives_a_key,
    "POST /v/<pid>/room/leave": in_room("room/leave"),
    "POST /v/<pid>/room/mute": in_room("room/mute", {"participant": "$maja", "kind": "audio"}, who="elin"),
    "POST /v/<pid>/room/raise": in_room("room/raise", {"target": "share:off"}, who="elin"),
    "POST /v/<pid>/room/record": in_room("room/record", who="elin"),
    "POST /v/<pid>/room/recording": of_recording("fresh", "frida", "room/recording", WISH),
    "POST /v/<pid>/room/recording/answer": of_recording("asked", "agnes", "room/recording/answer", {"yes": True}),
    "POST /v/<pid>/room/recording/stop": of_recording("running", "frida", "room/recording/stop"),
    "POST /desk/recordings/<rid>/open": of_recording("stopped", "colm", "/desk/recordings/{rid}/open"),
    "POST /desk/recordings/<rid>/hold": of_recording(
        "stopped", "colm", "/desk/recordings/{rid}/hold", {"reason": "dispute"}
    ),
    "POST /desk/recordings/<rid>/release": of_recording("held", "colm", "/desk/recordings/{rid}/release"),
    "POST /v/<pid>/room/share": in_room("room/share", {"action": "start", "surface": "window"}, who="elin"),
    "POST /v/<pid>/room/share (stop)": stops_sharing,
    "POST /v/<pid>/room/token": in_room("room/token", maja="admitted"),
    "POST /v/<pid>/sign-in/start": starts_a_sign_in,
    "POST /v/<pid>/sign-in/poll": completes_a_sign_in("sign-in/poll"),
    "POST /v/<pid>/sign-in/submit": completes_a_sign_in("sign-in/submit", {"code": "482113"}),
    # Pages that keep something because they were opened: that somebody came, or read.
    "GET /m/<link>": opens_a_link,
    "GET /v/<pid>/identify": completes_a_sign_in("identify", {"nonce": "n"}, method="GET"),
    "GET /v/<pid>/lobby": comes_to_the_lobby,
    "GET /staff/callback": comes_back_from_the_identity_service,
    "GET /desk/meetings/<mid>/enter": enters_the_meeting,
    "GET /desk/meetings/<mid>/journal": reads("/desk/meetings/{mid}/journal"),
    "GET /desk/meetings/<mid>/evidence": reads("/desk/meetings/{mid}/evidence"),
    "GET /desk/meetings/<mid>/evidence/check": reads("/desk/meetings/{mid}/evidence/check"),
    "GET /api/v1/meetings/<mid>/journal": with_key("GET", "/api/v1/meetings/{mid}/journal"),
    "GET /api/v1/meetings/<mid>/evidence": with_key("GET", "/api/v1/meetings/{mid}/evidence"),
}


# Posts that change nothing which is kept of a meeting or a person. Each is driven too, to show that it is so.
def asks_who_is_admitted(product: Product) -> Request:
    maja, path = scene(product).maja, "/internal/prosody/admissions"
    room = product.meeting(product.place(maja.place).meeting).room
    body = json.dumps({"room": room, "participant": maja.place}).encode()
    bridge = product.services.settings.bridge
    token = mint_control_token(
        signing_key=product.services.ring.signing_key("control"),
        issuer=bridge.audience,
        audience=bridge.events_audience,
        method="POST",
        path=path,
        body=body,
        now=product.clock(),
    )
    headers = {"Authorization": f"Bearer {token}"}
    client = product.app.test_client()
    return lambda: client.post(path, data=body, content_type="application/json", headers=headers, base_url=ORIGIN)


CHANGES_NOTHING: dict[str, tuple[str, Prepare]] = {
    "POST /internal/prosody/admissions": ("says who is admitted; the joining is reported", asks_who_is_admitted),
    "POST /desk/book/follows": (
        "says what would follow",
        at_the_desk("/desk/book/follows", {"type": "mortgage", "customer": MAJA_ID, "guests": []}),
    ),
    "POST /desk/book/guest": (
        "says whether a guest could be invited",
        at_the_desk("/desk/book/guest", {"type": "mortgage", **SAMIR_TYPED}),
    ),
    "POST /desk/book/preview": ("shows a letter", at_the_desk("/desk/book/preview", BOOKING)),
    "POST /desk/meetings/<mid>/start": (
        "sends the browser to the identity service; what comes back is recorded",
        at_the_desk("/desk/meetings/{mid}/start"),
    ),
    "POST /staff/sign-out": ("ends this browser's own session", at_the_desk("/staff/sign-out")),
    "POST /v/<pid>/sign-in/cancel": (
        "gives up a sign-in that has shown nothing yet",
        lambda product: (lambda maja: lambda: maja.post("sign-in/cancel"))(
            product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
        ),
    ),
}


# Only the record tells of them: nothing in the stores follows from a token that was handed out.
RECORDED_ONLY = {"POST /v/<pid>/room/token"}

STREAMS = {"GET /desk/events", "GET /v/<pid>/events"}  # never end by themselves: tests/integration/test_web_feed.py


def outside(product: Product) -> tuple[int, int, int]:
    """Return how much went out: commands to the bridge, and messages."""
    sent = sum(len(channel.sent) for channel in product.channels.values())
    return len(product.conference.calls), sent, len(product.stub.facts)


def rules(product: Product, methods: set[str]) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in product.app.url_map.iter_rules()
        for method in (rule.methods or set()) & methods
    }


def named(table: dict[str, Any]) -> set[str]:
    return {key.partition(" (")[0] for key in table}


def test_every_route_is_accounted_for(product: Product) -> None:
    accounted = {key for key in named(CHANGES) | named(CHANGES_NOTHING) if not key.startswith("GET ")}

    assert rules(product, CHANGING) == accounted
    assert named(CHANGES).isdisjoint(named(CHANGES_NOTHING))


@pytest.mark.parametrize("route", CHANGES)
def test_without_an_audit_log_nothing_changes_and_with_it_the_same_request_goes_through(
    product: Product, route: str
) -> None:
    request = CHANGES[route](product)
    before, gone_out = product.stores(), outside(product)

    with product.dead_audit():
        refused = request()

    assert refused.status_code == 503, refused.text
    assert refused.mimetype == "application/problem+json"
    problem = refused.get_json()
    assert problem["type"] == "/problems#audit-unavailable"
    assert problem["sentence"] == Translator("sv", product.services.catalogue).t("common.problem.audit_unavailable")
    assert problem["detail"] == "The audit log cannot be written."
    assert refused.headers["Retry-After"]
    assert product.stores() == before
    assert outside(product) == gone_out

    allowed = request()

    assert allowed.status_code < 400 or route == "POST /v/<pid>/room/record", allowed.text
    after = product.stores()
    assert after["audit"] > before["audit"]
    assert (after["meetings.announcements"] == before["meetings.announcements"]) == (route in RECORDED_ONLY)


@pytest.mark.parametrize("route", [route for route in CHANGES if route not in RECORDED_ONLY])
def test_on_a_full_disk_nothing_is_acknowledged_and_the_record_says_it_did_not_happen(
    product: Product, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    request = CHANGES[route](product)
    before = product.stores()

    def full(_effect: object) -> None:
        raise StoreUnavailableError("meetings.sqlite: database or disk is full")

    monkeypatch.setattr(product.services.meetings, "write", full)
    refused = request()

    assert refused.status_code == 503, refused.text
    assert refused.get_json()["type"] == "/problems#store-unavailable"
    assert "sqlite" not in refused.text
    after = product.stores()
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"audit", "people.people", "people.subjects", "objects"}
    assert product.kinds()[-1] == "act.voided"
    assert product.records()[-1].data["reason"] == "store-unavailable"


@pytest.mark.parametrize("route", CHANGES_NOTHING)
def test_a_post_that_is_said_to_change_nothing_changes_nothing(product: Product, route: str) -> None:
    request = CHANGES_NOTHING[route][1](product)
    before, gone_out = product.stores(), outside(product)

    answer = request()

    assert answer.status_code < 400, answer.text
    assert product.stores() == before
    assert outside(product) == gone_out


def test_a_page_that_is_only_looked_at_changes_nothing(product: Product) -> None:
    """Every other GET, asked as the person it is for, in a meeting under way."""
    found = scene(product)
    meeting = product.place(found.maja.place).meeting
    key = product.services.api_keys.create("crm", ["book", "read", "evidence"])
    berit = product.signs_in(BERIT)
    values = {"mid": meeting, "pid": found.maja.place, "name": "css/tokens.css"}
    looked_at = rules(product, {"GET"}) - named(CHANGES) - STREAMS
    before, gone_out = product.stores(), outside(product)

    for route in sorted(looked_at):
        path = route.removeprefix("GET ")
        for name in ("mid", "pid", "path:name", "name", "name_"):
            path = path.replace(f"<{name}>", values.get(name.removeprefix("path:"), ""))
        if path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {key}"}
            answers = [product.app.test_client().get(path, headers=headers, base_url=ORIGIN)]
        elif path.startswith("/desk/messages"):
            answers = [berit.get(path)]
        elif path.startswith("/desk"):
            answers = [found.elin.get(path)]
        else:
            answers = [found.maja.get(path)]
        for answer in answers:
            assert answer.status_code < 500, (route, answer.text)
            answer.close()

    assert product.stores() == before
    assert outside(product) == gone_out


@pytest.mark.requirement("R119")
def test_the_worker_sends_nothing_while_nothing_can_be_recorded(product: Product) -> None:
    meeting = product.book()
    product.clock.on(seconds=11)

    with product.dead_audit():
        for _ in range(20):
            product.worker()
            product.clock.on(seconds=3)
        assert outside(product)[1] == 0

    product.worker()

    assert len(product.channels["inbox"].sent) == 1
    assert [record.kind for record in product.records(meeting) if record.actor == SYSTEM].count("invitation.sent") == 2


def test_a_message_that_went_out_unrecorded_is_recorded_later_and_not_sent_twice(product: Product) -> None:
    """The log fails between the message and its record: a customer must not get thirty copies of one letter."""
    meeting = product.book(customer=product.customer(inbox=""))
    product.clock.on(seconds=11)
    email = product.channels["email"]
    really_send, working = email.send, product.services.audit.append

    def send_and_lose_the_log(message: Any) -> str:
        reference = really_send(message)
        product.services.audit.append = _fails  # type: ignore[method-assign]
        return reference

    email.send = send_and_lose_the_log  # type: ignore[method-assign]
    product.worker()
    product.clock.on(seconds=3)
    product.worker()
    product.services.audit.append = working  # type: ignore[method-assign]
    product.clock.on(seconds=3)
    product.worker()

    assert len(email.sent) == 1
    assert product.kinds(meeting).count("invitation.sent") == 1
    assert {errand.state for errand in product.services.meetings.errands(meeting.id)} == {"done"}


def _fails(*_records: object) -> Any:
    raise AuditUnavailableError()

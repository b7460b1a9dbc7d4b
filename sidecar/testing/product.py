"""The product over a folder, and the browsers of those who use it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.bootstrap import Services, build
from sidecar.domain.audit import AuditLog, AuditRecord, Ed25519Signer, EntryRef, MemoryAuditLog, kinds_with
from sidecar.domain.control_tokens import mint_control_token
from sidecar.domain.errors import AuditUnavailableError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Policy
from sidecar.plugin_manager import PluginManager
from sidecar.services.booking import Booker, BookingRequest
from sidecar.services.ports import (
    IdentityMethod,
    Person,
)
from sidecar.services.staff import StaffMember
from sidecar.settings import load_settings
from sidecar.testing.far_ends import FakeChannel, FakeCode, FakeConference, FakeEid, FakeIdentityService, StubPlugins
from sidecar.testing.people import BERIT, COLM, ELIN, FRIDA, MAJA, SIV, Clock, Invented
from sidecar.web.app import create_app

APPROVALS = Path(__file__).parents[2] / "plugins" / "approvals.toml"
_EVENTS = "/internal/bridge/events"
ORIGIN = "https://exempelbanken.example"
SDP = "v=0\r\n"  # what a browser would offer; the stand-in for the bridge does not read it


@cache
def shipped_policy() -> Policy:
    """Return the policy we ship, proved once for all tests of a run: it is a value that nothing changes."""
    return load_policy(SHIPPED)


class _Compiled(BytecodeCache):
    """Templates compiled once for all the products of a test run: that is most of what one costs."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = self._kept.get(bucket.key + bucket.checksum)
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


_TEMPLATES = _Compiled()


class Product:
    """Services and web application over a folder, with the far ends made up.

    files: keep the audit log in files, as the product does; else in memory, where a test only reads it.
    plugins: the loaded plugins, where they are to be real ones. with_plugins: real ones by name beside the stand-ins,
    loaded by their approved digests (approvals: another list of them). policy: in place of the shipped one.
    more: further settings, TOML. real_media: speak to the media side the settings name, in place of a stand-in.
    environ: variables that lie over the settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        files: bool = False,
        methods: Sequence[IdentityMethod] = (),
        plugins: PluginManager | None = None,
        with_plugins: Sequence[str] = (),
        approvals: Path | None = None,
        policy: Policy | None = None,
        more: str = "",
        real_media: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.eid = FakeEid(self.clock)
        self.code = FakeCode(self.clock)
        self.channels = {name: FakeChannel(name) for name in ("inbox", "email", "sms")}
        self.identity_service = FakeIdentityService((ELIN, SIV, FRIDA, BERIT, COLM))
        self.conference = FakeConference()
        self.stub = StubPlugins(
            methods=methods or (self.eid, self.code), channels=self.channels.values(), staff=self.identity_service
        )
        (folder / "tillit.toml").write_text(_SETTINGS.replace("# more", more), "utf-8")
        settings = load_settings(folder / "tillit.toml", environ or {})
        if with_plugins:
            self.stub.add(
                enabled=with_plugins,
                approvals=approvals or APPROVALS,
                tables={name: settings.plugins.tables.get(name, {}) for name in with_plugins},
                clock=self.clock,
                secret=lambda name: sha256(name.encode()).digest(),
            )
        kinds = kinds_with(dict.fromkeys((plugins or self.stub).audit_kinds(), "Recorded by a plugin."))
        signer = Ed25519Signer("exempelbanken/eu-north-se/log", Ed25519PrivateKey.generate())
        memory = MemoryAuditLog(signer, origin="exempelbanken/eu-north-se", kinds=kinds)
        self.services: Services = build(
            settings,
            clock=self.clock,
            plugins=plugins or self.stub,
            policy=policy or (None if plugins else shipped_policy()),
            audit=None if files else memory,
            conference=None if real_media else self.conference,
        )
        self.app = create_app(self.services)
        self.app.jinja_env.bytecode_cache = _TEMPLATES

    # People and meetings, made by the services

    def customer(self, who: Invented = MAJA, *, segment: str = "private", **changed: Any) -> PersonId:
        """Return a customer of the register, added when missing."""
        subject = Subject("se-personnummer", who.number)
        known = self.services.people.find_by_subject(subject)
        if known is not None:
            return PersonId(known.id)
        reach = {"email": who.email, "phone": who.phone, "inbox": who.inbox}
        facts: dict[str, Any] = reach | {"segment": segment} | changed
        person = Person(id=f"per_{who.key}", kind="customer", name=who.name, subjects=(subject,), **facts)
        self.services.people.put(person)
        return PersonId(person.id)

    def staff(self, who: Invented = ELIN) -> StaffMember:
        """Return a staff member as after a sign-in at the desk."""
        assertion = self.identity_service.complete(query={"code": who.key}, state={}, now=self.clock())
        return self.services.staff.signed_in(assertion, language="sv")

    def request(
        self, member: StaffMember, *, customer: PersonId | Person | None = None, **changed: Any
    ) -> BookingRequest:
        """Return the booking of a mortgage meeting that begins now, changed as named."""
        facts: dict[str, Any] = {
            "type_name": "mortgage",
            "customer": customer or self.customer(),
            "adviser": member.id,
            "purpose": "Utöka bolånet för renovering",
            "starts_at": self.clock(),
            "duration": timedelta(minutes=45),
            "brand": "exempelbanken",
        }
        return BookingRequest(**(facts | changed))

    def book(self, *, adviser: Invented = ELIN, **changed: Any) -> Meeting:
        """Book a meeting with a staff member who just signed in. changed: as `request` takes it."""
        member = self.staff(adviser)
        return self.services.booking.book(self.request(member, **changed), Booker(member.id, member.packages))

    def meeting(self, meeting: Meeting | str) -> Meeting:
        """Return a meeting as it is now."""
        return self.services.meetings.get(MeetingId(meeting if isinstance(meeting, str) else meeting.id))

    def place_of(self, meeting: Meeting, capacity: Capacity) -> Participant:
        """Return the first place of that capacity, as it is now."""
        places = self.services.meetings.participants(meeting.id)
        return next(place for place in places if place.capacity is capacity)

    def place(self, pid: str) -> Participant:
        return self.services.meetings.participant(ParticipantId(pid))

    def worker(self) -> int:
        """Let the worker do one round."""
        return self.services.chores.round()

    # Browsers

    def browser(self) -> "Browser":
        return Browser(self)

    def arrives(self, place: Participant, *, consents: bool = True) -> "Browser":
        """Return a browser that opened this place's invitation, and said yes to how data is handled."""
        browser = Browser(self, place=place.id)
        assert browser.get(f"/m/{self.services.links.secret(place.id)}").status_code == 302
        if consents:
            assert browser.post("consent", {"version": "1"}).status_code == 200
        return browser

    def calls(self, type_name: str = "onboarding", **more: str) -> "Browser":
        """Return the browser of somebody who begins a call without a booking. more: further fields of the form."""
        browser = Browser(self)
        assert browser.get("/call").status_code == 200
        begun = browser.post("/call", {"type": type_name, **more}, form=True)
        assert begun.status_code == 302, begun.text
        browser.place = begun.headers["Location"].split("/")[2]
        assert browser.post("consent", {"version": "1"}).status_code == 200
        return browser

    def signs_in(self, who: Invented = ELIN) -> "Browser":
        """Return the browser of a staff member, signed in at the desk."""
        browser = Browser(self)
        browser.passes_identity_service(browser.get("/staff/sign-in"), who)
        return browser

    def opens(self, meeting: Meeting, who: Invented = ELIN) -> "Browser":
        """Return the browser of the adviser, signed in, checked before the call, and in the opened meeting."""
        browser = self.signs_in(who)
        begun = browser.post(f"/desk/meetings/{meeting.id}/start", form=True)
        entering = browser.passes_identity_service(begun, who)
        assert browser.get(entering).status_code == 302
        browser.place = self.place_of(meeting, Capacity.ADVISER).id
        return browser

    # What was kept

    def kinds(self, meeting: Meeting | None = None) -> list[str]:
        """Return the kinds of what was recorded, of one meeting or of all, in order."""
        return [each.kind for each in self.records(meeting)]

    def records(self, meeting: Meeting | None = None) -> list[AuditRecord]:
        audit = self.services.audit
        entries = audit.read(meeting.id) if meeting is not None else audit.read_all()
        return [entry.record for entry in entries]

    def stores(self) -> dict[str, Any]:
        """Return everything the meetings, people and objects stores hold, for comparison."""
        data = self.folder / "data"
        found: dict[str, Any] = {"audit": self.services.audit.size}
        for name in ("meetings", "people"):
            with closing(sqlite3.connect(data / f"{name}.sqlite")) as db:
                tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
                for table in sorted(tables):
                    found[f"{name}.{table}"] = db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        objects = sorted(path for path in (data / "objects").rglob("*") if path.is_file())
        found["objects"] = {path.name: sha256(path.read_bytes()).hexdigest() for path in objects}
        return found

    @contextmanager
    def dead_audit(self) -> Iterator[None]:
        """Let the audit log fail at every write, as with a full or a lost disk."""
        audit: AuditLog = self.services.audit

        def fails(*records: AuditRecord) -> tuple[EntryRef, ...]:
            raise AuditUnavailableError()

        working = audit.append
        audit.append = fails  # type: ignore[method-assign]
        try:
            yield
        finally:
            audit.append = working  # type: ignore[method-assign]

    def bridge_says(self, *events: Mapping[str, Any], token: str | None = None) -> TestResponse:
        """Post events as the media bridge does. token: sent instead of a right one."""
        value = self.bridge_token(*events) if token is None else token
        return self.app.test_client().post(
            _EVENTS,
            data=self._events(events),
            content_type="application/json",
            headers={"Authorization": f"Bearer {value}"},
            base_url=ORIGIN,
        )

    def bridge_token(self, *events: Mapping[str, Any]) -> str:
        """Return the control token the media bridge sends with these very events."""
        bridge = self.services.settings.bridge
        return mint_control_token(
            signing_key=self.services.ring.signing_key("control"),
            issuer=bridge.audience,
            audience=bridge.events_audience,
            method="POST",
            path=_EVENTS,
            body=self._events(events),
            now=self.clock(),
        )

    @staticmethod
    def _events(events: Sequence[Mapping[str, Any]]) -> bytes:
        return json.dumps({"events": events}).encode()


@dataclass
class Browser:
    """One person's browser: its cookies, and the place in a meeting it is about.

    Paths without a leading slash stand below /v/<place>/: `browser.post("room/chat", {"text": "Hej"})`.
    """

    product: Product
    place: str = ""
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.product.app.test_client()

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(self._path(path), base_url=ORIGIN, **options)

    def post(self, path: str, body: Any = None, *, form: bool = False, csrf: str | None = None) -> TestResponse:
        """Post JSON, or a form, with the csrf value of the page. csrf: sent instead of the right one."""
        value = self.csrf() if csrf is None else csrf
        if form:
            data = {**(body or {}), "csrf": value}
            return self.client.post(self._path(path), data=data, base_url=ORIGIN)
        headers = {"X-Tillit-CSRF": value}
        return self.client.post(self._path(path), json={} if body is None else body, headers=headers, base_url=ORIGIN)

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, domain=urlsplit(ORIGIN).hostname or "")
        return found.value if found else ""

    def csrf(self) -> str:
        """Return what the page's <meta name="csrf"> says, of the staff session where there is one."""
        for name in ("tillit_staff", "tillit_visit"):
            body = self.product.services.sessions.get(self.cookie(name), now=self.product.clock())
            if body is not None:
                return str(body["csrf"])
        return ""

    def passes_identity_service(self, begun: TestResponse, who: Invented) -> str:
        """Go to the bank's identity service and come back as this person. Return where one is led."""
        assert begun.status_code == 302, begun.text
        state = parse_qs(urlsplit(begun.headers["Location"]).query)["state"][0]
        back = self.get("/staff/callback", query_string={"state": state, "code": who.key})
        assert back.status_code == 302, back.text
        return str(back.headers["Location"])

    def identifies(self, who: Invented, **how: Any) -> TestResponse:
        """Sign in to the meeting with the eID, as this person. how: as FakeEid.answers takes it."""
        begun = self.post("sign-in/start", {"method": "bankid", "same_device": False})
        assert begun.status_code == 200, begun.text
        self.product.eid.answers(who, **how)
        return self.post("sign-in/poll")

    def waits(self, who: Invented) -> "Browser":
        """Identify and go to the lobby."""
        assert self.identifies(who).get_json()["status"] == "complete"
        assert self.get("lobby").status_code == 200
        return self

    def joins(self) -> TestResponse:
        """Fetch a join token and bring one's media."""
        token = self.post("room/token")
        assert token.status_code == 200, token.text
        return self.post("room/join", {"token": token.get_json()["token"], "sdp": SDP})

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else f"/v/{self.place}/{path}"


_SETTINGS = f"""
[[brands]]
id = "exempelbanken"
name = "Exempelbanken"
url = "{ORIGIN}"
phone = "08-465 004 12"
languages = ["sv", "nb", "da", "fi", "nl", "en"]
[brands.opening_hours]
monday = "08:00-20:00"
tuesday = "08:00-20:00"
wednesday = "08:00-20:00"

[[brands]]
id = "nordlyset"
name = "Sparebanken Nordlyset"
url = "https://nordlyset.example"
phone = "+47 23 96 50 12"
languages = ["nb", "en"]
time_zone = "Europe/Oslo"

[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se", "eu-central-fi"]
data_dir = "data"
[stores.domiciles]
SE = "eu-north-se"
FI = "eu-central-fi"

[keys]
directory = "keys"

[staff]
provider = "staff_oidc"

[plugins]
enabled = []
approvals = "approvals.toml"
# more
"""

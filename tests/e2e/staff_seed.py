"""A working day at Exempelbanken for the desk's tests: meetings in every state, made by the product's own services.

Written through the services at invented moments, so the audit log, the journal and the evidence are real. Earlier
meetings lie between midnight and now, later ones between now and midnight, whenever the tests happen to run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sidecar.bootstrap import Services, build
from sidecar.domain.clock import utc_now
from sidecar.domain.errors import RefusedError
from sidecar.domain.identity import StaffAssertion, Subject
from sidecar.domain.ids import ParticipantId, PersonId, StaffId
from sidecar.domain.meetings import Identified, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.acts import Act
from sidecar.services.booking import Booker, BookingRequest, GuestRequest
from sidecar.services.ports import Errand, Person
from sidecar.services.staff import StaffMember
from sidecar.settings import load_settings

ZONE = ZoneInfo("Europe/Stockholm")
SAMIR = GuestRequest(
    name="Samir Haddin",
    capacity=Capacity.OBSERVER,
    email="samir.haddin@example.org",
    phone="+46701740606",
    national_id="198805071233",
)
BANKID: dict[str, object] = {"provider": "bankid", "method": "bankid-qr", "kind": "eid", "loa": 2, "factors": 2}
CODE: dict[str, object] = {"provider": "otp_link", "method": "otp", "kind": "code", "loa": 1, "factors": 2}
_LOA = {1: "low", 2: "substantial", 3: "high"}


@dataclass
class Clock:
    """The seed's own clock: each act happens at the moment it is put to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def on(self, **later: float) -> datetime:
        self.now += timedelta(**later)
        return self.now


@dataclass
class SeededDay:
    """What the seed made, by name: meetings["held"], errands["failed"], and the services that made them."""

    product: Services
    clock: Clock
    elin: StaffMember
    really_now: datetime
    meetings: dict[str, Meeting] = field(default_factory=dict)
    errands: dict[str, Errand] = field(default_factory=dict)

    def id(self, name: str) -> str:
        return str(self.meetings[name].id)

    def between(self, start: datetime, end: datetime, share: float) -> datetime:
        found = start + (end - start) * share
        step = 15 if end - start > timedelta(hours=4) else 1
        return found.replace(minute=found.minute // step * step, second=0, microsecond=0)

    def earlier(self, share: float) -> datetime:
        """Return a moment of today that has passed: 0 is midnight, 1 is now."""
        local = self.really_now.astimezone(ZONE)
        return self.between(local.replace(hour=0, minute=0, second=0), local, share)

    def later(self, share: float) -> datetime:
        """Return a moment of today that is to come: 0 is now, 1 is the next midnight."""
        local = self.really_now.astimezone(ZONE)
        midnight = local.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return max(self.between(local, midnight, share), local)

    def customer(self, words: str) -> Person:
        return self.product.people.search_customers(words)[0]

    def place(self, meeting: Meeting, capacity: Capacity = Capacity.CUSTOMER) -> Participant:
        return next(p for p in self.product.meetings.participants(meeting.id) if p.capacity is capacity)

    def meeting(self, meeting: Meeting) -> Meeting:
        return self.product.meetings.get(meeting.id)

    def book(
        self,
        name: str,
        *,
        type_name: str,
        customer: str,
        purpose: str,
        starts_at: datetime,
        booked_before: timedelta = timedelta(days=1),
        guests: Sequence[GuestRequest] = (),
        minutes: int = 45,
    ) -> Meeting:
        """Book as Elin would have done, some time before. Deliveries of the past are marked as made."""
        self.clock.now = min(starts_at, self.really_now) - booked_before
        meeting = self.product.booking.book(
            BookingRequest(
                type_name=type_name,
                customer=PersonId(self.customer(customer).id),
                adviser=self.elin.id,
                purpose=purpose,
                starts_at=starts_at,
                duration=timedelta(minutes=minutes),
                brand="exempelbanken",
                guests=guests,
            ),
            Booker(actor=self.elin.id, packages=self.elin.packages),
        )
        self.meetings[name] = meeting
        for errand in self.product.meetings.errands(meeting.id):
            if errand.due_at <= self.really_now:
                self._delivered(meeting, errand)
        return meeting

    def _delivered(self, meeting: Meeting, errand: Errand) -> None:
        """Mark a message as sent, so that the worker leaves it alone."""
        data = {"template": errand.body["template"], "channel": errand.body["channel"]}
        act = Act("invitation.sent", "system", self.clock.on(seconds=11), meeting.id, errand.body["participant"], data)
        done = replace(errand, state="done", attempts=1)
        self.product.acts.perform(act, effect=lambda tx: tx.save_errand(done))

    def fail_delivery(self, name: str) -> Errand:
        """Give a meeting's invitation up, as the worker does after the channel's last no."""
        meeting = self.meetings[name]
        errand = next(e for e in self.product.meetings.errands(meeting.id) if e.body["template"] == "invitation")
        failed = replace(errand, state="failed", attempts=8, last_problem="delivery-failed")
        data = {"template": "invitation", "channel": errand.body["channel"], "attempts": 8}
        at = self.clock.on(minutes=11)
        act = Act("invitation.failed", "system", at, meeting.id, errand.body["participant"], data)
        self.product.acts.perform(act, effect=lambda tx: tx.save_errand(failed))
        self.errands[name] = failed
        return failed

    def arrive(self, meeting: Meeting, capacity: Capacity = Capacity.CUSTOMER) -> Participant:
        """Open the invitation and accept how data is handled."""
        place = self.place(meeting, capacity)
        place = self.product.arrival.open_link(self.product.links.secret(place.id))
        self.clock.on(seconds=40)
        return self.product.arrival.consent(place, "1", digest="0" * 64, language="sv")

    def identify(
        self, meeting: Meeting, capacity: Capacity = Capacity.CUSTOMER, how: dict[str, object] | None = None
    ) -> Participant:
        """Show who one is; the eID's own part is proved elsewhere."""
        self.arrive(meeting, capacity)
        place = self.place(meeting, capacity)
        shown = how or BANKID
        now = self.clock.on(seconds=50)
        proof = Identified(**shown, at=now)  # type: ignore[arg-type]  # the mapping above has the field's types
        who = place.person or place.id
        data = {"provider": proof.provider, "method": proof.method, "loa": _LOA[proof.loa], "proof": []}
        self.product.acts.note(Act("plugin.used", "system", now, meeting.id, data={"plugin": proof.provider}))
        done = replace(place, state=ParticipantState.IDENTIFIED, identified=proof)
        act = Act("sign_in.completed", who, now, meeting.id, place.id, data)
        return self.product.acts.perform(act, effect=lambda tx: tx.save_participant(done))

    def wait(
        self, meeting: Meeting, capacity: Capacity = Capacity.CUSTOMER, how: dict[str, object] | None = None
    ) -> Participant:
        """Identify and wait in the lobby."""
        self.identify(meeting, capacity, how)
        self.clock.on(seconds=10)
        return self.product.admission.enter_lobby(self.place(meeting, capacity))

    def open(self, meeting: Meeting) -> Participant:
        """Pass the call's own check and open the meeting, as Elin; return her place."""
        now = self.clock.on(seconds=30)
        checked = self.product.staff.call_checked(self.elin, _assertion(now), meeting)
        mine = self.product.admission.open_meeting(
            meeting.id, self.elin.id, packages=self.elin.packages, call_checked_at=checked
        )
        return self.join(meeting, mine.capacity)

    def admit(self, meeting: Meeting, capacity: Capacity = Capacity.CUSTOMER) -> Participant:
        self.clock.on(seconds=20)
        self.product.admission.admit(self.place(meeting, Capacity.ADVISER), self.place(meeting, capacity).id)
        return self.join(meeting, capacity)

    def join(self, meeting: Meeting, capacity: Capacity) -> Participant:
        """Mint a join token, spend it, agree media keys."""
        now = self.clock.on(seconds=2)
        token = self.product.admission.mint(self.place(meeting, capacity))
        join = self.product.verify_join(token, self.meeting(meeting).room)
        inside = self.product.admission.joined(self.place(meeting, capacity), join)
        data = {"fingerprint_client": "AB" * 32, "fingerprint_bridge": "CD" * 32, "srtp_profile": "AEAD_AES_128_GCM"}
        who = inside.person or str(inside.staff)
        self.product.acts.note(Act("media.keys", who, now, meeting.id, inside.id, data))
        return inside

    def end(self, meeting: Meeting) -> None:
        self.product.room.end(
            meeting.id, actor=self.elin.id, place=self.place(meeting, Capacity.ADVISER), reason="ended"
        )


def _assertion(now: datetime) -> StaffAssertion:
    return StaffAssertion(
        provider="staff_oidc",
        subject="7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e01",
        name="Elin Sjöhage",
        groups=("bank-mortgage-advisers", "bank-advisers"),
        acr="urn:exempelbanken:acr:strong",
        amr=("pwd", "hwk", "user", "mfa"),
        authenticated_at=now,
        evidence_digest="0" * 64,
        title="Bolånerådgivare",
        office="Luleå",
    )


def open_day(settings_file: Path) -> SeededDay:
    """Open a world's stores in this process, and let Elin have signed in yesterday."""
    now = utc_now()
    clock = Clock(now - timedelta(days=2))
    product = build(load_settings(settings_file), clock=clock)
    elin = product.staff.signed_in(_assertion(clock.now), language="sv")
    day = SeededDay(product, clock, elin, now)
    for name, place, number in (("Idun Hägglo", "Kiruna", "197511092386"), ("Olle Tallbacke", "Boden", "198108172395")):
        product.people.put(
            Person(
                id=f"per_{name.split()[0].lower()}",
                kind="customer",
                name=name,
                email=f"{name.split()[0].lower()}@example.org",
                phone="+46701740" + number[-3:],
                subjects=(Subject("se-personnummer", number),),
                locality=place,
            )
        )
    return day


def seed_past(day: SeededDay) -> None:
    """Meetings that are over: one whole mortgage meeting, one short talk, one that nobody came to."""
    held = day.book(
        "held",
        type_name="mortgage",
        customer="Idun",
        purpose="Flytta bolånet hit",
        starts_at=day.earlier(0.3),
        guests=[SAMIR],
    )
    day.clock.now = held.starts_at - timedelta(minutes=5)
    day.wait(held)
    adviser = day.open(held)
    customer = day.admit(held)
    day.wait(held, Capacity.OBSERVER)
    day.admit(held, Capacity.OBSERVER)
    day.clock.on(minutes=4)
    for words in ("Räntan är rörlig.", "Den bestäms var tredje månad."):
        day.product.room.chat(adviser, words)
        day.clock.on(seconds=20)
    _refused(lambda: day.product.room.start_share(adviser, "monitor"))
    day.clock.on(minutes=1)
    day.product.room.start_share(day.place(held, Capacity.ADVISER), "window")
    day.clock.on(minutes=6)
    day.product.room.stop_share(day.place(held, Capacity.ADVISER))
    _refused(lambda: day.product.room.record(customer))
    day.clock.on(minutes=2)
    day.product.room.raise_security(day.place(held, Capacity.ADVISER), "share:off")
    day.clock.on(minutes=14)
    day.end(held)
    _summary_failed(day, held)

    talk = day.book(
        "talk", type_name="advice", customer="Ture", purpose="Pension och sparande", starts_at=day.earlier(0.55)
    )
    day.clock.now = talk.starts_at - timedelta(minutes=3)
    day.wait(talk, how=CODE)
    day.open(talk)
    day.admit(talk)
    day.clock.on(minutes=28)
    day.end(talk)
    _summary_delivered(day, talk)

    missed = day.book(
        "missed", type_name="onboarding", customer="Vera", purpose="Öppna konto och kort", starts_at=day.earlier(0.6)
    )
    gone = replace(day.meeting(missed), state=MeetingState.MISSED, ended_at=day.earlier(0.65))
    act = Act("meeting.missed", "system", day.earlier(0.65), missed.id)
    day.product.acts.perform(act, effect=lambda tx: tx.save_meeting(gone))


def seed_present(day: SeededDay) -> None:
    """Two who wait, one meeting that runs, one call without a booking."""
    now = day.really_now
    knock = day.book(
        "knock",
        type_name="mortgage",
        customer="Maja",
        purpose="Utöka bolånet för renovering",
        starts_at=now + timedelta(minutes=4),
        guests=[SAMIR],
    )
    day.clock.now = now - timedelta(minutes=4)
    day.wait(knock)
    long = day.book(
        "long", type_name="advice", customer="Ture", purpose="Fondbyte", starts_at=now - timedelta(minutes=12)
    )
    day.clock.now = now - timedelta(minutes=16)
    waiting = day.wait(long, how=CODE)
    day.clock.now = now - timedelta(minutes=1)
    day.product.admission.choose(waiting, "call_me")
    running = day.book(
        "running", type_name="onboarding", customer="Vera", purpose="Öppna konto", starts_at=now - timedelta(minutes=20)
    )
    day.clock.now = now - timedelta(minutes=22)
    day.wait(running)
    day.open(running)
    day.admit(running)
    day.clock.now = now - timedelta(minutes=3)
    caller = day.product.on_demand.begin("advice", brand="exempelbanken", language="sv")
    call = day.product.meetings.get(caller.meeting)
    day.meetings["call"] = call
    person = PersonId(day.customer("Olle").id)
    proof = Identified(**BANKID, at=day.clock.now)  # type: ignore[arg-type]  # the mapping has the field's types
    ready = replace(
        day.place(call),
        person=person,
        consent_version="1",
        consent_at=day.clock.now,
        identified=proof,
        state=ParticipantState.IDENTIFIED,
    )
    shown = {"provider": "bankid", "loa": "substantial"}
    act = Act("sign_in.completed", person, day.clock.now, call.id, ready.id, shown)
    day.product.acts.perform(act, effect=lambda tx: tx.save_participant(ready))
    day.product.admission.enter_lobby(day.place(call))


def seed_future(day: SeededDay) -> None:
    """Meetings to come: one whose invitation did not arrive, one getting ready, one the day after tomorrow."""
    failed = day.book("failed", type_name="advice", customer="Agnes", purpose="Valutasäkring", starts_at=day.later(0.8))
    day.fail_delivery("failed")
    ready = day.book(
        "ready", type_name="mortgage", customer="Olle", purpose="Lånelöfte inför visning", starts_at=day.later(0.5)
    )
    day.clock.now = day.really_now - timedelta(minutes=30)
    day.arrive(ready)
    coming = (day.really_now + timedelta(days=2)).astimezone(ZONE).replace(hour=10, minute=15, second=0, microsecond=0)
    day.book("coming", type_name="mortgage", customer="Idun", purpose="Skriva under lånet", starts_at=coming)
    assert failed.adviser == StaffId(day.elin.id)


def _summaries(day: SeededDay, meeting: Meeting) -> list[Errand]:
    return [e for e in day.product.meetings.errands(meeting.id) if e.body.get("template") == "summary"]


def _summary_failed(day: SeededDay, meeting: Meeting) -> None:
    """The party's summary was not delivered: the journal says so and offers to send it again."""
    for errand in _summaries(day, meeting):
        failed = replace(errand, state="failed", attempts=8, last_problem="delivery-failed")
        _save(day, failed)
        day.errands["summary"] = failed


def _summary_delivered(day: SeededDay, meeting: Meeting) -> None:
    """The party's summary was delivered a minute after the end."""
    for errand in _summaries(day, meeting):
        _save(day, replace(errand, state="done", attempts=1))
        data = {"template": "summary", "channel": errand.body["channel"]}
        place = ParticipantId(errand.body["participant"])
        day.product.acts.note(Act("summary.sent", "system", day.clock.on(seconds=50), meeting.id, place, data))


def _save(day: SeededDay, errand: Errand) -> None:
    day.product.meetings.write(lambda tx: tx.save_errand(errand))


def _refused(act: Callable[[], object]) -> None:
    """Try what the policy refuses; the refusal is the journal's to tell."""
    try:
        act()
    except RefusedError:
        return
    raise AssertionError("this was to be refused")

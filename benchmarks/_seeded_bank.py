"""A bank for the benches: the product's own stores and services, with meetings that run and people at the door."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sidecar.bootstrap import build
from sidecar.domain.identity import Subject
from sidecar.domain.ids import PersonId, StaffId, new_id
from sidecar.domain.meetings import Identified, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.booking import Booker, BookingRequest, GuestRequest
from sidecar.services.ports import Person
from sidecar.settings import load_settings

HOST = "bench.localhost"
TYPE = "mortgage"  # band high: the longest list of rules, the most checks
GROUP = "bank-mortgage-advisers"


@dataclass(frozen=True)
class Visit:
    """A browser's cookie and CSRF value, for the places it was seeded with."""

    cookie: str
    csrf: str


class SeededBank:
    """Writes into the stores these settings name. Close to no other process needs to run meanwhile."""

    def __init__(self, settings_file: Path) -> None:
        self._services = build(load_settings(settings_file))
        self._brand = next(iter(self._services.brands))
        self._adviser = Person(id=new_id("st"), kind="staff", name="Elin Sjöhage", groups=(GROUP,), title="Rådgivare")
        self._services.people.put(self._adviser)
        self._customers = 0

    def meeting(self, *, with_observer: bool = False) -> list[Participant]:
        """Book and open a meeting; return its places: the adviser's, let in, then those who may wait in the lobby.

        How a guest was identified is written as BankID would have left it: the benches measure the door.
        """
        services = self._services
        booker = Booker(self._adviser.id, services.policy.packages_for((GROUP,)))
        request = BookingRequest(
            type_name=TYPE,
            customer=self.customer(),
            adviser=StaffId(self._adviser.id),
            purpose="Bench",
            starts_at=services.clock(),
            duration=timedelta(hours=2),
            brand=self._brand,
            guests=[self._observer()] if with_observer else [],
        )
        meeting = services.booking.book(request, booker)
        adviser = services.admission.open_meeting(
            meeting.id, self._adviser.id, packages=booker.packages, call_checked_at=services.clock()
        )
        guests = [place for place in services.meetings.participants(meeting.id) if not place.is_staff]
        return [adviser, *(self._identified(place) for place in guests)]

    def admit(self, places: Sequence[Participant]) -> list[Participant]:
        """Let everybody of a meeting in, through lobby and door."""
        adviser, *guests = places
        admission = self._services.admission
        return [adviser, *(admission.admit(adviser, admission.enter_lobby(guest).id) for guest in guests)]

    def visit(self, *places: Participant) -> Visit:
        """Return the session of a browser in which the customers of these places identified."""
        body: dict[str, object] = {
            "places": [place.id for place in places],
            "identified": {place.id: place.identified.at.isoformat() for place in places if place.identified},
        }
        return self._session(body)

    def staff_visit(self) -> Visit:
        """Return the session of a browser in which the adviser signed in."""
        return self._session({"staff": self._adviser.id})

    def _session(self, body: dict[str, object]) -> Visit:
        visit = Visit(secrets.token_urlsafe(32), secrets.token_urlsafe(24))
        services = self._services
        services.sessions.put(
            visit.cookie, body | {"csrf": visit.csrf}, expires_at=services.clock() + timedelta(hours=2)
        )
        return visit

    def customer(self, national_id: str = "") -> PersonId:
        """Add a customer nobody else is, with this national id or one of their own."""
        self._customers += 1
        person = Person(
            id=new_id("per"),
            kind="customer",
            name="Maja Granlid",
            verified_name="Maja Granlid",
            email=f"customer{self._customers}@example.org",
            subjects=(Subject("se-personnummer", national_id or f"19000101{self._customers:04d}"),),
        )
        self._services.people.put(person)
        return PersonId(person.id)

    def _observer(self) -> GuestRequest:
        return GuestRequest(
            name="Samir Haddin",
            capacity=Capacity.OBSERVER,
            email=f"observer{self._customers}@example.org",
            phone="+46701740606",
            national_id="198805071233",
        )

    def _identified(self, place: Participant) -> Participant:
        now = self._services.clock()
        how = Identified(provider="bankid", method="bankid-qr", kind="eid", loa=2, factors=2, at=now)
        ready = replace(place, state=ParticipantState.IDENTIFIED, consent_version="1", consent_at=now, identified=how)
        self._services.meetings.write(lambda tx: tx.save_participant(ready))
        return self._services.meetings.participant(place.id)  # as stored: its times are in whole milliseconds


def write_settings(folder: Path, *, port: int, workers: int, threads: int, plugins: str = "enabled = []") -> Path:
    """Write settings for one bank on this port and return their path. plugins: the table, and each one's own."""
    path = folder / "tillit.toml"
    path.write_text(f"""
[web]
listen = "127.0.0.1:{port}"
workers = {workers}
threads = {threads}
[[brands]]
id = "bench"
name = "Bench"
url = "http://{HOST}:{port}"
phone = "08-465 004 12"
[keys]
directory = "{folder}/keys"
[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se"]
data_dir = "{folder}/data"
[stores.domiciles]
SE = "eu-north-se"
[plugins]
{plugins}
""")
    return path

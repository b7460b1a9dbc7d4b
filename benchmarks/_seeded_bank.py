"""A bank for the benches: real stores in a folder, meetings that run, people who were let in, their sessions."""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sidecar.bootstrap import Services, build
from sidecar.domain.identity import Subject
from sidecar.domain.ids import ParticipantId, PersonId, StaffId, new_id
from sidecar.domain.meetings import Identified, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.booking import Booker, BookingRequest, GuestRequest
from sidecar.services.ports import MeetingTx, Person
from sidecar.settings import load_settings

HOST = "bench.localhost"
TYPE = "mortgage"  # band high: the longest list of rules, the most checks
GROUP = "bank-mortgage-advisers"


@dataclass(frozen=True)
class Visitor:
    """Somebody who was let in, and the browser's cookie and CSRF value for this place."""

    place: str
    cookie: str
    csrf: str


def write_settings(folder: Path, *, port: int, workers: int, threads: int) -> Path:
    """Write settings for one bank on this port and return their path."""
    path = folder / "tillit.toml"
    hours = "\n".join(f'{day} = "00:00-24:00"' for day in ("monday", "tuesday", "wednesday", "thursday", "friday"))
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
[brands.opening_hours]
{hours}
[keys]
directory = "{folder}/keys"
[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se"]
data_dir = "{folder}/data"
[stores.domiciles]
SE = "eu-north-se"
[plugins]
enabled = []
""")
    return path


def seed(settings_file: Path, *, meetings: int) -> list[Visitor]:
    """Book, open and fill this many meetings through the services; return the customers, all let in.

    Each meeting has an adviser, a customer and an observer. How a customer was identified is written as
    BankID would have left it: the bench measures the door, not the eID.
    """
    services = build(load_settings(settings_file))
    people, now = services.people, services.clock()
    adviser = Person(id=new_id("st"), kind="staff", name="Elin Sjöhage", groups=(GROUP,), title="Rådgivare")
    people.put(adviser)
    booker = Booker(adviser.id, services.policy.packages_for((GROUP,)))
    visitors = []
    for number in range(meetings):
        customer = Person(
            id=new_id("per"),
            kind="customer",
            name=f"Kund {number}",
            verified_name=f"Kund {number}",
            email=f"kund{number}@example.org",
            subjects=(Subject("se-personnummer", f"19000101{number:04d}"),),
        )
        people.put(customer)
        guest = GuestRequest(
            name="Samir Haddin",
            capacity=Capacity.OBSERVER,
            email=f"gast{number}@example.org",
            phone="+46701740606",
            national_id="198805071233",
        )
        meeting = services.booking.book(
            BookingRequest(
                type_name=TYPE,
                customer=PersonId(customer.id),
                adviser=StaffId(adviser.id),
                purpose="Bench",
                starts_at=now,
                duration=timedelta(hours=2),
                brand="bench",
                guests=(guest,),
            ),
            booker,
        )
        opened = services.admission.open_meeting(
            meeting.id, adviser.id, packages=booker.packages, call_checked_at=services.clock()
        )
        for place in services.meetings.participants(meeting.id):
            if place.staff is not None:
                continue
            waiting = services.admission.enter_lobby(_identified(services, place))
            admitted = services.admission.admit(opened, waiting.id)
            if admitted.person == customer.id:
                visitors.append(_visit(services, admitted))
    return visitors


def _identified(services: Services, place: Participant) -> Participant:
    now = services.clock()
    how = Identified(provider="bankid", method="bankid-qr", kind="eid", loa=2, factors=2, at=now)
    ready = replace(
        place,
        state=ParticipantState.IDENTIFIED,
        consent_version="1",
        consent_at=now,
        identified=how,
    )

    def effect(tx: MeetingTx) -> Participant:
        return tx.save_participant(ready)

    return services.meetings.write(effect)


def _visit(services: Services, place: Participant) -> Visitor:
    assert place.identified is not None
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    body = {
        "csrf": csrf,
        "places": [place.id],
        "identified": {ParticipantId(place.id): place.identified.at.isoformat()},
    }
    services.sessions.put(cookie, body, expires_at=services.clock() + timedelta(hours=2))
    return Visitor(place.id, cookie, csrf)

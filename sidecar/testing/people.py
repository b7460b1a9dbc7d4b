"""Persons who do not exist, and the time as a test sets it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sidecar.domain.permissions import Capacity
from sidecar.services.booking import GuestRequest

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday, 13:00 in Stockholm


@dataclass(frozen=True)
class Invented:
    """A person who does not exist. number: Swedish personal number, 12 digits. groups: a staff member's role claims."""

    key: str
    name: str
    number: str = ""
    email: str = ""
    phone: str = ""
    inbox: str = ""
    groups: tuple[str, ...] = ()

    @property
    def personal(self) -> tuple[str, ...]:
        """Return everything about this person that no log may hold."""
        return tuple(filter(None, (*self.name.split(), self.number, self.email, self.phone, self.inbox)))


MAJA = Invented("maja", "Maja Granlid", "199002142389", "maja.granlid@example.org", "+46701740605", "maja.granlid")
SAMIR = Invented("samir", "Samir Haddin", "198805071233", "samir.haddin@example.org", "+46701740606")
TURE = Invented("ture", "Ture Almvik", "196103182371", "ture.almvik@example.org", "+46701740607")
AGNES = Invented("agnes", "Agnes Rask", "198412032396", "ekonomi@rasklera.example.org", "+46701740609")
YLVA = Invented("ylva", "Ylva Klerå", "197709072388", "ylva@rasklera.example.org", "+46701740612")
ELIN = Invented("elin", "Elin Sjöhage", groups=("bank-mortgage-advisers",))
SIV = Invented("siv", "Siv Tallbo", groups=("bank-customer-service",))
FRIDA = Invented("frida", "Frida Oxelbo", groups=("bank-fx-desk",))
BERIT = Invented("berit", "Berit Lundhag", groups=("bank-administrators",))
COLM = Invented("colm", "Colm Rydal", groups=("bank-compliance",))


class Clock:
    """The time, as a test sets it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def on(self, **later: float) -> datetime:
        """Let time pass: `clock.on(minutes=5)`."""
        self.now += timedelta(**later)
        return self.now


def guest(who: Invented, capacity: Capacity = Capacity.OBSERVER) -> GuestRequest:
    """Return the guest an adviser would type in."""
    return GuestRequest(name=who.name, capacity=capacity, email=who.email, phone=who.phone, national_id=who.number)

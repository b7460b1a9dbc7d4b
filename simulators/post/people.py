"""Who has a mailbox, a telephone and an inbox at the bank: persons.toml, or three invented people."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OTHERS = "others"  # where messages to an address of nobody here are shown


@dataclass(frozen=True)
class Person:
    """One person. phone: E.164. customer: how the bank's inbox knows the person."""

    key: str
    name: str
    email: str
    phone: str
    customer: str

    @property
    def given(self) -> str:
        return self.name.split()[0]

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.split())


DEFAULT = (
    Person("maja", "Maja Granlid", "maja.granlid@example.org", "+46701740605", "maja.granlid"),
    Person("samir", "Samir Haddin", "samir.haddin@example.org", "+46701740606", "samir.haddin"),
    Person("ture", "Ture Almvik", "ture.almvik@example.org", "+46701740607", "ture.almvik"),
)


def read_people(path: Path) -> Sequence[Person]:
    """Return the people of a persons.toml: [[person]] tables with the fields of Person. DEFAULT without."""
    if not path.exists():
        return DEFAULT
    people = tuple(Person(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["person"])
    for person in people:
        if not re.fullmatch(r"[a-z0-9]+", person.key) or person.key == OTHERS:
            raise ValueError(f"persons.toml: {person.key!r} cannot be a key")
    return people


def same_place(a: str, b: str) -> bool:
    """Return whether two addresses are one, as a mail server, an operator or the bank compares them."""
    return re.sub(r"\s", "", a).casefold() == re.sub(r"\s", "", b).casefold()


def find_person(people: Sequence[Person], channel: str, address: str) -> Person | None:
    """Return whose address this is. The bank's inbox takes a customer number or the e-mail it has on file."""
    for person in people:
        known = {
            "email": [person.email],
            "sms": [person.phone],
            "inbox": [person.customer, person.email],
        }[channel]
        if any(same_place(address, place) for place in known):
            return person
    return None

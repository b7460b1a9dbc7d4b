"""The invented people who can hold the demo phone."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Person:
    """key: short name in links and certificates' files. pin: six digits, the security code of the BankID."""

    key: str
    given_name: str
    surname: str
    personal_number: str
    pin: str = "123456"
    label: str = ""

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.surname}"


DEFAULT_PERSONS = (
    Person("maja", "Maja", "Granlid", "199002142389"),
    Person("samir", "Samir", "Haddin", "198805071233"),
    Person("ture", "Ture", "Almvik", "196103182371"),
    Person("agnes", "Agnes", "Rask", "198412032396"),
    Person("ylva", "Ylva", "Klerå", "197709072388"),
    Person("other", "Vide", "Strömhag", "197511094828", label="someone-else"),
)


def read_persons(path: Path) -> Sequence[Person]:
    """Return the persons of a persons.toml: [[person]] tables like Person. Raises ValueError."""
    people = tuple(Person(**entry) for entry in tomllib.loads(path.read_text("utf-8"))["person"])
    for person in people:
        if not (person.key.isascii() and person.key.isalnum()):
            raise ValueError(f"a person's key is letters and digits: {person.key!r}")
        if len(person.personal_number) != 12 or not person.personal_number.isdigit():
            raise ValueError(f"a personal number has 12 digits: {person.key}")
    if len({person.key for person in people}) != len(people) or not people:
        raise ValueError("persons need keys of their own, and there must be one at least")
    return people

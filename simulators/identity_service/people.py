"""The invented staff of Exempelbanken, and the ways they can prove who they are."""

from dataclasses import dataclass

ACR = "urn:exempelbanken:acr:"


@dataclass(frozen=True)
class Person:
    """A staff member as the identity service knows one. subject: stable, says nothing."""

    key: str
    subject: str
    name: str
    title: str
    office: str
    groups: tuple[str, ...]

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in self.name.split())


@dataclass(frozen=True)
class Factors:
    """One way to sign in. acr: the service's word. amr: RFC 8176. rank: a higher one satisfies a lower."""

    key: str
    icon: str
    acr: str
    amr: tuple[str, ...]
    rank: int


PEOPLE = {
    person.key: person
    for person in (
        Person(
            "elin",
            "7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e01",
            "Elin Sjöhage",
            "Rådgivare",
            "Luleå",
            ("bank-mortgage-advisers", "bank-advisers"),
        ),
        Person(
            "berit",
            "7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e02",
            "Berit Lundhag",
            "Administratör",
            "Stockholm",
            ("bank-administrators",),
        ),
        Person(
            "rolf",
            "7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e03",
            "Rolf Stenmark",
            "Regelefterlevnad",
            "Stockholm",
            ("bank-compliance",),
        ),
        Person(
            "nils",
            "7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e04",
            "Nils Brovall",
            "Kundservice",
            "Östersund",
            ("bank-customer-service",),
        ),
        Person(
            "frida",
            "7c1b6f0e-5d1c-4b0e-9a55-0d5f0c1a6e05",
            "Frida Oxelbo",
            "Valutarådgivare",
            "Umeå",
            ("bank-fx-desk",),
        ),
    )
}

FACTORS = {
    way.key: way
    for way in (
        Factors("key", "key", f"{ACR}strong", ("pwd", "hwk", "user", "mfa"), 3),
        Factors("phone", "phone", f"{ACR}strong", ("pwd", "swk", "mca", "mfa"), 3),
        Factors("card", "card", f"{ACR}two-factor", ("pwd", "otp", "mfa"), 2),
        Factors("password", "password", f"{ACR}password", ("pwd",), 1),
    )
}

RANK = {way.acr: way.rank for way in FACTORS.values()}
ACR_VALUES = sorted(RANK, key=lambda acr: RANK[acr])

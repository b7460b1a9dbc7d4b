"""Codes by text message, where somebody begins again and again: neither a flood of messages nor endless guesses."""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from sidecar.plugin_api import ClientView

HERE = ClientView(ip="127.0.0.1", user_agent="Mozilla/5.0", referring_domain="bank.example", device="ab" * 32)
NUMBER = "+46701740644"


class Guest:
    """Somebody who signs outside a meeting, at a page that everybody can open."""

    def __init__(self, room: Any, pdf: Callable[..., bytes]) -> None:
        self.room, self.pdf = room, pdf

    def signing(self, name: str = "Åsa Öberg") -> str:
        person = self.room.core.add_person(name=name, email="asa@example.org", phone=NUMBER)
        return str(
            self.room.service().begin(
                meeting=None,
                brand="exempelbanken",
                language="sv",
                title="Biljetter",
                text="",
                documents=[{"key": "order", "name": "Biljetter.pdf", "data": self.pdf("Biljetter")}],
                parties=[{"key": "p1", "person": person, "methods": ["touch", "sms"]}],
                deadline=self.room.product.clock.now + timedelta(days=9),
                by="system",
                reference="",
            )
        )

    def act(self, signing: str, what: str, **more: Any) -> Mapping[str, Any]:
        step: Mapping[str, Any] = self.room.service().act(signing, "p1", what, client=HERE, **more)
        return step

    def starts(self, signing: str) -> str:
        return str(self.act(signing, "start", method="sms")["message"]).removeprefix("pades_signing.sms.")

    def codes(self) -> list[str]:
        """Return every code that reached the telephone."""
        self.room.product.worker()
        sent = [each for each in self.room.product.channels["sms"].sent if each.address == NUMBER]
        return [re.findall(r"\b[0-9]{6}\b", each.text)[0] for each in sent]


@pytest.fixture
def asa(make_room: Callable[..., Any], pdf: Callable[..., bytes]) -> Guest:
    return Guest(make_room(), pdf)


@pytest.mark.requirement("R082")
def test_beginning_anew_sends_no_flood_to_a_telephone(asa: Guest) -> None:
    signing = asa.signing()
    assert {asa.starts(signing) for _ in range(30)} == {"sent", "wait"}
    assert len(asa.codes()) == 1
    said = []
    for _ in range(6):
        asa.room.later(31)
        said.append(asa.starts(signing))
    assert said == ["sent"] * 3 + ["no_more"] * 3
    assert len(asa.codes()) == 4

    for number in range(8):  # other signings of the same number: a form is begun by anybody
        asa.starts(asa.signing(f"Gäst {number}"))
    assert len(asa.codes()) == 10
    asa.room.later(timedelta(days=1, minutes=1).total_seconds())
    asa.room.product.worker()
    assert asa.room.core.records().find("spent") == []  # whose day is over is forgotten
    assert asa.starts(signing) == "sent"


@pytest.mark.requirement("R082", "R205")
def test_beginning_anew_brings_no_new_guesses(asa: Guest) -> None:
    signing = asa.signing()
    assert asa.starts(signing) == "sent"
    for guess in range(3):
        assert asa.act(signing, "submit", answer={"code": wrong(asa, guess)})["status"] == "pending"
    asa.room.later(31)
    assert asa.act(signing, "start", method="sms")["view"]["tries_left"] == 2

    assert asa.act(signing, "submit", answer={"code": wrong(asa, 3)})["params"] == {"left": 1}
    assert asa.act(signing, "submit", answer={"code": wrong(asa, 4)})["message"] == "pades_signing.sms.too_many"

    asa.room.later(31)
    assert asa.starts(signing) == "too_many"
    assert len(asa.codes()) == 2
    assert asa.room.service().view(signing)["state"] == "open"
    assert asa.act(signing, "start", method="touch")["status"] == "pending"  # another way is still there


@pytest.mark.requirement("R205")
def test_guesses_at_once_are_counted_one_by_one(asa: Guest) -> None:
    signing = asa.signing()
    asa.starts(signing)
    guesses = [wrong(asa, guess) for guess in range(12)]

    def guess(code: str) -> str:
        try:
            return str(asa.act(signing, "submit", answer={"code": code})["message"])
        except Exception as error:  # whoever came between is told so, and has seen nothing
            return type(error).__name__

    with ThreadPoolExecutor(6) as program:
        said = list(program.map(guess, guesses))

    assert said.count("pades_signing.sms.wrong") <= 4
    asa.room.later(31)
    assert asa.starts(signing) == "too_many"


def wrong(asa: Guest, number: int) -> str:
    """Return a code that is not the one that was sent."""
    return f"{(int(asa.codes()[-1]) + 1 + number) % 1_000_000:06d}"

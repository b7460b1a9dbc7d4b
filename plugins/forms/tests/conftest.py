"""A meeting in which adviser and customer are inside, with the forms loaded by their approved digest."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import utc_now
from sidecar.testing import Clock, Product
from sidecar.testing.far_ends import FakeCode
from sidecar.testing.people import MAJA
from sidecar.testing.product import ORIGIN, Browser
from simulators.bankid.remote import RemoteBankId
from simulators.common.running import running


@dataclass
class Room:
    """A running meeting. elin: the adviser's browser, maja: the customer's."""

    product: Product
    meeting: Meeting
    elin: Browser
    maja: Browser

    def call(self, who: Browser, method: str, path: str, body: Any = None) -> Any:
        """Send one request to the forms from this browser."""
        return who.client.open(
            f"/v/{who.place}/x/forms/{path}",
            method=method,
            json=body,
            headers={"X-Tillit-CSRF": who.csrf()},
            base_url=ORIGIN,
        )

    def begin(self, name: str = "mortgage_loan") -> Any:
        begun = self.call(self.elin, "POST", "forms", {"name": name})
        assert begun.status_code == 201, begun.text
        return begun.get_json()

    def set(self, who: Browser, form: str, field: str, value: Any, **more: Any) -> Any:
        seen = more.pop("seen", 0)
        return self.call(who, "PUT", f"forms/{form}/fields/{field}", {"value": value, "seen": seen, **more})

    def fill(self, form: str) -> Any:
        """Fill in the mortgage form as the two would, and return it as the adviser sees it."""
        for who, field, value in (
            (self.maja, "borrower_number", "19900214-2389"),
            (self.maja, "email", "maja@example.org"),
            (self.maja, "with_co_borrower", "no"),
            (self.elin, "property", "Solrosen 4"),
            (self.elin, "property_value", "3 000 000 kr"),
            (self.elin, "amount", "2 270 000"),
            (self.elin, "rate_type", "floating"),
            (self.elin, "rate", "3,85"),
            (self.elin, "years", "40"),
            (self.elin, "start_date", (self.product.clock().date() + timedelta(days=10)).isoformat()),
            (self.maja, "pay_by", "direct_debit"),
            (self.maja, "account", "8327-9 1234567"),
            (self.maja, "insurance", "yes"),
        ):
            answer = self.set(who, form, field, value)
            assert answer.status_code == 200, (field, answer.text)
        return self.call(self.elin, "GET", f"forms/{form}").get_json()

    def fields(self, view: Any) -> dict[str, Any]:
        return {field["name"]: field for section in view["sections"] for field in section["fields"]}

    def records(self, kind: str) -> list[Any]:
        return [each for each in self.product.records(self.meeting) if each.kind == kind]


def enter(product: Product, answers: Callable[[], None] | None = None) -> Room:
    """Book a mortgage meeting and let adviser and customer into its room. answers: the customer, to a real BankID."""
    meeting = product.book()
    elin = product.opens(meeting)
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    if answers is None:
        maja.waits(MAJA)
    else:
        assert maja.post("sign-in/start", {"method": "bankid", "same_device": False}).status_code == 200
        answers()
        assert maja.post("sign-in/poll").get_json()["status"] == "complete"
        assert maja.get("lobby").status_code == 200
    admitted = elin.post("room/admit", {"participant": maja.place})
    assert admitted.status_code == 200, admitted.text
    for browser in (elin, maja):
        assert browser.joins().status_code == 200
    return Room(product, meeting, elin, maja)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return enter(Product(tmp_path, with_plugins=["forms"]))


@pytest.fixture
def enter_room() -> Callable[..., Room]:
    return enter


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The trust service's simulator: where its certificates lie, and its address."""
    folder = tmp_path_factory.mktemp("tsa")
    with running("simulators.tsa", "--dir", str(folder), "--port", "0") as started:
        yield folder, started.addresses["tsa"]


@pytest.fixture
def seal(trust: tuple[Path, str]) -> str:
    """Settings of the signing, with a seal and certificates as the trust service's simulator makes them."""
    folder, _ = trust
    return (
        f'[plugins.pades_signing]\nseal_certificate = "{folder}/seal.pem"\n'
        f'seal_key = "{folder}/seal-key.pem"\nroots = "{folder}/roots.pem"\n'
    )


@pytest.fixture
def stamped_seal(trust: tuple[Path, str], seal: str) -> str:
    """The same, and a time-stamp authority."""
    _, url = trust
    return f'{seal}tsa_url = "{url}/"\ncrls = ["{url}/crl/seal.crl", "{url}/crl/tsa.crl"]\n'


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The receiver simulator as a process of its own: its page, and the settings that fit it."""
    folder = tmp_path_factory.mktemp("receiver")
    with running("simulators.receiver", "--dir", str(folder), "--port", "0", "--window", "999999999") as started:
        yield started.addresses["page"], (folder / "settings.toml").read_text("utf-8")


@pytest.fixture
def signing_room(tmp_path: Path, seal: str, systems: tuple[str, str]) -> Room:
    """The room with the real documents and the real signing beside the forms, and systems that are told."""
    plugins = ["forms", "document_room", "pades_signing"]
    return enter(Product(tmp_path, clock=Clock(utc_now()), with_plugins=plugins, more=seal + systems[1]))


@pytest.fixture(scope="module")
def bankid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteBankId]:
    remote = RemoteBankId.launch(tmp_path_factory.mktemp("bankid"))
    yield remote
    remote.stop()


@pytest.fixture
def gala_with_bankid(tmp_path: Path, seal: str, bankid: RemoteBankId) -> Product:
    """The gala's form on a public page, with BankID as one way to sign. Clock and eID keep the same time."""
    clock = Clock(utc_now().replace(microsecond=0))
    bankid.phone("forget")
    bankid.phone("clock", seconds=clock.now.timestamp() - bankid.phone("clock", seconds=0, stands_still=True)["now"])
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in bankid.plugin_settings().items())
    more = f'[plugins.bankid]\n{table}\n[plugins.forms]\npublished = ["gala_order"]\n{seal}'
    plugins = ["bankid", "forms", "pades_signing"]
    return Product(tmp_path, clock=clock, with_plugins=plugins, methods=(FakeCode(clock),), more=more)

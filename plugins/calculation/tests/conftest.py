"""A meeting in which adviser and customer are inside, with calculator and forms loaded by their approved digests."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import Product
from sidecar.testing.people import MAJA
from sidecar.testing.product import ORIGIN, Browser

LOAN = {"amount": 2_270_000, "value": 3_000_000, "years": 40, "binding": "floating", "repayment": "annuity"}


class Room:
    def __init__(self, product: Product) -> None:
        self.product, self.meeting = product, product.book()
        self.elin = product.opens(self.meeting)
        self.maja = product.arrives(product.place_of(self.meeting, Capacity.CUSTOMER)).waits(MAJA)
        assert self.elin.post("room/admit", {"participant": self.maja.place}).status_code == 200
        for browser in (self.elin, self.maja):
            assert browser.joins().status_code == 200

    def call(self, who: Browser, method: str, path: str, body: Any = None, plugin: str = "calculation") -> Any:
        return who.client.open(
            f"/v/{who.place}/x/{plugin}/{path}",
            method=method,
            json=body,
            headers={"X-Tillit-CSRF": who.csrf()},
            base_url=ORIGIN,
        )

    def make(self, **changed: Any) -> Any:
        return self.call(self.elin, "POST", "calculations", {"inputs": LOAN | changed})

    def records(self, kind: str) -> list[Any]:
        return [each for each in self.product.records(self.meeting) if each.kind == kind]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(Product(tmp_path, with_plugins=["calculation", "forms"]))

"""Who lost the connection is away for a moment to the others; who stepped out has left."""

from pathlib import Path

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, Browser, Product


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


@pytest.fixture
def maja(product: Product) -> Browser:
    return product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))


@pytest.fixture
def elin(product: Product, maja: Browser) -> Browser:
    """Elin, in the room with Maja."""
    maja.waits(MAJA)
    elin = product.opens(product.meeting(product.place(maja.place).meeting))
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200
    assert elin.joins().status_code == 200
    return elin


def seen(by: Browser, who: Browser) -> str:
    people = by.get("room/state").get_json()["people"]
    return str(next(person["state"] for person in people if person["id"] == who.place))


def tell(product: Product, maja: Browser, id: str, reason: str) -> None:
    told = {"id": id, "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    assert product.bridge_says({**told, "data": {"reason": reason}}).status_code == 200


@pytest.mark.requirement("R048")
@pytest.mark.parametrize("reason", ["connection_lost", "never_connected", "bridge_stopped"])
def test_whose_connection_broke_is_away_until_they_are_back(
    reason: str, product: Product, maja: Browser, elin: Browser
) -> None:
    tell(product, maja, "ev_1", reason)
    assert seen(elin, maja) == "away"

    assert maja.joins().status_code == 200, "no new sign-in"
    assert seen(elin, maja) == "in_room"
    assert maja.post("room/leave").status_code == 200
    assert seen(elin, maja) == "left"


def test_who_closed_the_page_has_left(product: Product, maja: Browser, elin: Browser) -> None:
    tell(product, maja, "ev_1", "left")
    assert seen(elin, maja) == "left"


def test_nobody_is_away_for_longer_than_the_place_is_kept(product: Product, maja: Browser, elin: Browser) -> None:
    tell(product, maja, "ev_1", "connection_lost")
    product.clock.on(minutes=59)
    assert seen(elin, maja) == "left"

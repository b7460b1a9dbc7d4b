"""The plugin in the whole product: whose shares are watched, what a cut leaves behind, what the desk offers."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.meetings import Meeting, MeetingState
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import ConfigurationError
from sidecar.testing import MAJA, Browser, Product
from tillit_share_firewall.settings import read_settings

SYSTEMS = "[plugins.share_firewall.systems]\ncustomer-records = 7\n"


class Site:
    """A mortgage meeting with the firewall loaded; adviser and customer are inside."""

    def __init__(self, folder: Path) -> None:
        self.product = Product(folder, with_plugins=["share_firewall"], more=SYSTEMS)
        self.meeting: Meeting = self.product.book()
        self.elin: Browser = self.product.opens(self.meeting)

    def joins(self) -> None:
        maja = self.product.arrives(self.product.place_of(self.meeting, Capacity.CUSTOMER)).waits(MAJA)
        assert self.elin.post("room/admit", {"participant": maja.place}).status_code == 200
        for browser in (self.elin, maja):
            assert browser.joins().status_code == 200

    def shares(self) -> Any:
        return self.elin.post("room/share", {"action": "start", "surface": "window"})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.requirement("R206")
def test_whoever_comes_in_is_watched_and_the_use_is_recorded(site: Site) -> None:
    site.joins()

    assert site.product.conference.watched
    assert site.shares().status_code == 200
    used = [dict(each.data) for each in site.product.records(site.meeting) if each.kind == "plugin.used"]
    assert used.count({"plugin": "share_firewall"}) == 1


@pytest.mark.requirement("R206")
def test_where_nothing_can_look_nothing_is_shared_and_the_sentence_says_so(site: Site) -> None:
    site.joins()
    site.product.conference.has_sampler = False

    refused = site.shares()

    assert refused.status_code == 403
    assert refused.json["rule"] == "share_firewall/down"
    assert "granskningen av delade bilder" in refused.json["sentence"]


@pytest.mark.requirement("R206")
def test_end_to_end_encryption_ends_the_watching(site: Site) -> None:
    site.product.conference.end_to_end = True
    site.joins()
    assert site.elin.post("room/raise", {"target": "encryption:strict"}).status_code == 200

    assert not site.product.conference.watched
    site.product.conference.has_sampler = False
    assert site.shares().status_code == 200


def cut(site: Site, *, id: str = "ev_1", **data: Any) -> Any:
    place = site.product.place_of(site.meeting, Capacity.ADVISER)
    room = site.product.meeting(site.meeting).room
    at = site.product.clock().isoformat()
    told = {"id": id, "kind": "share.cut", "room": room, "participant": place.id, "at": at, "data": data}
    return site.product.bridge_says(told)


@pytest.mark.requirement("R206")
def test_a_cut_share_is_an_event_with_the_system_and_the_share_is_over(site: Site) -> None:
    site.joins()
    assert site.shares().status_code == 200

    for _ in range(2):  # the bridge tells it again where it heard no answer
        assert cut(site, reason="canary", canary=7).status_code == 200

    entries = [e for e in site.product.records(site.meeting) if e.kind == "share.cut"]
    adviser = site.product.place_of(site.meeting, Capacity.ADVISER)
    assert [each.actor for each in entries] == [adviser.staff]
    assert {"reason": "canary", "canary": 7, "system": "customer-records"}.items() <= dict(entries[0].data).items()
    assert not adviser.sharing
    assert site.shares().status_code == 200  # another window may follow


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"reason": "canary"},
        {"reason": "other", "canary": 7},
        {"reason": "canary", "canary": "7"},
        {"reason": "canary", "canary": 70000},
        {"reason": "canary", "canary": True},
    ],
    ids=json.dumps,
)
def test_a_cut_that_cannot_be_read_is_passed_over(site: Site, data: dict[str, Any]) -> None:
    site.joins()

    assert cut(site, **data).status_code == 200
    assert "share.cut" not in site.product.kinds(site.meeting)


@pytest.mark.requirement("R206")
def test_the_journal_says_why_a_share_was_cut(site: Site) -> None:
    site.joins()
    assert cut(site, reason="canary", canary=7).status_code == 200
    site.elin.post("room/end")
    assert site.product.meeting(site.meeting).state is MeetingState.ENDED

    page = site.elin.get(f"/desk/meetings/{site.meeting.id}/journal").get_data(as_text=True)

    assert "bröts: en av bankens interna sidor syntes" in page


def test_the_desk_offers_each_systems_pattern_and_no_others(site: Site) -> None:
    page = site.elin.get("/desk/x/share_firewall/canaries").get_data(as_text=True)
    assert "customer-records" in page
    assert 'href="/desk/x/share_firewall/canaries/canary-7.css"' in page

    for file, start in (("canary-7-dark.svg", b"<svg"), ("canary-7-light.png", b"\x89PNG"), ("canary-7.css", b"html")):
        answer = site.elin.get(f"/desk/x/share_firewall/canaries/{file}")
        assert answer.status_code == 200
        assert answer.data.startswith(start)
    for file in ("canary-8-dark.svg", "canary-7-blue.svg", "canary-99999-dark.svg", "canary-7.svg", "x"):
        assert site.elin.get(f"/desk/x/share_firewall/canaries/{file}").status_code == 404


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"system": {}}, "unknown key system"),
        ({"systems": ["crm"]}, "a table"),
        ({"systems": {"The CRM": 1}}, "a system's name"),
        ({"systems": {"crm": 0}}, "1 to 65535"),
        ({"systems": {"crm": 65536}}, "1 to 65535"),
        ({"systems": {"crm": True}}, "1 to 65535"),
        ({"systems": {"crm": 1, "core": 1}}, "of crm already"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_settings(table)

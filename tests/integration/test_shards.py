"""One shard for each jurisdiction: the customer's domicile picks it, and where none answers nothing is held."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sidecar.domain.errors import NotFoundError, RefusedError
from sidecar.domain.identity import Subject
from sidecar.domain.ids import RoomName
from sidecar.domain.jws import JwkSet
from sidecar.domain.meetings import Meeting, MeetingState
from sidecar.domain.permissions import Capacity
from sidecar.domain.placement import NO_SHARD, SHARD_DOWN, Shard, new_room, shard_id_of
from sidecar.domain.policy import LANGUAGES
from sidecar.domain.tokens import TokenWrongAudienceError, verify_join_token
from sidecar.services.placement import Placement
from sidecar.services.ports import Person
from sidecar.testing import AGNES, MAJA, ORIGIN, Browser, Product, guest
from tests.integration.two_shards import TwoShards

SE = Shard("se", "jitsi", "eu-north-se", frozenset({"SE"}), "shard-se")
FI = Shard("fi", "jitsi", "eu-central-fi", frozenset({"FI", "SE"}), "shard-fi")


@pytest.fixture
def bank(tmp_path: Path) -> TwoShards:
    return TwoShards(tmp_path)


@pytest.fixture
def product(bank: TwoShards) -> Product:
    return bank.product


def customer(product: Product, country: str) -> Any:
    person = Person(
        id=f"per_{country.lower()}",
        kind="customer",
        name="Aino Korpela",
        email="aino.korpela@example.org",
        phone="+358401234567",
        subjects=(Subject("se-personnummer", AGNES.number),),
        country=country,
    )
    product.services.people.put(person)
    return person.id


def comes(product: Product, meeting: Meeting) -> Browser:
    return product.arrives(product.place_of(meeting, Capacity.CUSTOMER))


@pytest.mark.requirement("R135")
@pytest.mark.parametrize(("country", "shard", "region"), [("SE", "se", "eu-north-se"), ("FI", "fi", "eu-central-fi")])
def test_the_customers_domicile_picks_the_shard_whoever_the_adviser_is(
    product: Product, country: str, shard: str, region: str
) -> None:
    meeting = product.book(customer=customer(product, country))

    assert shard_id_of(meeting.room) == shard
    assert (meeting.region, meeting.domicile) == (region, country)
    [booked] = [record for record in product.records(meeting) if record.kind == "meeting.booked"]
    assert (booked.data["shard"], booked.data["region"]) == (shard, region)


@pytest.mark.requirement("R136")
def test_a_guest_from_another_country_does_not_move_the_customers_meeting(product: Product) -> None:
    meeting = product.book(customer=customer(product, "FI"), guests=[guest(MAJA)])
    product.opens(meeting)

    assert shard_id_of(product.meeting(meeting).room) == "fi"
    assert product.meeting(meeting).region == "eu-central-fi"


@pytest.mark.requirement("R132", "R134", "R207")
def test_the_token_opens_the_customers_shard_and_no_other(product: Product) -> None:
    meeting = product.book()
    elin = product.opens(meeting)
    token = elin.post("room/token").get_json()["token"]
    claims = product.services.verify_join(token, meeting.room).claims
    assert (claims.audience, claims.region) == ("shard-se", "eu-north-se")

    with pytest.raises(TokenWrongAudienceError):
        verify_join_token(
            token,
            jwks=product.services.ring.jwks("join"),
            algorithm="RS256",
            expected_issuer="tillit",
            expected_audience="shard-fi",
            expected_room=meeting.room,
            now=product.clock(),
        )


@pytest.mark.requirement("R133", "R207")
def test_a_meeting_begins_on_another_of_its_customers_shards_where_the_first_is_down(product: Product) -> None:
    meeting = product.book()
    assert shard_id_of(meeting.room) == "se"
    product.conference.shards_down = {"se"}
    elin = product.opens(meeting)

    moved = product.meeting(meeting)
    assert shard_id_of(moved.room) == "fi"
    claims = product.services.verify_join(elin.post("room/token").get_json()["token"], moved.room).claims
    assert (claims.audience, claims.region) == ("shard-fi", "eu-central-fi")
    [opened] = [record for record in product.records(meeting) if record.kind == "meeting.opened"]
    assert opened.data == {"shard": "fi", "booked_shard": "se"}


@pytest.mark.requirement("R207")
def test_a_running_meeting_stays_where_it_is(product: Product) -> None:
    meeting = product.book()
    elin = product.opens(meeting)
    maja = comes(product, meeting).waits(MAJA)
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    product.conference.shards_down = {"se"}

    refused = maja.post("room/token")
    assert (refused.status_code, refused.get_json()["rule"]) == (403, "placement/shard-down")
    assert product.meeting(meeting).room == meeting.room
    product.conference.shards_down = set()
    assert maja.post("room/token").status_code == 200


@pytest.mark.requirement("R207")
def test_where_no_shard_answers_nothing_is_held_and_everybody_is_told_why(product: Product) -> None:
    meeting = product.book()
    arrived = comes(product, meeting)
    arrived.identifies(MAJA)
    product.conference.shards_down = {"se", "fi"}

    with pytest.raises(RefusedError) as refused:
        product.book(customer=customer(product, "FI"))
    assert refused.value.params["rule"] == "placement/shard-down"
    elin = product.staff()
    with pytest.raises(RefusedError, match="placement/shard-down"):
        product.services.admission.open_meeting(
            meeting.id, elin.id, packages=elin.packages, call_checked_at=product.clock()
        )
    assert product.meeting(meeting).state is MeetingState.BOOKED

    lobby = arrived.get("lobby", headers={"Accept": "application/json"})
    assert (lobby.status_code, lobby.get_json()["rule"]) == (403, "placement/shard-down")
    assert "annat land" in lobby.get_json()["sentence"]
    called = product.browser()
    assert called.get("/call").status_code == 200
    assert "till ett annat land" in called.post("/call", {"type": "onboarding"}, form=True).text

    later = product.book(starts_at=product.clock() + timedelta(days=7))
    assert shard_id_of(later.room) == "se", "a meeting of next week does not need its shard today"
    product.conference.shards_down = set()
    assert arrived.get("lobby").status_code == 200


@pytest.mark.requirement("R207")
@pytest.mark.parametrize("decision", [NO_SHARD, SHARD_DOWN], ids=lambda decision: decision.rule)
def test_the_refusal_is_a_sentence_of_its_own_in_each_language(product: Product, decision: Any) -> None:
    said = {
        product.services.policy.sentences.say(decision, language, phone=phone)
        for language in LANGUAGES
        for phone in ("", "08-465 004 12")
    }

    assert len(said) == 2 * len(LANGUAGES)
    general = {product.services.policy.sentences.say("refused", language) for language in LANGUAGES}
    assert not said & general
    assert all("{" not in sentence for sentence in said)


@pytest.mark.requirement("R207", "R133")
def test_no_rule_for_a_domicile_means_nowhere() -> None:
    placement = Placement([SE, FI], answers=lambda shard: True)

    assert placement.choose("NO", answering=False) is NO_SHARD
    assert placement.choose("SE", answering=True) is SE
    assert Placement([SE, FI], answers=lambda shard: shard == "fi").choose("SE", answering=True) is FI
    assert Placement([SE, FI], answers=lambda shard: shard == "se").choose("FI", answering=True) is SHARD_DOWN
    assert Placement([], answers=lambda shard: True).choose("SE", answering=False) is NO_SHARD
    with pytest.raises(NotFoundError):
        placement.shard_of("no-0123456789abcdef")


@pytest.mark.requirement("R207")
def test_a_meeting_from_before_there_were_shards_begins_in_its_own_region(product: Product) -> None:
    meeting = product.book()
    old = replace(meeting, room=RoomName("0123456789abcdef0123456789abcdef"), domicile="")
    product.services.meetings.write(lambda tx: tx.save_meeting(old))

    product.opens(old)
    assert shard_id_of(product.meeting(old).room) == "se"

    elsewhere = replace(product.meeting(product.book()), room=RoomName("0" * 32), domicile="", region="eu-west-nl")
    assert product.services.placement.for_start(elsewhere) is SHARD_DOWN


def test_a_rooms_name_says_its_shard_and_nothing_else() -> None:
    room = new_room(SE)

    assert shard_id_of(room) == "se"
    assert len(room) == len("se-") + 32
    assert new_room(SE) != room
    assert shard_id_of(RoomName("0123456789abcdef")) == ""


# What a shard fetches from us


def test_prosody_finds_the_keys_in_each_form_it_asks_for(product: Product) -> None:
    browser = product.browser()
    ring = product.services.ring
    for path, purpose in (("join-keys", "join"), ("control-keys", "control")):
        answer = browser.get(f"/internal/prosody/{path}.json")
        assert JwkSet.from_json(answer.data).kids == ring.jwks(purpose).kids  # type: ignore[arg-type]
        assert "max-age=10" in answer.headers["Cache-Control"]
        assert b'"d"' not in answer.data

    key = ring.signing_key("join")
    digest = hashlib.sha256(key.kid.encode()).hexdigest()
    pem = browser.get(f"/internal/prosody/asap/{digest}.pem")
    assert load_pem_public_key(pem.data) == key.private_key.public_key()
    for unknown in (digest[::-1], key.kid, "..%2f..%2fjoin"):
        assert browser.get(f"/internal/prosody/asap/{unknown}.pem").status_code == 404


def test_at_the_door_the_sidecar_says_who_is_admitted_and_to_what(bank: TwoShards) -> None:
    product = bank.product
    meeting = product.book()
    elin = product.opens(meeting)
    maja = comes(product, meeting).waits(MAJA)
    asked = {"room": meeting.room, "participant": maja.place, "jti": "x"}

    def answer(shard: str = "se", **changed: str) -> dict[str, Any]:
        said = bank.ask("/internal/prosody/admissions", asked | changed, shard=shard)
        assert said.status_code == 200
        found: dict[str, Any] = said.get_json()
        return found

    assert answer() == {"admitted": False}, "she waits in the lobby"
    elin.post("room/admit", {"participant": maja.place})
    said = answer()
    place = product.place(maja.place)
    assert place.session_until is not None
    assert said["admitted"] is True
    assert said["session_until"] == int(place.session_until.timestamp())
    assert set(said["permissions"]) == set(maja.get("room/state").get_json()["me"]["permissions"])
    assert answer(shard="fi") == {"admitted": False}, "another shard's Prosody has no say"
    assert answer(room="se-other") == {"admitted": False}
    assert answer(participant="p_nobody") == {"admitted": False}
    elin.post("room/expel", {"participant": maja.place})
    assert answer() == {"admitted": False}


def test_jitsi_meet_is_told_how_to_look_below_each_brands_own_host(product: Product) -> None:
    client = product.app.test_client()
    script = client.get("/jitsi/config.js", base_url="https://meet.exempelbanken.example")
    assert script.mimetype == "text/javascript"
    assert script.text.startswith("Object.assign(config, {")
    assert '"dynamicBrandingUrl": "https://exempelbanken.example/jitsi/branding.json"' in script.text
    look = client.get("/jitsi/interface_config.js", base_url="https://meet.nordlyset.example").text
    assert "Sparebanken Nordlyset" in look
    assert client.get("/jitsi/config.js", base_url="https://meet.other.example").status_code == 404

    def branding(origin: str) -> Any:
        return client.get("/jitsi/branding.json", base_url=ORIGIN, headers={"Origin": origin})

    allowed = branding("https://meet.exempelbanken.example")
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://meet.exempelbanken.example"
    assert allowed.get_json()["customTheme"]["palette"]["action01"] == "#0c4a5b"
    for stranger in ("https://meet.nordlyset.example", "https://attacker.example", "null"):
        assert "Access-Control-Allow-Origin" not in branding(stranger).headers


def test_a_bridge_and_a_jitsi_can_stand_side_by_side(tmp_path: Path) -> None:
    """Each country has its own kind: its page, its commands and its reports follow the shard, not the installation."""
    bank = TwoShards(tmp_path, real_media=True, change=('id = "se"', 'id = "se"\nkind = "bridge"'))
    product = bank.product
    services = product.services
    assert services.conference.health() == {
        "shard-se-bridge": "down",
        "shard-fi-prosody": "down",
        "shard-fi-reports": "unknown",
    }

    elin = product.opens(product.book())
    page = elin.get("room")
    assert "js/room/main.js" in page.text
    assert "frame-src" not in page.headers["Content-Security-Policy"]
    assert elin.joins().status_code == 503, "the bridge is away, and her place is kept"
    with pytest.raises(RefusedError, match="placement/shard-down"):
        product.book(customer=customer(product, "FI"))
    ours = services.ring.signing_key("control")
    assert bank.prosody_says(key=ours, name="prosody-se").status_code == 200
    assert bank.prosody_says(key=ours, name="prosody-fi").status_code == 401


@pytest.mark.requirement("R107")
def test_closed_encryption_is_not_promised_on_jitsi_where_no_server_sees_it_kept(product: Product) -> None:
    meeting = product.book()
    elin = product.opens(meeting)
    assert "encryption:strict" not in {each["target"] for each in elin.get("room/state").get_json()["raises"]}
    assert elin.post("room/raise", {"target": "encryption:strict"}).status_code == 403

    product.conference.end_to_end = True  # as if another shard could: this one still cannot
    assert elin.post("room/raise", {"target": "encryption:strict"}).status_code == 200
    refused = elin.post("room/token")
    assert (refused.status_code, refused.get_json()["rule"]) == (403, "jitsi/no-end-to-end")

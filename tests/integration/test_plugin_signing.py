"""Who may sign how: the policy's floor, the plugins' say, and a request that only the core can fill in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.errors import ConfigurationError, ConflictError, InvalidInputError, NotFoundError, RefusedError
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import ClientView, DeliveryFailedError, MeetingView, SignQuestion, Subject
from sidecar.testing import ELIN, MAJA, ORIGIN, SAMIR, SIV, PluginSite, Product, guest, shipped_policy

NAME = "stamper"
CLIENT = ClientView(ip="192.0.2.7", user_agent="Firefox", referring_domain="bank.example", device="d" * 64)
CODE = """
from types import SimpleNamespace


class Stamper:
    def __init__(self, context):
        self.core = context.core
        self.verdict = None

    @hookimpl
    def provide_signing_methods(self):
        return [SimpleNamespace(name=name, kind=kind, loa=loa) for name, kind, loa in (
            ("finger", "touch", LoA.LOW), ("texted", "sms", LoA.LOW), ("bankid", "eid", LoA.SUBSTANTIAL),
            ("elsewhere", "eid", LoA.SUBSTANTIAL))]

    @hookimpl
    def provide_services(self):
        return {"stamper": self}

    @hookimpl
    def provide_texts(self):
        texts = {"stamper.copy.subject": "Copy", "stamper.copy.body": "{name}, {what}", "stamper.copy.sms": "{what}"}
        return {language: texts for language in LANGUAGES}

    @hookimpl
    def judge_sign(self, question):
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


def load(context):
    return Stamper(context)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PluginSite]:
    site = PluginSite(tmp_path / "site")
    site.install(NAME, CODE, audit_kinds='["stamper.signed", "stamper.sent"]')
    yield site
    site.remove()


@pytest.fixture
def product(tmp_path: Path, site: PluginSite) -> Product:
    shipped = shipped_policy()
    types = {ref: replace(each, integrations=each.integrations | {NAME}) for ref, each in shipped.types.items()}
    bands = {
        band: floor if floor.plugins is None else replace(floor, plugins=floor.plugins | {NAME})
        for band, floor in shipped.bands.items()
    }
    folder = tmp_path / "bank"
    folder.mkdir()
    return Product(
        folder, with_plugins=[NAME], approvals=site.approvals, policy=replace(shipped, types=types, bands=bands)
    )


def core(product: Product) -> Any:
    return product.services.plugin_work.core(NAME)


def question(view: MeetingView, capacity: Capacity, **changed: Any) -> SignQuestion:
    place = next(each for each in view.places if each.capacity is capacity)
    facts: dict[str, Any] = {"method": "bankid", "kind": "eid", "documents": (("d_1", "ab" * 32),)} | changed
    return SignQuestion(
        meeting=view.id,
        participant=place.participant,
        capacity=capacity,
        band=place.band,
        meeting_type=place.meeting_type,
        **facts,
    )


def held(product: Product, **booking: Any) -> tuple[Meeting, MeetingView]:
    meeting = product.book(**{"guests": [guest(SAMIR)]} | booking)
    return meeting, core(product).meeting(meeting.id)


@pytest.mark.requirement("R020")
@pytest.mark.parametrize(
    ("type_name", "adviser", "left"),
    [("mortgage", ELIN, ["bankid"]), ("advice", SIV, ["bankid", "finger", "texted"])],
)
def test_a_person_is_left_the_methods_that_type_and_floor_accept(
    product: Product, type_name: str, adviser: Any, left: list[str]
) -> None:
    _, view = held(product, type_name=type_name, adviser=adviser, guests=[])
    customer = next(each for each in view.places if each.capacity is Capacity.CUSTOMER)

    assert [each.name for each in core(product).signing_methods(customer)] == left
    assert len(core(product).signing_methods(None)) == 4


@pytest.mark.requirement("R060")
@pytest.mark.parametrize(
    ("phone", "link_channel", "left"),
    [
        (MAJA.phone, "inbox", ["bankid", "finger", "texted"]),
        (MAJA.phone, "sms", ["bankid", "finger"]),
        ("", "inbox", ["bankid", "finger"]),
    ],
)
def test_a_person_is_offered_no_way_that_they_could_not_answer(
    product: Product, phone: str, link_channel: str, left: list[str]
) -> None:
    meeting = product.book(type_name="advice", adviser=SIV, customer=product.customer(MAJA, phone=phone))
    customer = replace(product.place_of(meeting, Capacity.CUSTOMER), link_channel=link_channel)
    product.services.meetings.write(lambda tx: tx.save_participant(customer))
    places = {each.capacity: each for each in core(product).meeting(meeting.id).places}

    assert [each.name for each in core(product).signing_methods(places[Capacity.CUSTOMER])] == left
    # The adviser has neither a personal number nor a telephone here.
    assert [each.name for each in core(product).signing_methods(places[Capacity.ADVISER])] == ["finger"]


def contact(product: Product, meeting: Meeting) -> dict[str, str]:
    """Return where a code for signing may go to the meeting's customer."""
    places = core(product).meeting(meeting.id).places
    customer = next(each for each in places if each.capacity is Capacity.CUSTOMER)
    made = core(product).signing_request(
        customer, CLIENT, visible_text="I sign", hidden_data=b"{}", same_device=False, return_path="back/1"
    )
    return dict(made.contact)


@pytest.mark.requirement("R060")
def test_no_code_goes_to_the_telephone_that_got_the_link_whatever_way_a_later_letter_took(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + timedelta(days=3))
    product.channels["inbox"].broken = DeliveryFailedError(retry=False)
    product.clock.on(seconds=11)
    product.worker()
    assert contact(product, meeting) == {"sms": MAJA.phone}

    for channel in ("sms", "email"):  # the invitation, and later the reminder
        [failed] = [each for each in product.services.meetings.errands(meeting.id) if each.state == "failed"]
        product.services.messages.send_again(failed.id, channel=channel)
        product.worker()
        product.clock.now = meeting.starts_at - timedelta(days=1)
        product.worker()

    assert "/m/" in product.channels["sms"].sent[-1].text
    place = product.place_of(meeting, Capacity.CUSTOMER)
    assert (place.link_channel, place.link_channels) == ("email", ("inbox", "sms", "email"))
    assert contact(product, meeting) == {}
    with pytest.raises(ConflictError):
        product.services.messages.send_code(place, channel="sms", code="482113")


@pytest.mark.requirement("R060", "R212")
def test_no_code_goes_to_the_telephone_behind_the_mailbox_that_got_the_link(product: Product) -> None:
    gateway = product.customer(MAJA, inbox="", email=f"{MAJA.phone[3:]}@sms.example")

    assert contact(product, product.book(customer=gateway)) == {}


def test_an_eid_is_offered_to_those_whose_number_it_takes_and_one_that_says_nothing_takes_any(product: Product) -> None:
    people, who = product.services.people, product.customer(MAJA)
    people.put(replace(people.get(who), subjects=(Subject("no-fodselsnummer", "01019000083"),)))
    _, view = held(product, type_name="advice", adviser=SIV, guests=[], customer=who)
    hers = next(each for each in view.places if each.capacity is Capacity.CUSTOMER)
    eid: Any = next(each for each in core(product).signing_methods(None) if each.name == "bankid")
    assert [each.name for each in core(product).signing_methods(hers)] == ["bankid", "finger", "texted"]

    eid.number_schemes = frozenset({"se-personnummer"})

    assert [each.name for each in core(product).signing_methods(hers)] == ["finger", "texted"]


@pytest.mark.requirement("R020")
def test_a_weaker_method_is_refused_and_recorded_under_the_types_rule(product: Product) -> None:
    meeting, view = held(product)
    ask = core(product).require_sign

    ask(question(view, Capacity.CUSTOMER), "stamper.signed")
    for wrong, rule in (
        ({"method": "finger", "kind": "touch"}, "mortgage@1/signing"),
        ({"method": "finger", "kind": "eid"}, "mortgage@1/signing"),
        ({"method": "nobodys", "kind": "eid"}, "mortgage@1/signing"),
        ({"method": "elsewhere", "kind": "eid"}, "mortgage@1/sign_in"),
    ):
        with pytest.raises(RefusedError) as refused:
            ask(question(view, Capacity.CUSTOMER, **wrong), "stamper.signed")
        assert refused.value.params["rule"] == rule
        assert product.records(meeting)[-1].data["act"] == "stamper.signed"


@pytest.mark.requirement("R129")
def test_an_observer_signs_nothing(product: Product) -> None:
    _, view = held(product)

    with pytest.raises(RefusedError) as refused:
        core(product).require_sign(question(view, Capacity.OBSERVER), "stamper.signed")
    assert refused.value.params["rule"] == "never/observer-documents"


@pytest.mark.requirement("R050")
@pytest.mark.parametrize("answer", ["refuses", "raises", "rambles"])
def test_a_plugin_can_hold_a_signature_back_and_one_that_fails_has(product: Product, answer: str) -> None:
    from sidecar.plugin_api import Decision

    meeting, view = held(product)
    verdicts = {"refuses": Decision(False, "stamper/unread", "refused"), "raises": ValueError("x"), "rambles": "yes"}
    product.stub.service("stamper").verdict = verdicts[answer]  # type: ignore[attr-defined]

    with pytest.raises(RefusedError):
        core(product).require_sign(question(view, Capacity.CUSTOMER), "stamper.signed")
    assert product.kinds(meeting)[-1] == "permission.refused"


def test_the_core_fills_in_whom_it_must_be_and_where_a_code_goes(product: Product) -> None:
    _, view = held(product)
    customer = next(each for each in view.places if each.capacity is Capacity.CUSTOMER)

    def request(**how: Any) -> Any:
        facts = {"visible_text": "I sign", "hidden_data": b"{}", "same_device": True, "return_path": "back/1"} | how
        return core(product).signing_request(customer, CLIENT, **facts)

    made = request()
    assert made.subject == Subject("se-personnummer", MAJA.number)
    assert made.contact == {"sms": MAJA.phone}
    assert made.return_url == f"{ORIGIN}/v/{customer.participant}/x/stamper/back/1"
    assert (made.brand_name, made.end_user_ip, made.language) == ("Exempelbanken", "192.0.2.7", "sv")
    assert request(same_device=False).return_url is None
    assert made.id != request().id
    for secret in (MAJA.number, MAJA.phone, "192.0.2.7", "I sign"):
        assert secret not in repr(made)


# People outside meetings


def test_somebody_from_outside_a_meeting_gets_a_pseudonym_and_a_message(product: Product) -> None:
    mine = core(product)
    who = mine.add_person(name="Ture  Almvik", email="Ture@Example.org", phone="070-174 06 07", language="en")

    found = mine.person(who)
    assert (found.name, found.channels, found.has_number) == ("Ture Almvik", ("email", "sms"), False)
    mine.message(who, "stamper.copy", {"what": "a ticket"}, brand="exempelbanken")
    mine.message(who, "stamper.copy", {"what": "a code"}, brand="exempelbanken", channel="sms")
    product.worker()
    (letter,) = product.channels["email"].sent
    assert (letter.address, letter.subject, letter.text) == ("ture@example.org", "Copy", "Ture Almvik, a ticket")
    assert product.channels["sms"].sent[0].text == "a code"
    assert product.kinds().count("message.sent") == 2
    request = mine.signing_request(
        who, CLIENT, visible_text="x", hidden_data=b"", same_device=False, return_path="/", brand="exempelbanken"
    )
    assert (request.subject, request.meeting, request.contact) == (None, "", {"sms": "+46701740607"})


def test_whoever_is_known_by_number_keeps_their_pseudonym(product: Product) -> None:
    known = product.customer(MAJA)

    assert core(product).add_person(name="M G", subject=Subject("se-personnummer", MAJA.number)) == known


def test_a_message_nobody_can_get_is_refused_before_it_is_queued(product: Product) -> None:
    mine = core(product)
    who = mine.add_person(name="Ture Almvik", email="ture@example.org")

    with pytest.raises(InvalidInputError):
        mine.message(who, "stamper.copy", {"what": "x"}, brand="exempelbanken", channel="sms")
    with pytest.raises(InvalidInputError):
        mine.message(mine.add_person(name="No way"), "stamper.copy", {"what": "x"}, brand="exempelbanken")
    with pytest.raises(ConfigurationError):
        mine.message(who, "stamper.missing", {}, brand="exempelbanken")
    with pytest.raises(ConfigurationError):
        mine.message(who, "messages.invitation.letter", {}, brand="exempelbanken")
    with pytest.raises(NotFoundError):
        mine.message(who, "stamper.copy", {"what": "x"}, brand="nobank")
    with pytest.raises(NotFoundError):
        mine.person("per_nobody")
    assert product.worker() == 0


def test_a_message_that_does_not_go_out_is_tried_again_and_then_stands_on_the_desk(product: Product) -> None:
    mine = core(product)
    who = mine.add_person(name="Ture Almvik", email="ture@example.org")
    errand = mine.message(who, "stamper.copy", {"what": "x"}, brand="exempelbanken")
    product.channels["email"].broken = DeliveryFailedError("the mail server is down", retry=True)
    for _ in range(9):
        product.worker()
        product.clock.on(hours=1)

    assert product.kinds().count("message.failed") == 1
    assert product.services.meetings.get_errand(errand).state == "failed"
    product.channels["email"].broken = None
    product.services.plugin_work.errands.again(errand, actor="st_berit")
    product.worker()
    assert len(product.channels["email"].sent) == 1

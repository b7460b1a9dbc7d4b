"""Booking: the type is chosen, the rest follows. What cannot be is refused by its field; a slip is taken back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.domain.clock import to_text
from sidecar.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    StoreUnavailableError,
)
from sidecar.domain.ids import PersonId
from sidecar.domain.meetings import Meeting, MeetingState, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.booking import Booker, GuestRequest
from sidecar.testing import COLM, ELIN, MAJA, SAMIR, SIV, TURE, Product, guest

HOUR = timedelta(hours=1)
NAIVE = datetime(2026, 11, 24, 13)  # noqa: DTZ001 - as a careless program would send it


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """One product for all that is refused: none of it may leave a trace."""
    return Product(tmp_path_factory.mktemp("unharmed"))


def elin(product: Product) -> str:
    return product.staff(ELIN).id


def waiting(product: Product, meeting: Meeting) -> list[tuple[str, str, str]]:
    """Return what is still to be sent: (template, channel, when)."""
    return [
        (errand.body["template"], errand.body["channel"], to_text(errand.due_at))
        for errand in product.services.meetings.errands(meeting.id)
        if errand.state == "waiting"
    ]


# What follows from the type


@pytest.mark.requirement("R017", "R024", "R030")
def test_type_version_band_region_and_retention_follow_from_the_choice(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + HOUR)

    assert meeting.type_ref == "mortgage@1"
    assert meeting.region == "eu-north-se"
    assert meeting.retain_until == meeting.starts_at + timedelta(days=3653)
    assert meeting.adviser == elin(product)
    assert sorted(meeting.packages) == ["mortgage-adviser"]
    [record] = product.records(meeting)
    assert record.data["band"] == "high"
    assert record.data["type"] == "mortgage@1"
    assert len(record.data["policy_sha256"]) == 64
    assert len(meeting.room) == 32
    assert meeting.room != product.book(customer=product.customer(TURE)).room


@pytest.mark.requirement("R032", "R033", "R034")
def test_everybody_has_a_place_of_their_own_with_a_link_of_their_own(product: Product) -> None:
    meeting = product.book(guests=[guest(SAMIR), guest(TURE, Capacity.REPRESENTATIVE)])
    places = product.services.meetings.participants(meeting.id)

    assert {place.capacity.value for place in places} == {"adviser", "customer", "observer", "representative"}
    links = [place.link_digest for place in places if not place.is_staff]
    assert len(set(links)) == 3
    assert all(links)
    assert [place.link_digest for place in places if place.is_staff] == [""], "staff come in through their own door"
    assert {place.state for place in places} == {ParticipantState.INVITED}


@pytest.mark.requirement("R036", "R124")
def test_the_meetings_store_holds_no_name_and_no_address(product: Product) -> None:
    product.book(guests=[guest(SAMIR)])
    data = b"".join(path.read_bytes() for path in (product.folder / "data").glob("meetings.sqlite*"))

    for who in (MAJA, SAMIR, ELIN):
        for secret in who.personal:
            assert secret.encode() not in data, secret


# Every input that cannot be

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("a time without a zone", {"starts_at": NAIVE}, "starts_at"),
    ("a time that is past", {"starts_at": datetime(2026, 11, 24, 11, 54, tzinfo=UTC)}, "starts_at"),
    ("a time in two years", {"starts_at": datetime(2028, 11, 24, tzinfo=UTC)}, "starts_at"),
    ("no length", {"duration": timedelta(0)}, "duration"),
    ("four minutes", {"duration": timedelta(minutes=4)}, "duration"),
    ("a negative length", {"duration": timedelta(minutes=-45)}, "duration"),
    ("nine hours", {"duration": timedelta(hours=9)}, "duration"),
    ("no purpose", {"purpose": ""}, "purpose"),
    ("a blank purpose", {"purpose": " \n\t "}, "purpose"),
    ("a long purpose", {"purpose": "x" * 201}, "purpose"),
    ("a purpose with a bell in it", {"purpose": "Lån\x07"}, "purpose"),
    ("a purpose that turns its reading direction", {"purpose": "Lån \u202efdp.exe"}, "purpose"),
    ("a purpose with half a sign", {"purpose": "Lån \ud83d"}, "purpose"),
]


@pytest.mark.parametrize(("changed", "field"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_a_booking_that_cannot_be_names_its_field_and_leaves_nothing(
    unharmed: Product, changed: dict[str, Any], field: str
) -> None:
    product = unharmed
    member = product.staff()
    request = product.request(member, guests=[guest(SAMIR)], **changed)
    before = product.stores()

    with pytest.raises(InvalidInputError) as refused:
        product.services.booking.book(request, Booker(member.id, member.packages))

    assert refused.value.params["field"] == field
    assert product.stores() == before


BAD_GUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("no name", {"name": " "}, "name"),
    ("a long name", {"name": "x" * 121}, "name"),
    ("a name over two lines", {"name": "Samir\x00Haddin"}, "name"),
    ("no address", {"email": ""}, "email"),
    ("no address at all", {"email": "samir"}, "email"),
    ("an address with a line break", {"email": "samir@example.org\nBcc: all@example.org"}, "email"),
    ("a long address", {"email": "x" * 250 + "@example.org"}, "email"),
    ("a number with letters in it", {"phone": "+46\r\n70"}, "phone"),
    ("no personal number where an eID is asked", {"national_id": ""}, "national_id"),
    ("a wrong personal number", {"national_id": "198805071234"}, "national_id"),
    ("a country nobody knows", {"country": "XX"}, "national_id"),
    ("a part that is no guest's", {"capacity": Capacity.ADVISER}, "capacity"),
    ("the recorder's part", {"capacity": Capacity.RECORDER}, "capacity"),
    ("a language nobody writes", {"language": "xx"}, "language"),
    ("no language", {"language": ""}, "language"),
]


@pytest.mark.requirement("R032")
@pytest.mark.parametrize(("changed", "field"), [each[1:] for each in BAD_GUESTS], ids=[each[0] for each in BAD_GUESTS])
@pytest.mark.parametrize("when", ["booked", "later"])
def test_a_guest_who_cannot_be_names_the_field_and_leaves_nothing(
    unharmed: Product, changed: dict[str, Any], field: str, when: str
) -> None:
    product = unharmed
    wrong: GuestRequest = replace(guest(SAMIR), **changed)
    member = product.staff()
    book, invite = product.services.booking.book, product.services.booking.invite_guest
    meeting = book(product.request(member), Booker(member.id, member.packages))
    acts: dict[str, Callable[[], object]] = {
        "booked": lambda: book(product.request(member, guests=[wrong]), Booker(member.id, member.packages)),
        "later": lambda: invite(meeting, wrong, actor=member.id),
    }
    before = product.stores()

    with pytest.raises(InvalidInputError) as refused:
        acts[when]()

    assert refused.value.params["field"] == field
    assert product.stores() == before


def test_nobody_and_no_type_is_booked_that_does_not_exist(product: Product) -> None:
    with pytest.raises(NotFoundError):
        product.book(customer=PersonId("per_nobody"))
    with pytest.raises(NotFoundError):
        product.book(type_name="heist")
    with pytest.raises(InvalidInputError) as refused:
        product.book(customer=PersonId(product.staff(SIV).id))
    assert refused.value.params["field"] == "customer"


@pytest.mark.requirement("R135", "R207")
def test_a_customer_of_a_country_without_a_region_cannot_be_booked(product: Product) -> None:
    with pytest.raises(InvalidInputError) as refused:
        product.book(customer=product.customer(TURE, country="BR"))

    assert refused.value.params["field"] == "customer.country"
    assert product.stores()["meetings.meetings"] == []


def test_a_meeting_holds_as_many_as_its_type_says(product: Product) -> None:
    many = [replace(guest(SAMIR), national_id="", phone=f"+4670174060{n}") for n in range(5)]
    with pytest.raises(InvalidInputError) as refused:
        product.book(type_name="advice", guests=many)
    assert refused.value.params["field"] == "guests"

    meeting = product.book(type_name="advice", guests=many[:4])
    with pytest.raises(RefusedError) as full:
        product.services.booking.invite_guest(meeting, many[4], actor=elin(product))
    assert full.value.params["sentence"] == "meeting-full"


def test_nobody_is_invited_twice_to_one_meeting(product: Product) -> None:
    with pytest.raises(InvalidInputError):
        product.book(guests=[guest(SAMIR), guest(SAMIR, Capacity.REPRESENTATIVE)])
    with pytest.raises(InvalidInputError):
        product.book(guests=[guest(MAJA)])
    meeting = product.book(guests=[guest(SAMIR)])

    with pytest.raises(ConflictError):
        product.services.booking.invite_guest(meeting, guest(SAMIR), actor=elin(product))


# Link and code


@pytest.mark.requirement("R060", "R212")
@pytest.mark.parametrize(
    "email",
    [
        "+46701740606@sms.example",  # a gateway: the e-mail ends in the very telephone
        "0701740606@sms.example",
        "46701740606@example.org",
        "samir+0046701740606@example.org",
        "samir@46701740606.sms.example",
    ],
)
def test_link_and_code_that_end_in_one_place_are_refused_through_aliases_too(product: Product, email: str) -> None:
    with pytest.raises(RefusedError) as refused:
        product.book(type_name="advice", guests=[replace(guest(SAMIR), email=email)])

    assert refused.value.params["rule"] == "address/same-mailbox"
    assert product.records()[-1].data["rule"] == "address/same-mailbox"
    assert product.stores()["meetings.meetings"] == []


@pytest.mark.requirement("R060")
def test_a_number_nobody_can_read_is_not_trusted_with_a_code(product: Product) -> None:
    with pytest.raises(RefusedError) as refused:
        product.book(type_name="advice", guests=[replace(guest(SAMIR), phone="ring på svagdricka")])

    assert refused.value.params["rule"] == "address/unreadable"


@pytest.mark.requirement("R003")
def test_where_a_code_is_a_way_in_everybody_needs_somewhere_to_send_it(product: Product) -> None:
    with pytest.raises(InvalidInputError) as refused:
        product.book(type_name="advice", guests=[replace(guest(SAMIR), phone="")])
    assert refused.value.params["field"] == "phone"

    with pytest.raises(InvalidInputError) as refused:
        product.book(customer=product.customer(TURE, email="", inbox="", phone=""))
    assert refused.value.params["field"] == "email"


def test_what_an_adviser_types_does_not_touch_the_banks_own_record_of_a_customer(product: Product) -> None:
    """Ture is a customer. As somebody's guest he is written to where the bank knows he is."""
    ture = product.customer(TURE)
    before = product.services.people.get(ture)
    meeting = product.book(guests=[replace(guest(TURE), email="other@example.org", phone="+46701740699", name="T")])
    product.clock.on(seconds=11)
    product.worker()

    assert product.services.people.get(ture) == before
    assert TURE.email in [sent.address for sent in product.channels["email"].sent]
    assert "other@example.org" not in str([sent.address for sent in product.channels["email"].sent])
    assert product.place_of(meeting, Capacity.OBSERVER).person == ture


def test_a_guest_who_came_before_is_the_same_person_again_under_the_verified_name(product: Product) -> None:
    first = product.book(guests=[guest(SAMIR)])
    samir = product.arrives(product.place_of(first, Capacity.OBSERVER)).waits(SAMIR)
    person = product.place(samir.place).person
    again = product.book(customer=product.customer(TURE), guests=[replace(guest(SAMIR), name="Sam")])

    assert product.place_of(again, Capacity.OBSERVER).person == person
    assert product.services.people.get(person).shown_name == SAMIR.name  # type: ignore[arg-type]


# Taking back, moving, calling off


def test_a_slip_is_taken_back_unseen_within_ten_seconds(product: Product) -> None:
    meeting = product.book(guests=[guest(SAMIR)])
    product.clock.on(seconds=10)
    product.services.booking.undo(meeting.id, actor=elin(product))

    product.clock.on(minutes=5)
    product.worker()
    assert product.meeting(meeting).state is MeetingState.CANCELLED
    assert [channel.sent for channel in product.channels.values()] == [[], [], []]
    assert product.records(meeting)[-1].data == {"reason": "undone"}
    with pytest.raises(ConflictError):
        product.services.booking.undo(meeting.id, actor=elin(product))


def test_after_ten_seconds_a_booking_is_called_off_not_taken_back(product: Product) -> None:
    meeting = product.book()
    product.clock.on(seconds=10, milliseconds=1)

    with pytest.raises(ConflictError):
        product.services.booking.undo(meeting.id, actor=elin(product))
    assert product.meeting(meeting).state is MeetingState.BOOKED


def test_what_somebody_was_told_already_is_not_taken_back_in_silence(product: Product) -> None:
    """A guest who is added is written to at once, within the ten seconds too."""
    meeting = product.book(starts_at=product.clock() + HOUR)
    product.services.booking.invite_guest(meeting, guest(SAMIR), actor=elin(product))
    product.worker()
    assert product.channels["email"].sent

    with pytest.raises(ConflictError):
        product.services.booking.undo(meeting.id, actor=elin(product))


@pytest.mark.requirement("R058")
def test_whoever_was_invited_is_told_when_the_meeting_is_called_off_and_nobody_else(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + 3 * HOUR)
    product.clock.on(seconds=11)
    product.worker()
    product.services.booking.invite_guest(meeting, guest(SAMIR), actor=elin(product))
    product.services.booking.cancel(meeting.id, actor=elin(product))
    product.worker()

    letters = [sent.subject for sent in product.channels["inbox"].sent]
    assert len(letters) == 2
    assert "inställt" in letters[-1] or "avbokat" in letters[-1], letters
    assert product.channels["email"].sent == [], "Samir's invitation had not left, so there is nothing to call off"
    with pytest.raises(ConflictError):
        product.services.booking.cancel(meeting.id, actor=elin(product))


def test_a_moved_meeting_keeps_its_length_and_the_days_it_is_kept_for(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + HOUR, duration=timedelta(minutes=30))
    later = meeting.starts_at + timedelta(days=100)
    moved = product.services.booking.move(meeting.id, later, actor=elin(product))

    assert (moved.starts_at, moved.ends_at) == (later, later + timedelta(minutes=30))
    assert moved.retain_until - later == meeting.retain_until - meeting.starts_at
    assert product.records(meeting)[-1].data == {"from": to_text(meeting.starts_at), "to": to_text(later)}


@pytest.mark.requirement("R064")
def test_a_move_tells_whoever_knew_the_old_time_and_invites_whoever_did_not(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + timedelta(days=5))
    product.services.booking.move(meeting.id, meeting.starts_at + HOUR, actor=elin(product))
    assert [template for template, *_ in waiting(product, meeting)] == ["invitation", "notice", "reminder"]
    product.worker()

    product.services.booking.move(meeting.id, meeting.starts_at + 2 * HOUR, actor=elin(product))

    assert [template for template, *_ in waiting(product, meeting)] == ["moved", "notice", "reminder"]
    assert waiting(product, meeting)[-1][2] == to_text(meeting.starts_at + 2 * HOUR - timedelta(days=1))


@pytest.mark.parametrize(
    "wrong",
    [NAIVE, datetime(2026, 11, 24, 11, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)],
    ids=["no zone", "past", "far away"],
)
def test_a_meeting_is_not_moved_to_where_it_cannot_be(product: Product, wrong: datetime) -> None:
    meeting = product.book(starts_at=product.clock() + HOUR)

    with pytest.raises(InvalidInputError) as refused:
        product.services.booking.move(meeting.id, wrong, actor=elin(product))
    assert refused.value.params["field"] == "starts_at"
    assert product.meeting(meeting).starts_at == meeting.starts_at


def test_a_meeting_that_has_begun_is_neither_moved_nor_called_off(product: Product) -> None:
    meeting = product.book()
    product.opens(meeting)
    booking, actor = product.services.booking, elin(product)

    for change in (
        lambda: booking.move(meeting.id, product.clock() + HOUR, actor=actor),
        lambda: booking.cancel(meeting.id, actor=actor),
        lambda: booking.undo(meeting.id, actor=actor),
    ):
        with pytest.raises(ConflictError):
            change()


@pytest.mark.requirement("R129")
@pytest.mark.parametrize("who", [SIV, COLM], ids=["a colleague", "compliance"])
def test_only_the_responsible_adviser_changes_a_meeting(product: Product, who: Any) -> None:
    meeting, actor = product.book(starts_at=product.clock() + HOUR), product.staff(who).id
    booking, member = product.services.booking, product.staff(who)
    before = product.stores()["meetings.meetings"]

    for change in (
        lambda: booking.move(meeting.id, product.clock() + 2 * HOUR, actor=actor),
        lambda: booking.cancel(meeting.id, actor=actor),
        lambda: booking.undo(meeting.id, actor=actor),
        lambda: booking.invite_guest(meeting, guest(SAMIR), actor=actor),
        lambda: product.services.staff.running_late(member, meeting),
    ):
        with pytest.raises(RefusedError) as refused:
            change()
        assert refused.value.params["rule"] == "default/own-meetings"
    assert product.stores()["meetings.meetings"] == before
    assert product.kinds(meeting).count("permission.refused") == 5


@pytest.mark.requirement("R119")
def test_of_two_changes_at_once_the_later_is_refused_and_its_record_voided(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = product.book(starts_at=product.clock() + HOUR)
    actor = elin(product)
    with monkeypatch.context() as patch:
        patch.setattr(product.services.meetings, "get", lambda mid: meeting)  # both read it before either writes
        product.services.booking.move(meeting.id, meeting.starts_at + HOUR, actor=actor)
        with pytest.raises(ConflictError):
            product.services.booking.cancel(meeting.id, actor=actor)

    assert product.meeting(meeting).state is MeetingState.BOOKED
    assert product.kinds(meeting)[-2:] == ["meeting.cancelled", "act.voided"]


def test_an_adviser_who_is_late_says_so_only_before_the_meeting(product: Product) -> None:
    meeting, member = product.book(), product.staff(ELIN)
    product.services.staff.running_late(member, meeting)
    assert product.meeting(meeting).late_notice_at == product.clock()
    moved = product.services.booking.move(meeting.id, product.clock() + HOUR, actor=member.id)
    assert moved.late_notice_at is None, "at the new time nobody is late"
    product.opens(moved)

    with pytest.raises(ConflictError):
        product.services.staff.running_late(member, product.meeting(meeting))


@pytest.mark.parametrize(("failing", "method"), [("meetings", "write"), ("people", "put")])
def test_a_store_that_fails_leaves_no_half_a_booking(
    product: Product, monkeypatch: pytest.MonkeyPatch, failing: str, method: str
) -> None:
    def full(*_: object) -> None:
        raise StoreUnavailableError("disk full")

    member = product.staff(ELIN)
    request = product.request(member, guests=[guest(SAMIR)])
    before = product.stores()
    monkeypatch.setattr(getattr(product.services, failing), method, full)

    with pytest.raises(StoreUnavailableError):
        product.services.booking.book(request, Booker(member.id, member.packages))

    changed = {name for name, rows in product.stores().items() if rows != before[name]}
    assert not {name for name in changed if name.startswith("meetings.")}
    assert "people.people" not in changed or failing == "meetings", "two stores, so a guest may be left over"
    assert product.kinds()[-2:] == ["meeting.booked", "act.voided"]

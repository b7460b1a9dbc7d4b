"""Messages: by the bank's channels, tried again, given up aloud, sent again by hand, in words the role may change."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sidecar.adapters.i18n import Translator
from sidecar.domain.errors import ConflictError, InvalidInputError, RefusedError
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.services.ports import DeliveryFailedError, Errand
from sidecar.testing import BERIT, ELIN, MAJA, SAMIR, SIV, TURE, Product, guest

HOUR = timedelta(hours=1)


def errands(product: Product, meeting: Meeting, template: str = "") -> list[Errand]:
    found = product.services.meetings.errands(meeting.id)
    return [each for each in found if each.body.get("template") == template or not template]


def deliver(product: Product) -> None:
    """Let ten seconds pass, in which a booking could be taken back, and the worker work."""
    product.clock.on(seconds=11)
    product.worker()


# Invitations and reminders


@pytest.mark.requirement("R058", "R059", "R061", "R062")
def test_the_invitation_goes_by_the_banks_own_inbox_and_says_who_why_and_how(product: Product) -> None:
    meeting = product.book()
    place = product.place_of(meeting, Capacity.CUSTOMER)
    deliver(product)

    [letter] = product.channels["inbox"].sent
    assert letter.address == MAJA.inbox
    assert letter.sender_name == "Exempelbanken"
    for word in ("Exempelbanken", "Elin Sjöhage", "Utöka bolånet för renovering", "bankid title", "08-465 004 12"):
        assert word.replace("-", "\u2011").replace(" 0", "\u00a00") in letter.text or word in letter.text, word
    assert f"https://exempelbanken.example/m/{product.services.links.secret(place.id)}" in letter.text
    [notice] = product.channels["sms"].sent
    assert notice.address == MAJA.phone
    assert "/m/" not in notice.text, "the link lies in the inbox, and the notice says so"


@pytest.mark.requirement("R060", "R061")
def test_an_outsider_gets_the_link_by_mail_with_a_calendar_file(product: Product) -> None:
    meeting = product.book(guests=[guest(SAMIR)])
    deliver(product)

    [letter] = product.channels["email"].sent
    assert letter.address == SAMIR.email
    assert "gäst" in letter.text
    [(name, kind, data)] = letter.attachments
    assert (name, kind) == ("meeting.ics", "text/calendar")
    assert f"UID:{meeting.id}@exempelbanken".encode() in data
    assert [sent for sent in product.channels["sms"].sent if sent.address == SAMIR.phone] == []


@pytest.mark.requirement("R064")
def test_a_reminder_is_due_when_the_type_says_and_not_for_a_meeting_that_begins_soon(product: Product) -> None:
    later = product.book(starts_at=product.clock() + timedelta(days=3))
    [reminder] = errands(product, later, "reminder")
    assert reminder.due_at == later.starts_at - timedelta(days=1)
    assert reminder.body["channel"] == "inbox"

    soon = product.book(starts_at=product.clock() + HOUR, customer=product.customer(TURE))
    assert errands(product, soon, "reminder") == []
    product.clock.now = later.starts_at - timedelta(days=1)
    product.worker()
    assert [sent.subject for sent in product.channels["inbox"].sent][-1].startswith("Exempelbanken: påminnelse")


@pytest.mark.requirement("R064")
def test_nobody_is_reminded_of_a_meeting_that_is_over(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + timedelta(days=3))
    deliver(product)
    product.services.booking.cancel(meeting.id, actor=product.staff().id)
    product.clock.now = meeting.starts_at - timedelta(days=1)
    product.worker()

    subjects = [sent.subject for sent in product.channels["inbox"].sent]
    assert len(subjects) == 2, "the invitation, and that it is called off"
    assert not any("påminnelse" in subject for subject in subjects)


@pytest.mark.requirement("R056")
@pytest.mark.parametrize("language", ["sv", "nb", "da", "fi", "nl", "en"])
def test_everybody_is_written_to_in_their_own_language(product: Product, language: str) -> None:
    product.book(customer=product.customer(TURE, language=language, inbox=""))
    deliver(product)
    own = Translator(language, product.services.catalogue)

    [letter] = product.channels["email"].sent
    assert letter.text.startswith(own.raw("messages.invitation.letter.body").strip().split("{")[0])


# Trouble


@pytest.mark.requirement("R064")
def test_a_failed_message_is_tried_again_with_growing_pauses_then_given_up_aloud(product: Product) -> None:
    meeting = product.book()
    product.channels["inbox"].broken = DeliveryFailedError(retry=True)
    pauses = []
    deliver(product)
    for _ in range(8):
        [errand] = errands(product, meeting, "invitation")
        if errand.state == "failed":
            break
        pauses.append((errand.due_at - product.clock()).total_seconds())
        product.clock.now = errand.due_at
        product.worker()

    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    [failed] = [record for record in product.records(meeting) if record.kind == "invitation.failed"]
    assert failed.data["attempts"] == 8
    elin = product.signs_in(ELIN)
    assert "Maja Granlid" in elin.get("/desk").text
    assert elin.get(f"/desk/meetings/{meeting.id}").status_code == 200


def test_what_no_later_try_can_help_is_given_up_at_once(product: Product) -> None:
    meeting = product.book()
    product.channels["inbox"].broken = DeliveryFailedError(retry=False)
    deliver(product)

    assert [(each.state, each.attempts) for each in errands(product, meeting, "invitation")] == [("failed", 1)]
    assert [each.state for each in errands(product, meeting, "notice")] == ["done"], "the other message still went"


@pytest.mark.parametrize("trouble", ["channel gone", "address gone", "template broken"])
def test_a_message_that_cannot_be_made_is_given_up_at_once_and_holds_nobody_up(
    product: Product, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    meeting = product.book()
    other = product.book(customer=product.customer(TURE))
    if trouble == "channel gone":
        channels = {name: each for name, each in product.channels.items() if name != "inbox"}
        monkeypatch.setattr(product.stub, "channels", lambda: channels)
    elif trouble == "address gone":
        person = product.services.people.get(product.customer())
        product.services.people.put(replace(person, inbox=""))
    else:
        product.services.meetings.write(
            lambda tx: tx.put_template(
                brand="exempelbanken", language="sv", key="messages.invitation.letter.body", body="{link}"
            )
        )
    deliver(product)

    assert [each.state for each in errands(product, meeting, "invitation")] == ["failed"]
    assert product.kinds(meeting).count("invitation.failed") == 1
    expected = "failed" if trouble == "template broken" else "done"
    assert [each.state for each in errands(product, other, "invitation")] == [expected]


def test_an_errand_nobody_understands_does_not_stop_the_worker(product: Product) -> None:
    """Before, one message whose words were missing stopped every message behind it, for good."""
    meeting = product.book()
    for name, body in (("e_1", {"participant": "p_nobody", "template": "invitation", "channel": "email"}), ("e_2", {})):
        odd = Errand(id=name, kind="message", meeting=meeting.id, due_at=product.clock(), body=body)
        product.services.meetings.write(lambda tx, odd=odd: tx.add_errand(odd))  # type: ignore[misc]
    odd = Errand(id="e_3", kind="dance", meeting=meeting.id, due_at=product.clock(), body={})
    product.services.meetings.write(lambda tx: tx.add_errand(odd))
    deliver(product)

    assert len(product.channels["inbox"].sent) == 1
    assert product.services.meetings.get_errand("e_3").attempts == 1


@pytest.mark.requirement("R058")
def test_a_message_that_was_given_up_can_be_sent_again_by_another_way(product: Product) -> None:
    meeting = product.book()
    product.channels["inbox"].broken = DeliveryFailedError(retry=False)
    deliver(product)
    [failed] = errands(product, meeting, "invitation")
    elin = product.signs_in(ELIN)

    assert elin.post(f"/desk/deliveries/{failed.id}/again", {"channel": "email"}).status_code == 200
    product.worker()

    assert [sent.address for sent in product.channels["email"].sent] == [MAJA.email]
    assert product.place_of(meeting, Capacity.CUSTOMER).link_channel == "email"
    assert "invitation.again" in product.kinds(meeting)
    assert elin.post(f"/desk/deliveries/{failed.id}/again", {}).status_code == 409, "it has arrived"
    assert product.signs_in(SIV).post(f"/desk/deliveries/{failed.id}/again", {}).status_code == 404


@pytest.mark.requirement("R060", "R212")
def test_a_link_is_not_sent_again_by_the_way_its_code_goes(product: Product) -> None:
    meeting = product.book(type_name="advice")
    product.channels["inbox"].broken = DeliveryFailedError(retry=False)
    deliver(product)
    [failed] = errands(product, meeting, "invitation")
    again = product.services.messages.send_again

    with pytest.raises(RefusedError) as refused:
        again(failed.id, channel="sms")
    assert refused.value.params["rule"].startswith("address/")
    for channel in ("carrier pigeon", "whatsapp"):
        with pytest.raises(InvalidInputError) as wrong:
            again(failed.id, channel=channel)
        assert wrong.value.params["field"] == "channel"
    product.services.people.put(replace(product.services.people.get(product.customer()), email=""))
    with pytest.raises(InvalidInputError):
        again(failed.id, channel="email")
    assert errands(product, meeting, "invitation") == [failed]


@pytest.mark.requirement("R060")
def test_a_notice_sent_again_does_not_draw_the_link_to_the_way_of_the_code(product: Product) -> None:
    meeting = product.book(type_name="advice", starts_at=product.clock() + timedelta(days=3))
    product.channels["sms"].broken = DeliveryFailedError(retry=False)
    deliver(product)
    [failed] = errands(product, meeting, "notice")
    product.channels["sms"].broken = None

    product.services.messages.send_again(failed.id)
    product.services.booking.move(meeting.id, meeting.starts_at + HOUR, actor=product.staff().id)
    product.worker()

    place = product.place_of(meeting, Capacity.CUSTOMER)
    assert (place.link_channel, place.code_channel) == ("inbox", "sms")
    assert [errand.body["channel"] for errand in errands(product, meeting, "moved")] == ["inbox"]
    assert not any("/m/" in sent.text for sent in product.channels["sms"].sent)


def test_what_is_not_a_failed_message_is_not_sent_again(product: Product) -> None:
    meeting = product.book()
    command = Errand(
        id="e_1", kind="bridge.end", meeting=meeting.id, due_at=product.clock(), body={"room": "x"}, state="failed"
    )
    product.services.meetings.write(lambda tx: tx.add_errand(command))

    for errand in (errands(product, meeting, "invitation")[0], command):
        with pytest.raises(ConflictError):
            product.services.messages.send_again(errand.id)


@pytest.mark.requirement("R060")
def test_a_code_never_takes_the_links_way(product: Product) -> None:
    place = product.place_of(product.book(), Capacity.CUSTOMER)

    with pytest.raises(ConflictError):
        product.services.messages.send_code(replace(place, link_channel="sms"), channel="sms", code="482113")
    assert product.channels["sms"].sent == []


# Words


def edited(product: Product, **changed: Any) -> dict[str, Any]:
    body = Translator("sv", product.services.catalogue).raw("messages.notice.sms.body")
    return {"kind": "notice", "channel": "sms", "language": "sv", "body": body + " Välkommen!"} | changed


@pytest.mark.requirement("R062", "R067")
def test_the_role_that_may_changes_the_words_and_goes_back_to_ours(product: Product) -> None:
    berit = product.signs_in(BERIT)
    assert berit.post("/desk/messages", edited(product)).get_json()["saved"] is True
    product.book()
    deliver(product)
    assert product.channels["sms"].sent[0].text.endswith("Välkommen!")
    changed = [record for record in product.records() if record.kind == "template.changed"]
    assert [(record.actor, record.data["how"]) for record in changed] == [(product.staff(BERIT).id, "changed")]

    assert berit.post("/desk/messages/restore", edited(product)).status_code == 200
    product.book(customer=product.customer(TURE, inbox="ture"))
    deliver(product)
    assert not product.channels["sms"].sent[-1].text.endswith("Välkommen!")


@pytest.mark.requirement("R067")
@pytest.mark.parametrize("path", ["/desk/messages", "/desk/messages/restore"])
def test_no_other_role_changes_the_words(product: Product, path: str) -> None:
    for who in (ELIN, SIV):
        assert product.signs_in(who).post(path, edited(product)).status_code == 403
        assert product.records()[-1].data["act"] == "desk.edit_messages"
    assert product.services.meetings.templates("exempelbanken") == {}


@pytest.mark.requirement("R059", "R060", "R067")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{link}",
        "{bank} {date} {time} {link}",
        "{bank} {date} {time} {code} {link}",
        "{bank} {date} {time} https://evil.example",
        "{bank} {date} {time} {password}",
        "{bank} {date} {time} {",
        "{bank} {date} {time} " + "x" * 400,
    ],
)
def test_words_that_break_the_rules_are_not_kept_and_every_reason_is_told(product: Product, body: str) -> None:
    answer = product.signs_in(BERIT).post("/desk/messages", edited(product, body=body)).get_json()

    assert answer["saved"] is False
    assert answer["findings"]
    assert product.services.meetings.templates("exempelbanken") == {}
    assert "template.changed" not in product.kinds()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "ransom"}, "kind"),
        ({"channel": "inbox"}, "channel"),
        ({"language": "xx"}, "language"),
        ({"body": 7}, "body"),
        ({"body": "x" * 20_001}, "body"),
        ({"body": "{bank} \x00"}, "body"),
    ],
)
def test_a_template_that_does_not_exist_is_named_by_its_field(
    product: Product, changed: dict[str, Any], field: str
) -> None:
    answer = product.signs_in(BERIT).post("/desk/messages", edited(product, **changed))

    assert (answer.status_code, answer.get_json()["field"]) == (422, field)


def test_one_banks_words_are_not_anothers(product: Product) -> None:
    product.signs_in(BERIT).post("/desk/messages", edited(product))
    product.book(brand="nordlyset")
    deliver(product)

    assert not product.channels["sms"].sent[0].text.endswith("Välkommen!")


# Plugins that watch


@pytest.mark.requirement("R138")
def test_what_happened_is_told_to_plugins_once_and_in_order(product: Product) -> None:
    meeting = product.book()
    product.worker()
    product.worker()
    product.services.booking.cancel(meeting.id, actor=product.staff().id)
    product.worker()

    assert [fact.kind for fact in product.stub.facts if fact.meeting == meeting.id] == [
        "meeting.booked",
        "meeting.cancelled",
    ]


@pytest.mark.requirement("R138")
def test_a_refused_booking_does_not_keep_plugins_from_hearing_what_comes_after(product: Product) -> None:
    """A refusal is told under the id of a meeting that was never made."""
    with pytest.raises(RefusedError):
        product.book(adviser=SIV)
    meeting = product.book()
    product.worker()

    assert [fact.meeting for fact in product.stub.facts] == [meeting.id]

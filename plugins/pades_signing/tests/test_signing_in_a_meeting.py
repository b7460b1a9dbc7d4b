"""From the adviser's request to a sealed file with every party's copy, with the real BankID verifier."""

import base64
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import xmlsec
from lxml import etree
from pyhanko.pdf_utils.reader import PdfFileReader
from pypdf import PdfReader

from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import ClientView, to_text
from sidecar.testing import MAJA, SAMIR, Browser, guest
from tillit_pades_signing.verify import main

BASE = "x/pades_signing/signings"


def _copy(browser: Browser, signing: str, document: str = "note") -> bytes:
    answered = browser.get(f"{BASE}/{signing}/documents/{document}/copy")
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Disposition"].startswith("attachment")
    return bytes(answered.data)


def _sent_copies(room: Any) -> list[Any]:
    return [each for each in room.product.channels["inbox"].sent if each.attachments]


def _rounds(room: Any, count: int = 4) -> None:
    for _ in range(count):
        room.later(3)
        room.product.worker()


@pytest.mark.requirement("R079", "R080", "R078", "R083")
def test_customer_signs_and_everybody_has_a_file_that_verifies(
    room: Any, maja: Browser, tmp_path: Any, trust: Any, capsys: Any
) -> None:
    signing = room.opens(maja)
    answered = room.signs(maja, signing, MAJA)

    assert (answered["status"], answered["signing"]["state"]) == ("complete", "sealed")
    first = _copy(maja, signing)
    while room.show(maja, signing)["state"] != "preserved":
        _rounds(room, 1)
    for file in (first, _copy(room.adviser, signing)):
        path = tmp_path / "copy.pdf"
        path.write_bytes(file)
        roots = ["--roots", str(trust.directory / "roots.pem")]
        eid = ["--eid-roots", str(room.bankid.directory / "signature-root.pem")]
        assert main([str(path), *roots, *eid]) == 0
        assert "Maja Granlid signed this with their own eID." in capsys.readouterr().out
    _rounds(room, 1)
    (sent,) = _sent_copies(room)
    assert sent.attachments[0][2] == file  # the one with the time-stamp, and no other
    assert file != first
    kinds = [kind for kind in room.product.kinds(room.meeting) if kind.startswith("pades_signing")]
    assert kinds[:5] == [f"pades_signing.{each}" for each in ("opened", "begun", "signed", "completed", "sealed")]


@pytest.mark.requirement("R205")
def test_bankid_signature_in_the_file_holds_for_xmlsec_and_names_the_document(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    room.signs(maja, signing, MAJA)
    reader = PdfReader(io.BytesIO(_copy(maja, signing)))
    xml = reader.attachments["bankid-signature-1.xml"][0]
    root = etree.fromstring(xml)
    xmlsec.tree.add_ids(root, ["Id"])
    certificate = base64.b64decode(next(root.iter("{*}X509Certificate")).text or "")
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertDer)
    context.verify(root)

    hidden = json.loads(base64.b64decode(next(root.iter("{*}usrNonVisibleData")).text or ""))
    manifest = json.loads(reader.attachments["manifest.json"][0])
    assert (hidden["meeting"], hidden["signing"]) == (room.meeting.id, signing)
    assert hidden["documents"][0]["sha256"] == manifest["document"]["sha256"]
    assert manifest["document"]["sha256"][:4].upper() in base64.b64decode(
        next(root.iter("{*}usrVisibleData")).text or ""
    ).decode("utf-8")


def test_signature_page_can_be_read_and_attachments_hold_no_address(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    room.signs(maja, signing, MAJA)
    reader = PdfReader(io.BytesIO(_copy(maja, signing)))
    page = reader.pages[-1].extract_text()

    assert len(reader.pages) == 3
    for words in ("Underskrifter", "Maja Granlid", "BankID", "väsentlig", "Kontrollkod"):
        assert words in page
    assert not [name for name in reader.attachments if "collect" in name]
    assert "127.0.0.1" not in "".join(reader.attachments["manifest.json"][0].decode())


@pytest.mark.requirement("R205")
def test_completion_of_one_signing_does_not_serve_another(room: Any, maja: Browser) -> None:
    """The person signed one document; the answer is moved to a try at another, which asked for another."""
    first, second = room.opens(maja), room.opens(maja, title="Ett annat avtal")
    maja.post(f"{BASE}/{first}/start", {"method": "bankid"})
    stolen = room.core.records().get("try", f"{first}.p1").body["state"]
    room.answer(MAJA)
    assert maja.post(f"{BASE}/{second}/start", {"method": "bankid"}).get_json()["status"] == "pending"
    record = room.core.records().get("try", f"{second}.p1").body
    room.core.keep(lambda records: records.put("try", f"{second}.p1", {**record, "state": stolen}))

    assert room.poll(maja, second)["status"] == "failed"
    assert room.show(maja, second)["parties"][0]["state"] == "turn"


@pytest.mark.requirement("R205")
def test_answer_of_another_person_signs_nothing(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    room.answer(SAMIR)

    assert room.poll(maja, signing)["status"] == "failed"
    assert room.show(maja, signing)["state"] == "open"


@pytest.mark.requirement("R205")
@pytest.mark.parametrize("forge", ["other-person", "other-visible", "other-hidden", "tampered-visible", "revoked"])
def test_forged_completion_signs_nothing(room: Any, maja: Browser, forge: str) -> None:
    signing = room.opens(maja)
    room.bankid.phone("faults", reset=True, forge=forge)
    answered = room.signs(maja, signing, MAJA)

    assert answered["status"] == "failed"
    assert room.show(maja, signing)["parties"][0]["state"] == "turn"


@pytest.mark.requirement("R205")
def test_second_signature_with_the_same_answer_is_refused(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    room.signs(maja, signing, MAJA)
    sealed = _copy(maja, signing)
    again = maja.post(f"{BASE}/{signing}/poll").get_json()

    assert (again["status"], again["signing"]["state"]) == ("failed", "sealed")
    assert maja.post(f"{BASE}/{signing}/start", {"method": "bankid"}).status_code == 409
    assert _copy(maja, signing) == sealed
    assert room.product.kinds(room.meeting).count("pades_signing.signed") == 1


def test_other_browser_cannot_finish_what_one_began(room: Any, maja: Browser) -> None:
    """The threat: somebody starts on their own page and lets the victim sign; or the other way round."""
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    room.answer(MAJA)
    elsewhere = ClientView(ip="127.0.0.1", user_agent="Mozilla/5.0", referring_domain="bank.example", device="cd" * 32)

    assert room.service().act(signing, "p1", "poll", client=elsewhere)["status"] == "failed"
    assert room.poll(maja, signing)["status"] == "complete"


def test_page_that_was_closed_goes_on_where_it_was(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    listed = maja.get(BASE).get_json()["signings"][0]
    assert (listed["me"]["signing"], listed["me"]["method"]) == (True, "bankid")
    room.answer(MAJA)

    assert room.poll(maja, signing)["status"] == "complete"


def test_stopping_leaves_nothing_signed_and_one_can_begin_again(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    stopped = maja.post(f"{BASE}/{signing}/stop").get_json()
    assert (stopped["state"], stopped["me"]["signing"]) == ("open", False)
    assert room.bankid.calls()["cancel"] == 1

    assert room.signs(maja, signing, MAJA)["status"] == "complete"


def test_saying_no_in_the_app_signs_nothing_and_keeps_the_turn(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    room.answer(MAJA, "cancel")

    step = room.poll(maja, signing)
    assert (step["status"], step["signing"]["state"]) == ("failed", "open")
    assert "avbröt" in step["message"]


def test_declining_ends_it_for_all_and_is_told(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    declined = maja.post(f"{BASE}/{signing}/decline").get_json()

    assert declined["state"] == "declined"
    assert maja.post(f"{BASE}/{signing}/start", {"method": "bankid"}).get_json()["sentence"].startswith("Någon ville")
    assert room.show(room.adviser, signing)["state"] == "declined"


def test_deadline_ends_it_and_a_late_answer_signs_nothing(room: Any, maja: Browser) -> None:
    signing = room.opens(
        maja, deadline=room.product.clock.on(seconds=1) + room.product.clock.now.resolution * 90_000_000
    )
    maja.post(f"{BASE}/{signing}/start", {"method": "bankid"})
    room.answer(MAJA)
    room.later(120)

    assert "gått ut" in room.poll(maja, signing)["message"]
    _rounds(room, 2)
    assert room.show(maja, signing)["state"] == "expired"
    assert "pades_signing.expired" in room.product.kinds(room.meeting)


def test_eid_service_that_is_down_signs_nothing_and_says_so(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    room.bankid.phone("faults", reset=True, error="internalError")
    step = maja.post(f"{BASE}/{signing}/start", {"method": "bankid"}).get_json()

    assert step["status"] == "failed"
    assert room.show(maja, signing)["me"]["held_back"] is None
    room.bankid.phone("faults", reset=True)
    assert room.signs(maja, signing, MAJA)["status"] == "complete"


def test_dead_audit_log_means_nothing_is_signed(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    with room.product.dead_audit():
        assert maja.post(f"{BASE}/{signing}/start", {"method": "bankid"}).status_code == 503
    assert room.show(maja, signing)["me"]["signing"] is False


@pytest.mark.requirement("R082")
def test_band_high_leaves_neither_touch_nor_code(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)

    assert [each["name"] for each in room.show(maja, signing)["me"]["methods"]] == ["bankid"]
    for method in ("touch", "sms", "", "nothing"):
        assert maja.post(f"{BASE}/{signing}/start", {"method": method}).status_code in (400, 409, 422)


def test_party_that_left_is_shown_as_gone_and_what_is_open_ends_with_the_meeting(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    assert room.adviser.post("room/end").status_code == 200
    room.product.worker()

    assert room.show(room.adviser, signing)["state"] == "withdrawn"


@pytest.mark.requirement("R078", "R083")
def test_a_late_time_stamp_holds_the_copy_back_for_an_hour_and_then_the_copy_says_so(
    room: Any, maja: Browser, trust: Any
) -> None:
    trust.switch(status=503)
    signing = room.opens(maja)
    assert room.signs(maja, signing, MAJA)["signing"]["me"]["copy"] == "waits"
    _rounds(room, 2)
    assert _sent_copies(room) == []
    (waits,) = [
        each
        for each in room.product.services.meetings.errands(room.meeting.id)
        if each.kind == "pades_signing.copies" and each.state == "waiting"
    ]
    body = room.core.records().get("signing", signing).body
    assert to_text(waits.due_at) == body["copies_by"]
    assert timedelta(minutes=59) < waits.due_at - room.product.clock.now <= timedelta(hours=1)

    def the_hour_is_over(records: Any) -> None:  # the far ends live in real time, so the hour is brought to them
        records.add_errand("pades_signing.copies", {"signing": signing}, meeting=room.meeting.id)

    room.core.keep(the_hour_is_over)
    _rounds(room, 2)
    (early,) = _sent_copies(room)
    assert early.attachments[0][2] == _copy(maja, signing)
    assert "Tidsstämpeln från en utomstående dröjer" in early.text
    assert (room.show(maja, signing)["state"], room.show(maja, signing)["me"]["copy"]) == ("sealed", "sent")

    trust.switch()
    room.core.keep(the_hour_is_over)
    while room.show(maja, signing)["state"] != "preserved":
        _rounds(room, 1)
    _rounds(room, 1)
    _, again = _sent_copies(room)
    assert again.attachments[0][2] == _copy(maja, signing)
    assert again.subject == "Nu tidsstämplat: Skuldebrev, utökat lån"


def test_nobody_else_learns_of_a_signing(make_room: Callable[..., Any]) -> None:
    room = make_room(guests=[guest(SAMIR, Capacity.OBSERVER)])
    maja, samir = room.enter(MAJA), room.enter(SAMIR, Capacity.OBSERVER)
    signing = room.opens(maja)

    assert samir.get(BASE).get_json()["signings"] == []
    assert samir.get(f"{BASE}/{signing}").status_code == 404
    for what in ("start", "poll", "answer", "stop", "decline", "withdraw"):
        assert samir.post(f"{BASE}/{signing}/{what}", {}).status_code in (403, 404)
    room.signs(maja, signing, MAJA)
    assert samir.get(f"{BASE}/{signing}/documents/note/copy").status_code == 404
    assert maja.post(f"{BASE}/{signing}/withdraw").status_code == 404


@pytest.mark.requirement("R081")
def test_nobody_is_asked_to_approve_where_the_meeting_lets_them_approve_nothing(room: Any, maja: Browser) -> None:
    amount = {"minor": 1_000_000_00, "currency": "SEK"}
    body = {"act": "approve", "title": "Utbetalning", "amount": amount, "parties": [{"participant": maja.place}]}

    assert room.adviser.post(BASE, body).status_code in (400, 422)
    assert maja.post(BASE, body).status_code in (403, 404)
    assert maja.get(BASE).get_json()["signings"] == []


@pytest.mark.requirement("R076", "R078", "R083")
def test_the_archive_gets_its_own_and_the_worker_renews_the_time_stamp_in_time(
    make_room: Callable[..., Any], trust: Any
) -> None:
    trust.switch(new_tsa_days=92)  # with ninety days of notice this is renewed in a day
    room = make_room(plugins=("bankid", "pades_signing", "document_room"))
    maja = room.enter(MAJA)
    signing = room.opens(maja)
    room.signs(maja, signing, MAJA)
    while room.show(maja, signing)["state"] != "preserved":
        _rounds(room, 1)
    _rounds(room, 1)
    first = _copy(room.adviser, signing)
    (kept,) = room.core.service("documents").of_meeting(room.meeting.id)
    assert (kept.state, room.core.service("documents").content(kept.id)) == ("signed", first)

    body = room.core.records().get("signing", signing).body
    (waits,) = [
        each
        for each in room.product.services.meetings.errands(room.meeting.id)
        if each.kind == "pades_signing.renew" and each.state == "waiting"
    ]
    assert to_text(waits.due_at) == body["renew_at"]
    assert timedelta(hours=23) < waits.due_at - room.product.clock.now < timedelta(days=2)

    def the_day_comes(records: Any) -> None:  # the far ends live in real time, so the day is brought to them
        records.put("signing", signing, {**body, "renew_at": to_text(room.product.clock.now)})
        records.add_errand("pades_signing.renew", {"signing": signing}, meeting=room.meeting.id)

    room.core.keep(the_day_comes)
    trust.switch(new_tsa_days=730)  # the authority has another key by now
    _rounds(room, 2)
    after = room.core.records().get("signing", signing).body
    renewed = room.core.objects.get(after["sealed"]["note"][-1])
    assert renewed.startswith(first)
    assert len(PdfFileReader(io.BytesIO(renewed)).embedded_timestamp_signatures) == 2
    assert after["renew_at"] > body["renew_at"]
    assert room.product.kinds(room.meeting).count("pades_signing.renewed") == 1
    assert _copy(room.adviser, signing) == renewed
    found = room.core.service("documents").get(kept.id)  # a successor who finds it in the archive gets the newest
    assert (found.version, found.state, room.core.service("documents").content(kept.id)) == (2, "signed", renewed)

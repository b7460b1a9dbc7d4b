"""From the link to the room: consent first, identity before anything, and the adviser opens the door."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.domain.errors import ConflictError, RefusedError
from sidecar.domain.identity import LoA
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Decision
from sidecar.services.ports import JoinQuestion
from sidecar.testing import MAJA, SAMIR, SDP, TURE, Browser, Clock, FakeEid, Product
from tests.integration.journey_steps import START, meeting_of, rule, state_of

# Language


def test_a_language_chosen_in_the_menu_stays_for_the_pages_that_follow(maja: Browser) -> None:
    chosen = maja.get("identify?lang=fi")

    assert '<html lang="fi"' in chosen.text
    assert '<html lang="fi"' in maja.get("identify").text


def test_a_language_nobody_speaks_here_changes_nothing(maja: Browser) -> None:
    maja.get("identify?lang=xx")

    assert '<html lang="sv"' in maja.get("identify").text


# Consent


@pytest.mark.requirement("R065")
def test_without_a_yes_nobody_gets_to_a_sign_in(product: Product) -> None:
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER), consents=False)

    assert rule(maja.post("sign-in/start", START)) == "default/consent-first"
    assert product.eid.calls == []
    assert maja.get("identify").headers["Location"].endswith("/arrive")


@pytest.mark.requirement("R065")
def test_the_version_and_the_very_words_that_were_accepted_are_recorded(maja: Browser) -> None:
    [given] = [record for record in maja.product.records(meeting_of(maja)) if record.kind == "consent.given"]

    assert given.data["version"] == "1"
    assert len(given.data["text_sha256"]) == 64
    assert given.data["language"] == "sv"
    assert maja.product.place(maja.place).consent_at == maja.product.clock()


@pytest.mark.requirement("R065")
@pytest.mark.parametrize("version", ["0", "2", "", None, 1, "1 "])
def test_a_yes_to_another_text_is_no_yes(product: Product, version: object) -> None:
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER), consents=False)

    answer = maja.post("consent", {"version": version})

    assert answer.status_code == 422
    assert answer.get_json()["field"] == "version"
    assert state_of(maja) is ParticipantState.ARRIVED


# Identity


def test_who_comes_to_identify_before_the_door_opens_is_told_when_it_does(product: Product) -> None:
    booked = product.book(starts_at=product.clock() + timedelta(hours=2))
    maja = product.arrives(product.place_of(booked, Capacity.CUSTOMER))

    early = maja.get("identify").text

    assert "Du är tidig" in early
    assert 'id="identify"' not in early
    assert f'href="/v/{maja.place}/arrive"' in early
    product.clock.on(hours=2)
    assert 'id="identify"' in maja.get("identify").text


@pytest.mark.requirement("R001", "R011")
def test_nobody_comes_to_the_lobby_or_further_before_they_are_identified(product: Product, maja: Browser) -> None:
    """Asked of the service itself: the routes would not let it come so far."""
    place = product.place(maja.place)

    with pytest.raises(RefusedError) as refused:
        product.services.admission.enter_lobby(place)
    assert refused.value.params["rule"] == "default/identified-first"
    for act in (product.services.admission.mint, product.services.room.record):
        with pytest.raises(RefusedError):
            act(place)
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 409


@pytest.mark.requirement("R011")
def test_another_person_is_refused_and_only_the_fact_is_told(product: Product, maja: Browser) -> None:
    elin = product.opens(meeting_of(maja))
    answer = maja.identifies(TURE)

    assert answer.get_json() == {
        "status": "failed",
        "message": "",
        "view": {},
        "next": f"/v/{maja.place}/refused?reason=wrong_person",
    }
    place = product.place(maja.place)
    assert (place.identified, place.wrong_person_tries) == (None, 1)
    [told] = [record for record in product.records(meeting_of(maja)) if record.kind == "sign_in.wrong_person"]
    assert told.data == {"method": "bankid-qr", "tries": 1, "participant": maja.place}
    [alert] = elin.get("room/state").get_json()["alerts"]
    for secret in ("Ture", "Almvik", TURE.number):
        assert secret not in str(alert)
        assert secret not in maja.get("refused?reason=wrong_person").text
    assert product.stores()["objects"] == {}, "nothing of a stranger's eID is kept"
    assert maja.get("lobby").status_code == 401


@pytest.mark.requirement("R011")
def test_the_right_person_can_still_come_after_a_wrong_one_tried(maja: Browser) -> None:
    maja.identifies(TURE)

    assert maja.identifies(MAJA).get_json() == {
        "status": "complete",
        "message": "bankid done",
        "view": {},
        "next": f"/v/{maja.place}/lobby",
    }


@pytest.mark.requirement("R003", "R004")
def test_a_code_is_not_offered_above_the_low_band_and_asking_for_it_is_refused(maja: Browser) -> None:
    assert "otp_link" not in maja.get("identify").text.partition("data-")[0]

    answer = maja.post("sign-in/start", {"method": "otp_link", "same_device": False})

    assert rule(answer) == "mortgage@1/sign_in"
    assert answer.get_json()["sentence"]
    assert maja.product.channels["sms"].sent == []


@pytest.mark.requirement("R003", "R060")
def test_in_the_low_band_link_and_code_are_the_two_factors(product: Product) -> None:
    maja = product.arrives(product.place_of(product.book(type_name="advice"), Capacity.CUSTOMER))

    assert maja.post("sign-in/start", {"method": "otp_link", "same_device": False}).get_json()["status"] == "pending"
    [sent] = product.channels["sms"].sent
    assert (sent.address, "482113" in sent.text, "/m/" in sent.text) == (MAJA.phone, True, False)
    assert maja.post("sign-in/submit", {"code": "000000"}).get_json()["status"] == "pending"
    assert maja.post("sign-in/submit", {"code": "482113"}).get_json()["status"] == "complete"
    assert maja.get("lobby").status_code == 200
    assert b"482113" not in b"".join(p.read_bytes() for p in (product.folder / "data").rglob("*") if p.is_file())


@pytest.mark.requirement("R002", "R004")
@pytest.mark.parametrize(
    ("how", "sentence"),
    [({"loa": LoA.LOW}, "eid-too-weak"), ({"factors": 1}, "two-factors-missing")],
    ids=["level", "factors"],
)
def test_an_eid_that_vouches_for_too_little_is_refused_by_name(
    maja: Browser, how: dict[str, object], sentence: str
) -> None:
    answer = maja.identifies(MAJA, **how)

    assert rule(answer) == "mortgage@1/sign_in"
    refusal = maja.product.records(meeting_of(maja))[-1]
    assert refusal.kind == "permission.refused"
    assert refusal.data["sentence"] == sentence
    assert state_of(maja) is ParticipantState.CONSENTED
    assert maja.post("sign-in/poll").status_code == 404, "the sign-in is over"


@pytest.mark.requirement("R005", "R006")
def test_an_eid_of_a_country_the_type_does_not_name_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    product = Product(tmp_path, clock=clock, methods=[FakeEid(clock, name="somewhere"), FakeEid(clock, name="nbid")])
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))

    answer = maja.post("sign-in/start", {"method": "somewhere", "same_device": False})

    assert rule(answer) == "mortgage@1/sign_in"
    assert product.records(meeting_of(maja))[-1].data["sentence"] == "eid-not-accepted"


@pytest.mark.parametrize("method", ["", "nobody", "BANKID", "maja.granlid@example.org", "x" * 61, None, 7, ["bankid"]])
def test_a_way_to_sign_in_that_does_not_exist_is_named_as_the_field(maja: Browser, method: object) -> None:
    size = maja.product.services.audit.size
    answer = maja.post("sign-in/start", {"method": method})

    assert (answer.status_code, answer.get_json()["field"]) == (422, "method")
    assert maja.product.services.audit.size == size, "what was typed into it is recorded nowhere"


@pytest.mark.requirement("R001")
def test_the_proof_is_kept_sealed_and_the_log_holds_its_digest(maja: Browser) -> None:
    maja.identifies(MAJA)
    identified = maja.product.place(maja.place).identified
    assert identified is not None
    [object_id] = identified.evidence
    [record] = [each for each in maja.product.records() if each.kind == "sign_in.completed"]

    assert maja.product.services.objects.get(object_id) == b"<signed by='maja'/>"
    assert record.data["proof"] == list(identified.evidence_digests)
    assert record.data["loa"] == "substantial"
    assert record.actor == "per_maja"


@pytest.mark.requirement("R142", "R213")
def test_which_plugin_was_used_is_recorded_before_it_is_asked(maja: Browser) -> None:
    kinds = maja.product.kinds(meeting_of(maja))
    assert "plugin.used" not in kinds
    maja.post("sign-in/start", START)

    used = maja.product.records(meeting_of(maja))[-1]
    assert (used.kind, used.data) == ("plugin.used", {"plugin": "bankid"})
    assert [row["plugin"] for row in maja.product.services.integrations_used()] == ["bankid"]


def test_a_sign_in_may_be_given_up_and_begun_again(maja: Browser) -> None:
    maja.post("sign-in/start", START)
    assert maja.post("sign-in/cancel").get_json()["status"] == "failed"
    assert maja.product.eid.calls == ["start", "cancel"]
    assert maja.post("sign-in/poll").status_code == 404
    assert maja.post("sign-in/cancel").status_code == 200, "twice is no mistake"

    assert maja.identifies(MAJA).get_json()["status"] == "complete"


# The door


@pytest.mark.requirement("R011")
def test_the_door_opens_only_shortly_before_the_meeting(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + timedelta(hours=2))
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))

    assert rule(maja.post("sign-in/start", START)) == "default/door-opens"
    assert product.eid.calls == []

    product.clock.on(hours=1, minutes=45)
    assert maja.identifies(MAJA).get_json()["status"] == "complete"


@pytest.mark.requirement("R011")
@pytest.mark.parametrize("how", ["cancelled", "ended", "missed"])
def test_once_the_meeting_is_over_its_door_is_shut(product: Product, maja: Browser, how: str) -> None:
    meeting = meeting_of(maja)
    if how == "cancelled":
        product.services.booking.cancel(meeting.id, actor=product.staff().id)
    elif how == "ended":
        assert product.opens(meeting).post("room/end").status_code == 200
    else:
        product.clock.on(hours=2)
        product.worker()
    assert meeting_of(maja).state.value == how

    assert maja.post("sign-in/start", START).status_code == 409
    assert maja.post("consent", {"version": "1"}).status_code == 409
    assert maja.get("identify").status_code == 302
    assert maja.get("arrive").status_code == 200
    assert product.eid.calls == []


@pytest.mark.requirement("R001", "R011")
def test_only_who_may_admit_admits(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    meeting = meeting_of(maja)
    elin = product.opens(meeting)
    samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER)).waits(SAMIR)
    elin.post("room/admit", {"participant": samir.place})
    assert samir.joins().status_code == 200

    for who in (samir, maja):
        answer = who.post("room/admit", {"participant": maja.place})
        assert answer.status_code == 403, "neither an observer nor the waiting person"
        assert answer.get_json()["rule"]
    assert state_of(maja) is ParticipantState.WAITING
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200


@pytest.mark.requirement("R001")
def test_the_lobby_sees_nothing_of_the_room(product: Product, maja: Browser) -> None:
    """Before, /room/state told whoever waited who was inside, and what they wrote."""
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    elin.joins()
    elin.post("room/chat", {"text": "Hon har två lån till."})

    for path in ("room/state", "room"):
        answer = maja.get(path)
        assert answer.status_code in (302, 403), path
        assert "lån" not in answer.text
    for act, body in (("chat", {"text": "Hej"}), ("hand", {"raised": True}), ("token", {})):
        assert rule(maja.post(f"room/{act}", body)) == "default/admitted-first", act


@pytest.mark.requirement("R001", "R011")
def test_a_join_token_is_for_who_was_admitted_once_and_for_the_own_room(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    elin.post("room/admit", {"participant": maja.place})
    token = maja.post("room/token").get_json()["token"]

    assert elin.post("room/join", {"token": token, "sdp": SDP}).status_code == 403, "another's token"
    assert maja.post("room/join", {"token": token, "sdp": SDP}).status_code == 200
    replay = maja.post("room/join", {"token": token, "sdp": SDP})
    assert replay.status_code == 409
    assert [call[0] for call in product.conference.calls] == ["admit"]
    assert product.kinds()[-1] == "act.voided"


@pytest.mark.requirement("R011")
def test_a_spent_token_stays_spent_when_the_product_starts_anew(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    product.opens(meeting_of(maja)).post("room/admit", {"participant": maja.place})
    token = maja.post("room/token").get_json()["token"]
    assert maja.post("room/join", {"token": token, "sdp": SDP}).status_code == 200

    again = Product(product.folder, clock=product.clock)
    place = again.place(maja.place)
    verified = again.services.verify_join(token, again.meeting(place.meeting).room)
    with pytest.raises(ConflictError):
        again.services.admission.joined(place, verified)


@pytest.mark.requirement("R001")
@pytest.mark.parametrize("token", ["", "x", "eyJhbGciOiJub25lIn0.e30.", 7, None])
def test_what_is_no_token_opens_no_door(product: Product, maja: Browser, token: object) -> None:
    maja.waits(MAJA)
    product.opens(meeting_of(maja)).post("room/admit", {"participant": maja.place})

    assert maja.post("room/join", {"token": token, "sdp": SDP}).status_code in (401, 422)
    assert product.conference.calls == []


@pytest.mark.requirement("R011")
def test_a_token_is_good_for_its_time_and_no_longer(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    product.opens(meeting_of(maja)).post("room/admit", {"participant": maja.place})
    token = maja.post("room/token").get_json()["token"]
    product.clock.on(minutes=3)

    late = maja.post("room/join", {"token": token, "sdp": SDP})

    assert (late.status_code, late.get_json()["type"]) == (401, "/problems#token-expired")


@pytest.mark.requirement("R025", "R216")
def test_a_token_from_before_a_raise_brings_nothing_back(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    elin.post("room/admit", {"participant": maja.place})
    token = maja.post("room/token").get_json()["token"]
    assert elin.post("room/raise", {"target": "chat:off"}).status_code == 200

    assert maja.post("room/join", {"token": token, "sdp": SDP}).status_code == 409
    assert maja.joins().status_code == 200, "a fresh one does"


def test_without_the_bridge_nobody_is_in_the_room_and_the_place_is_kept(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    product.opens(meeting_of(maja)).post("room/admit", {"participant": maja.place})
    product.conference.down = True

    assert maja.joins().status_code == 503
    assert state_of(maja) is ParticipantState.AWAY

    product.conference.down = False
    assert maja.joins().status_code == 200


@pytest.mark.requirement("R141")
def test_a_plugin_can_keep_somebody_out_and_nobody_in(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    asked: list[JoinQuestion] = []

    def listed(question: JoinQuestion) -> Decision:
        asked.append(question)
        return Decision(False, "plugin.aml/listed", "refused")

    product.stub.judge = listed

    assert rule(elin.post("room/admit", {"participant": maja.place})) == "plugin.aml/listed"
    assert state_of(maja) is ParticipantState.WAITING
    assert "Maja" not in str(asked)
    product.stub.judge = lambda question: Decision(True, "plugin.aml/clean", "may.enter")
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200


@pytest.mark.requirement("R011")
def test_the_level_is_asked_again_when_the_door_opens(product: Product) -> None:
    """Identified for a low-band meeting, then the meeting is raised: the code no longer does."""
    meeting = product.book(type_name="advice")
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    maja.post("sign-in/start", {"method": "otp_link", "same_device": False})
    maja.post("sign-in/submit", {"code": "482113"})
    maja.get("lobby")
    elin = product.opens(meeting)
    assert elin.post("room/raise", {"target": "band:medium"}).status_code == 200

    assert rule(elin.post("room/admit", {"participant": maja.place})) == "band.medium/sign_in"


# Two at once


@pytest.mark.requirement("R119")
def test_of_two_who_admit_at_once_one_does_and_the_other_is_told_with_the_record_voided(
    product: Product, maja: Browser
) -> None:
    maja.waits(MAJA)
    product.opens(meeting_of(maja))
    adviser = product.place_of(meeting_of(maja), Capacity.ADVISER)
    both_decided = threading.Barrier(2, timeout=60)
    product.stub.judge = lambda question: (both_decided.wait() and None) or None  # the last step of the decision
    outcomes: list[object] = []

    def admit() -> None:
        try:
            outcomes.append(product.services.admission.admit(adviser, ParticipantId(maja.place)).state)
        except ConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=admit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(map(str, outcomes)) == ["admitted", "conflict"]
    records = product.records(meeting_of(maja))
    admitted = [
        entry.index
        for entry in product.services.audit.read(meeting_of(maja).id)
        if entry.record.kind == "participant.admitted" and entry.record.data["participant"] == maja.place
    ]
    [voided] = [record for record in records if record.kind == "act.voided"]
    assert len(admitted) == 2
    assert len(voided.data["entries"]) == 1
    assert set(voided.data["entries"]) < set(admitted)
    assert voided.data["reason"] == "conflict"

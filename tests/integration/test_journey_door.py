"""The door of a meeting: consent first, identify first, the right person, the lobby, the join token, coming back."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from sidecar.domain.errors import ConflictError, RefusedError
from sidecar.domain.identity import LoA
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import MeetingState, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Decision
from sidecar.services.booking import Booker, BookingRequest
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, SAMIR, SDP, SIV, TURE, Browser, Clock, FakeEid, Product, guest

START = {"method": "bankid", "same_device": False}


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


@pytest.fixture
def maja(product: Product) -> Browser:
    """Maja, who opened her invitation and said yes to how data is handled."""
    return product.arrives(product.place_of(product.book(guests=[guest(SAMIR)]), Capacity.CUSTOMER))


def meeting_of(browser: Browser):  # type: ignore[no-untyped-def]
    return browser.product.meeting(browser.product.place(browser.place).meeting)


def state_of(browser: Browser) -> ParticipantState:
    return browser.product.place(browser.place).state


def rule(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(answer.get_json()["rule"])


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
    asked = []
    product.stub.judge = lambda question: asked.append(question) or Decision(False, "plugin.aml/listed", "refused")

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
    both_decided = threading.Barrier(2, timeout=10)
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
        thread.join(10)

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


# Away and back


def in_room(product: Product, maja: Browser) -> Browser:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200
    assert elin.joins().status_code == 200
    return elin


@pytest.mark.requirement("R048")
def test_who_leaves_comes_back_within_the_bound_as_who_they_were(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    before = product.place(maja.place)
    assert maja.post("room/leave").status_code == 200
    assert ("expel", maja.place, "left") in product.conference.calls
    product.clock.on(minutes=30)

    assert maja.get("room").status_code == 200
    assert maja.joins().status_code == 200
    after = product.place(maja.place)
    assert (after.state, after.identified, after.capacity) == (
        ParticipantState.IN_ROOM,
        before.identified,
        before.capacity,
    )
    assert product.kinds(meeting_of(maja))[-2:] == ["token.minted", "participant.rejoined"]


@pytest.mark.requirement("R048", "R011")
def test_after_the_bound_one_identifies_anew_and_is_admitted_anew(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    maja.post("room/leave")
    product.clock.on(minutes=30, seconds=1)

    assert rule(maja.post("room/token")) == "default/session-ended"
    assert rule(maja.post("room/chat", {"text": "Hej"})) == "default/session-ended"
    assert maja.get("room/state").status_code == 403
    assert maja.get("room").headers["Location"].endswith("/left")
    assert f"/v/{maja.place}/identify" in maja.get("left").text

    maja.waits(MAJA)
    assert rule(maja.post("room/token")) == "default/admitted-first"
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_time_in_the_room_runs_out_for_everybody(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    until = product.place(maja.place).session_until
    assert until == meeting_of(maja).ends_at + timedelta(minutes=30)
    product.clock.now = until

    assert rule(maja.post("room/chat", {"text": "Hej"})) == "default/session-ended"
    assert rule(maja.post("room/token")) == "default/session-ended"
    assert f"/v/{maja.place}/identify" in maja.get("left").text


@pytest.mark.requirement("R015", "R048")
def test_an_adviser_who_was_away_for_long_comes_back_through_the_calls_own_check(
    product: Product, maja: Browser
) -> None:
    """Before, the desk led back to a room whose token was refused, for good."""
    elin = in_room(product, maja)
    elin.post("room/leave")
    product.clock.on(minutes=31)
    assert elin.post("room/token").status_code == 403

    begun = elin.post(f"/desk/meetings/{meeting_of(maja).id}/start", form=True)
    assert elin.get(elin.passes_identity_service(begun, ELIN)).status_code == 302
    assert elin.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_who_identifies_anew_while_in_the_room_is_cut_from_it_and_waits(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    product.clock.on(minutes=1)
    other = product.arrives(product.place(maja.place), consents=False)
    assert other.identifies(MAJA).get_json()["next"].endswith("/lobby")

    assert state_of(other) is ParticipantState.IDENTIFIED
    product.worker()
    assert ("expel", maja.place, "identified-anew") in product.conference.calls
    other.get("lobby")
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert other.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_who_was_put_out_stays_out(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    link = product.services.links.secret(ParticipantId(maja.place))
    assert elin.post("room/expel", {"participant": maja.place}).status_code == 200

    assert ("expel", maja.place, "expelled") in product.conference.calls
    for act, body in (("token", {}), ("chat", {"text": "Hej"}), ("hand", {"raised": True})):
        assert maja.post(f"room/{act}", body).status_code == 401, act
    assert maja.get("room/state").status_code == 403
    assert maja.get("lobby").headers["Location"].endswith("/left")
    assert rule(maja.post("sign-in/start", START)) == "default/invited-only"
    assert product.browser().get(f"/m/{link}").status_code == 404, "the link leads nowhere any more"
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 409


@pytest.mark.requirement("R011")
def test_who_was_sent_away_from_the_lobby_does_not_wait_again(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/deny", {"participant": maja.place}).status_code == 200

    assert maja.get("lobby").headers["Location"].endswith("/left")
    assert rule(maja.post("sign-in/start", START)) == "default/invited-only"
    assert maja.post("lobby/choice", {"choice": "wait"}).status_code == 409
    assert elin.post("room/deny", {"participant": maja.place}).status_code == 409, "twice"


@pytest.mark.requirement("R048")
def test_the_bridge_tells_of_a_lost_connection_and_the_place_is_kept(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    told = {"id": "ev_1", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}

    assert product.bridge_says({**told, "data": {"reason": "connection_lost"}}).status_code == 200
    assert state_of(maja) is ParticipantState.AWAY
    assert product.bridge_says({**told, "data": {"reason": "connection_lost"}}).status_code == 200
    assert product.kinds(meeting_of(maja)).count("media.left") == 1, "told twice, recorded once"
    assert maja.joins().status_code == 200
    assert product.bridge_says({**told, "id": "ev_2", "data": {"reason": "replaced"}}).status_code == 200
    assert state_of(maja) is ParticipantState.IN_ROOM, "her newer connection took the older one's place"


def test_an_event_of_the_bridge_that_could_not_be_recorded_is_taken_in_when_it_comes_again(
    product: Product, maja: Browser
) -> None:
    in_room(product, maja)
    told = {"id": "ev_1", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    with product.dead_audit():
        assert product.bridge_says(told).status_code == 503

    assert product.bridge_says(told).status_code == 200
    assert state_of(maja) is ParticipantState.AWAY


@pytest.mark.parametrize(
    "poison",
    [
        {"kind": "message.dropped", "data": {"type": "maja.granlid@example.org", "rule": "closed-list"}},
        {"kind": "message.dropped", "data": {"type": "199002142389"}},
        {"kind": "media.left", "at": "yesterday"},
        {"kind": "media.left", "at": None},
        {"kind": "media.joined", "data": "no object"},
        {"kind": "unheard.of"},
        {"kind": "media.left", "participant": "p_nobody"},
    ],
    ids=str,
)
def test_an_event_that_can_never_be_recorded_does_not_hold_up_the_others(
    product: Product, maja: Browser, poison: dict[str, object]
) -> None:
    """The bridge sends in order and repeats what is refused: one hostile message would have silenced it for good."""
    in_room(product, maja)
    good = {"id": "ev_2", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    bad = {"id": "ev_1", "participant": maja.place, "at": product.clock().isoformat(), **poison}

    assert product.bridge_says(bad, "no event", good).status_code == 200  # type: ignore[arg-type]
    assert state_of(maja) is ParticipantState.AWAY


# The adviser


@pytest.mark.requirement("R015")
def test_the_desks_session_alone_opens_no_call(product: Product) -> None:
    meeting, elin = product.book(), product.signs_in(ELIN)

    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"
    assert product.meeting(meeting).state is MeetingState.BOOKED


@pytest.mark.requirement("R009", "R015")
@pytest.mark.parametrize("amr", [("pwd", "otp"), ("pwd", "sms"), ("pwd",), ()])
def test_the_calls_own_check_asks_for_a_strong_method_where_the_type_does(
    product: Product, amr: tuple[str, ...]
) -> None:
    meeting, elin = product.book(), product.signs_in(ELIN)
    product.identity_service.amr = amr
    state = elin.post(f"/desk/meetings/{meeting.id}/start", form=True).headers["Location"].partition("state=")[2]

    answer = elin.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert rule(answer) == "mortgage@1/staff"
    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"


@pytest.mark.requirement("R015")
def test_the_check_is_for_this_call_by_this_person_and_soon_over(product: Product) -> None:
    meeting, other = product.book(), product.book(customer=product.customer(TURE))
    elin = product.signs_in(ELIN)
    state = elin.post(f"/desk/meetings/{meeting.id}/start", form=True).headers["Location"].partition("state=")[2]
    colleague = elin.get("/staff/callback", query_string={"state": state, "code": "siv"})
    assert colleague.status_code == 403, "a colleague cannot lend a key"
    elin.passes_identity_service(elin.post(f"/desk/meetings/{meeting.id}/start", form=True), ELIN)

    assert rule(elin.get(f"/desk/meetings/{other.id}/enter")) == "default/call-check"
    product.clock.on(minutes=5, seconds=1)
    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"
    assert "staff.call_check" in product.kinds(meeting)


@pytest.mark.requirement("R015", "R129")
def test_nobody_opens_a_colleagues_meeting(product: Product) -> None:
    meeting, siv = product.book(), product.staff(SIV)

    with pytest.raises(RefusedError) as refused:
        product.services.admission.open_meeting(
            meeting.id, siv.id, packages=siv.packages, call_checked_at=product.clock()
        )
    assert refused.value.params["rule"] == "default/own-meetings"


@pytest.mark.requirement("R008")
def test_a_role_gives_its_tools_always_the_same_and_never_anothers(product: Product) -> None:
    """Siv of customer service may hold an onboarding, and in it neither invite guests nor see unmasked data."""
    elin, siv = product.staff(ELIN), product.staff(SIV)
    assert elin.packages == product.staff(ELIN).packages == {"mortgage-adviser"}
    assert siv.packages == {"customer-service"}
    rights = {}
    for who in (ELIN, SIV):
        meeting = product.book(type_name="onboarding", adviser=who)
        rights[who.key] = set(product.opens(meeting, who).get("room/state").get_json()["me"]["permissions"])

    assert {"invite_guest", "see_unmasked", "calculate"} <= rights["elin"] - rights["siv"]
    assert rights["siv"] < rights["elin"]
    siv_room = product.opens(product.book(type_name="onboarding", adviser=SIV), SIV)
    assert rule(siv_room.post("room/invite", {"name": "X", "capacity": "observer"})) == "packages/invite_guest"


@pytest.mark.requirement("R008", "R024")
def test_a_role_books_its_own_kinds_of_meeting_for_its_own_customers(product: Product) -> None:
    for who, type_name, segment, sentence in (
        (SIV, "mortgage", "private", "type-not-in-your-role"),
        (FRIDA, "mortgage", "private", "type-not-in-your-role"),
        (ELIN, "corporate-fx", "corporate", "type-not-in-your-role"),
        (ELIN, "mortgage", "corporate", "not-for-segment"),
    ):
        customer = product.customer(AGNES if segment == "corporate" else MAJA, segment=segment)
        with pytest.raises(RefusedError) as refused:
            product.book(adviser=who, type_name=type_name, customer=customer)
        assert refused.value.params["sentence"] == sentence, (who.name, type_name)
        assert product.records()[-1].data["sentence"] == sentence


def test_a_meeting_keeps_the_role_it_was_opened_with(product: Product) -> None:
    """Another group tomorrow, another set of tools: what the adviser holds now counts, not what a booking copied."""
    meeting = product.book()
    product.identity_service.people["elin"] = replace(ELIN, groups=("bank-private-bankers",))
    product.opens(meeting)

    assert product.meeting(meeting).packages == {"private-banker"}


@pytest.mark.requirement("R014", "R129")
def test_staff_without_any_role_are_refused_and_leave_no_trace_but_that(product: Product) -> None:
    product.identity_service.people["elin"] = replace(ELIN, groups=("bank-canteen",))
    before = product.stores()["people.people"]
    browser = product.browser()
    state = browser.get("/staff/sign-in").headers["Location"].partition("state=")[2]

    answer = browser.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert rule(answer) == "default/no-role-package"
    assert product.stores()["people.people"] == before


# On demand


@pytest.mark.requirement("R038", "R040")
def test_a_caller_is_identified_waits_and_is_picked_up_by_one(product: Product) -> None:
    caller = product.calls().waits(MAJA)
    meeting = meeting_of(caller)
    siv, elin = product.signs_in(SIV), product.signs_in(ELIN)
    assert [place.id for _, place in product.services.on_demand.waiting()] == [caller.place]

    assert siv.post(f"/desk/meetings/{meeting.id}/pick-up").status_code == 200
    assert rule(elin.post(f"/desk/meetings/{meeting.id}/pick-up")) == "default/taken"
    assert product.services.on_demand.waiting() == []
    room = product.opens(meeting, SIV)
    assert room.post("room/admit", {"participant": caller.place}).status_code == 200
    assert caller.joins().status_code == 200
    assert product.place(caller.place).person is not None
    first = product.records(meeting)[0]
    assert (first.kind, first.actor) == ("meeting.booked", caller.place)


@pytest.mark.requirement("R038")
def test_a_caller_the_bank_knows_is_that_customer_and_a_stranger_becomes_a_guest(product: Product) -> None:
    known = product.customer(MAJA)
    for who, expected in ((MAJA, known), (TURE, None)):
        caller = product.calls().waits(who)
        person = product.place(caller.place).person
        assert person is not None
        assert product.services.people.get(person).shown_name == who.name
        assert expected is None or person == expected


@pytest.mark.requirement("R038")
def test_a_calls_place_stays_with_who_took_it(product: Product) -> None:
    caller = product.calls().waits(MAJA)

    assert caller.identifies(TURE).get_json()["next"].endswith("wrong_person")
    assert product.place(caller.place).person == product.services.people.find_by_subject(_number(MAJA)).id  # type: ignore[union-attr]


@pytest.mark.requirement("R040")
def test_outside_opening_hours_nobody_calls_and_the_hours_are_told(product: Product) -> None:
    product.clock.on(hours=8)
    browser = product.browser()
    browser.get("/call")
    before = product.stores()["meetings.meetings"]

    answer = browser.post("/call", {"type": "onboarding"}, form=True)

    assert answer.status_code == 200
    assert "08.00" in answer.text
    assert product.stores()["meetings.meetings"] == before
    assert product.records()[-1].data["rule"] == "default/opening-hours"
    product.worker()  # a refused call has no meeting, and still must not trip the worker
    assert product.worker() == 0


@pytest.mark.requirement("R038")
@pytest.mark.parametrize("wanted", ["mortgage", "corporate-fx", "nothing", "", "onboarding'; --"])
def test_what_must_be_booked_cannot_be_called(product: Product, wanted: str) -> None:
    browser = product.browser()
    browser.get("/call")

    assert browser.post("/call", {"type": wanted}, form=True).status_code == 200
    assert product.stores()["meetings.meetings"] == []


@pytest.mark.requirement("R038")
def test_of_two_who_pick_up_at_once_one_has_the_call(product: Product) -> None:
    meeting = meeting_of(product.calls().waits(MAJA))
    read = product.meeting(meeting)
    product.services.staff.pick_up(product.staff(SIV), read)

    with pytest.raises(ConflictError):
        product.services.staff.pick_up(product.staff(ELIN), read)
    assert product.meeting(meeting).adviser == product.staff(SIV).id
    assert product.kinds(meeting)[-2:] == ["call.picked_up", "act.voided"]


def _number(who):  # type: ignore[no-untyped-def]
    from sidecar.domain.identity import Subject

    return Subject("se-personnummer", who.number)


@pytest.mark.requirement("R135")
def test_a_booking_for_a_caller_of_another_country_is_stored_there(product: Product) -> None:
    member = product.staff(ELIN)
    customer = product.customer(TURE, country="FI")
    request = BookingRequest(
        type_name="mortgage",
        customer=customer,
        adviser=member.id,
        purpose="Laina",
        starts_at=product.clock(),
        duration=timedelta(minutes=45),
        brand="exempelbanken",
    )

    assert product.services.booking.book(request, Booker(member.id, member.packages)).region == "eu-central-fi"

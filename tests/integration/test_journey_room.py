"""In the room: each act is decided on the server, by the rule that says no, and the media side is told."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from sidecar.domain.errors import ConflictError
from sidecar.domain.identity import LoA
from sidecar.domain.meetings import Meeting, MeetingState, ParticipantState
from sidecar.domain.permissions import Capacity, Permission
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, SAMIR, TURE, Browser, Product, guest
from tests.integration.journey_steps import enters, rule


class Room:
    """A meeting everybody is in."""

    def __init__(self, product: Product, *, type_name: str = "mortgage") -> None:
        self.product = product
        adviser = FRIDA if type_name == "corporate-fx" else ELIN
        customer = AGNES if type_name == "corporate-fx" else MAJA
        segment = "corporate" if type_name == "corporate-fx" else "private"
        guests = [guest(SAMIR), guest(TURE, Capacity.REPRESENTATIVE)]
        booked = product.book(
            type_name=type_name, adviser=adviser, customer=product.customer(customer, segment=segment), guests=guests
        )
        self.elin = product.opens(booked, adviser)
        self.maja = enters(self.elin, booked, Capacity.CUSTOMER, customer)
        self.samir = enters(self.elin, booked, Capacity.OBSERVER, SAMIR)
        self.ture = enters(self.elin, booked, Capacity.REPRESENTATIVE, TURE)
        assert self.elin.joins().status_code == 200
        self.id = booked

    @property
    def meeting(self) -> Meeting:
        return self.product.meeting(self.id)

    @property
    def last(self) -> Any:
        return self.product.records(self.id)[-1]

    def may(self, browser: Browser) -> set[str]:
        return set(browser.get("room/state").get_json()["me"]["permissions"])


@pytest.fixture
def room(product: Product) -> Room:
    return Room(product)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """One meeting for all that is refused by its field: none of it may change anything in it."""
    return Room(Product(tmp_path_factory.mktemp("still")))


# Who may do what


@pytest.mark.requirement("R023", "R032", "R033", "R034", "R129")
def test_a_guest_does_only_what_a_guest_may_whatever_their_browser_asks_for(room: Room) -> None:
    maja = room.maja.place
    tries: dict[str, dict[str, Any]] = {
        "admit": {"participant": maja},
        "deny": {"participant": maja},
        "expel": {"participant": maja},
        "mute": {"participant": maja, "kind": "audio"},
        "invite": {"name": "X", "capacity": "observer", "email": "x@example.org"},
        "raise": {"target": "share:off"},
        "record": {},
        "end": {},
        "share": {"action": "start", "surface": "window"},
    }
    for who in (room.samir, room.ture, room.maja):
        for act, body in tries.items():
            if who is room.maja and body.get("participant"):
                body = {**body, "participant": room.samir.place}
            size = room.product.services.audit.size
            answer = who.post(f"room/{act}", body)
            assert rule(answer), (who.place, act)
            assert answer.get_json()["sentence"]
            assert room.product.services.audit.size == size + 1, act
            assert room.last.kind == "permission.refused"
            assert room.last.data["rule"] == answer.get_json()["rule"]
    assert room.meeting.state is MeetingState.OPEN
    assert [call for call in room.product.conference.calls if call[0] != "admit"] == []


@pytest.mark.requirement("R032", "R033", "R034")
def test_an_observer_sees_and_hears_a_lawyer_reads_and_the_customer_keeps_every_right(room: Room) -> None:
    observer, lawyer, customer = room.may(room.samir), room.may(room.ture), room.may(room.maja)

    assert observer == {"speak", "show_camera", "raise_hand"}
    assert {"view_document", "chat"} <= lawyer - observer
    assert {"sign", "see_unmasked"} <= customer - lawyer
    assert lawyer < customer
    assert rule(room.samir.post("room/chat", {"text": "Hej"}))
    assert room.ture.post("room/chat", {"text": "Hej"}).status_code == 200


@pytest.mark.requirement("R037", "R036")
def test_what_somebody_may_not_see_is_not_sent_to_them(room: Room) -> None:
    room.maja.post("room/chat", {"text": "Min lön är 42 000."})
    outside = room.product.arrives(
        room.product.services.booking.invite_guest(
            room.meeting, replace(guest(SAMIR), national_id="198412032396", name="Ny"), actor=room.meeting.adviser or ""
        )
    )
    assert outside.place
    for who, knows_chat, knows_lobby in ((room.elin, True, True), (room.maja, True, False), (room.samir, False, False)):
        state = who.get("room/state").get_json()
        assert ("lön" in str(state["chat"])) is knows_chat
        assert bool(state["raises"]) is knows_lobby
        assert {person["name"] for person in state["people"]} >= {"Elin Sjöhage", "Maja Granlid"}
        for secret in (MAJA.number, MAJA.email, MAJA.phone):
            assert secret not in str(state)


@pytest.mark.requirement("R051", "R052")
def test_everything_that_is_off_comes_with_a_sentence_that_says_why(room: Room) -> None:
    for who in (room.elin, room.maja, room.samir):
        state = who.get("room/state").get_json()
        off = {permission.value for permission in Permission} - set(state["me"]["permissions"])
        assert set(state["refusals"]) == off
        assert all(len(sentence) > 15 for sentence in state["refusals"].values())


# Chat


@pytest.mark.requirement("R020", "R118")
def test_a_line_of_chat_is_kept_in_the_meeting_and_only_its_digest_in_the_log(room: Room) -> None:
    words = "Räntan är rörlig.\nDen bestäms var tredje månad."
    assert room.elin.post("room/chat", {"text": f"  {words}  "}).status_code == 200

    [line] = room.maja.get("room/state").get_json()["chat"]
    assert (line["text"], line["name"]) == (words, "Elin Sjöhage")
    assert room.last.kind == "chat.sent"
    assert room.last.data["sha256"] == sha256(words.encode()).hexdigest()
    assert room.last.data["signs"] == len(words)
    assert "Räntan" not in str(room.product.records())


@pytest.mark.requirement("R074")
def test_a_confirmation_in_the_chat_stands_in_the_journal_and_changed_words_are_told(room: Room) -> None:
    words = "Ja, jag godkänner räntan 3,42 % & villkoren <ovan>."
    assert room.maja.post("room/chat", {"text": words}).status_code == 200
    path = f"/desk/meetings/{room.meeting.id}/journal"

    shown = room.elin.get(path).text
    assert "Ja, jag godkänner räntan 3,42 % &amp; villkoren &lt;ovan&gt;." in shown
    assert "Stämmer inte med loggen" not in shown
    evidence = room.elin.get(f"/desk/meetings/{room.meeting.id}/evidence").text
    assert sha256(words.encode()).hexdigest() in evidence

    [line] = room.product.services.meetings.chat(room.meeting.id)
    store = room.product.services.meetings
    store.write(lambda tx: tx.add_chat(replace(line, id="c_forged", text="Nej, jag avstår.")))
    assert room.elin.get(path).text.count("Stämmer inte med loggen") == 1


@pytest.mark.requirement("R018", "R022")
def test_where_the_type_has_no_chat_nothing_is_said_or_kept(product: Product) -> None:
    room = Room(product, type_name="advice")

    assert rule(room.elin.post("room/chat", {"text": "Hej"})) == "default/not-granted"
    assert product.services.meetings.chat(room.id.id) == []


@pytest.mark.parametrize(
    "text", ["", "  \n ", "x" * 2001, "x" * 5000, None, 7, ["Hej"], "half a sign \ud83d", "a bell \x07", "\x00"]
)
def test_what_is_no_line_of_chat_is_refused_by_its_field(still: Room, text: object) -> None:
    room = still
    size = room.product.services.audit.size
    answer = room.maja.post("room/chat", {"text": text})

    assert (answer.status_code, answer.get_json()["field"]) == (422, "text")
    assert room.product.services.audit.size == size


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'; DROP TABLE chat; --", "{adviser} %s {{7*7}}", "👩‍💻 zażółć", "x" * 2000]
)
def test_hostile_and_unusual_words_are_words(room: Room, text: str) -> None:
    assert room.maja.post("room/chat", {"text": text}).status_code == 200
    assert room.elin.get("room/state").get_json()["chat"][-1]["text"] == text
    assert "<script>alert" not in room.elin.get("room").text


# Sharing


@pytest.mark.requirement("R019", "R022", "R035")
def test_a_window_may_be_shown_where_a_whole_screen_may_not(room: Room) -> None:
    whole = room.elin.post("room/share", {"action": "start", "surface": "monitor"})
    assert rule(whole)
    assert whole.get_json()["sentence"]
    assert room.last.data["surface"] == "monitor"
    assert room.last.data["act"] == "share.started"

    for surface in ("window", "browser"):
        assert room.elin.post("room/share", {"action": "start", "surface": surface}).status_code == 200
        assert room.elin.post("room/share", {"action": "stop"}).status_code == 200


@pytest.mark.requirement("R035")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "pause"}, "action"),
        ({"action": "start"}, "surface"),
        ({"action": "start", "surface": ""}, "surface"),
        ({"action": "start", "surface": "application"}, "surface"),
        ({"action": "start", "surface": None}, "surface"),
        ({"action": "start", "surface": ["window"]}, "surface"),
    ],
)
def test_a_share_whose_source_the_browser_does_not_name_is_refused(
    still: Room, body: dict[str, Any], field: str
) -> None:
    room = still
    answer = room.elin.post("room/share", body)

    assert (answer.status_code, answer.get_json()["field"]) == (422, field)
    assert not room.product.place(room.elin.place).sharing


@pytest.mark.requirement("R022")
def test_one_window_is_shared_at_a_time_also_when_two_begin_at_once(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(product, type_name="advice")
    elin, maja = (product.place(browser.place) for browser in (room.elin, room.maja))
    product.services.room.start_share(elin, "window")
    assert room.maja.post("room/share", {"action": "start", "surface": "window"}).status_code == 409
    room.elin.post("room/share", {"action": "stop"})

    store = product.services.meetings
    meeting, places = store.get(elin.meeting), store.participants(elin.meeting)
    product.services.room.start_share(product.place(elin.id), "window")
    with monkeypatch.context() as patch:
        patch.setattr(store, "get", lambda mid: meeting)  # decided on what was true a moment ago
        patch.setattr(store, "participants", lambda mid: places)
        with pytest.raises(ConflictError):
            product.services.room.start_share(maja, "window")
    assert [place.id for place in store.participants(elin.meeting) if place.sharing] == [elin.id]


# Recording


@pytest.mark.requirement("R020", "R021", "R052", "R099")
@pytest.mark.parametrize("type_name", ["mortgage", "onboarding", "advice", "corporate-fx"])
def test_recording_is_refused_with_a_human_sentence(product: Product, type_name: str) -> None:
    room = Room(product, type_name=type_name)

    for who in (room.elin, room.maja, room.samir):
        answer = who.post("room/record")
        assert rule(answer)
        assert len(answer.get_json()["sentence"]) > 20
        assert room.last.data["act"] == "record.refused"
    assert [call[0] for call in product.conference.calls if call[0] not in ("admit",)] == []


# Raising security


@pytest.mark.requirement("R025")
def test_security_only_goes_up_and_the_media_side_is_told_at_once(room: Room) -> None:
    assert "share_window" in room.may(room.elin)
    assert room.elin.post("room/raise", {"target": "share:off"}).status_code == 200

    assert "share_window" not in room.may(room.elin)
    told = {call[1]: call[2] for call in room.product.conference.calls if call[0] == "permissions"}
    assert set(told) == {browser.place for browser in (room.elin, room.maja, room.samir, room.ture)}
    assert "share_window" not in told[room.elin.place]
    assert told[room.maja.place] == room.may(room.maja)
    for lower in ("share:on", "encryption:transit", "band:low", "band:medium"):
        answer = room.elin.post("room/raise", {"target": lower})
        assert rule(answer) == "raise/cannot-lower", lower
        assert room.product.kinds(room.id)[-2:] == ["security.lowering_refused", "permission.refused"]
    assert [step.target for step in room.meeting.raises] == ["share:off"]


@pytest.mark.requirement("R025")
def test_what_is_raised_already_or_not_offered_is_refused_and_is_no_lowering(room: Room) -> None:
    room.elin.post("room/raise", {"target": "share:off"})

    for target, expected in (
        ("share:off", "raise/already"),
        ("band:high", "raise/already"),
        ("encryption:strict", "bridge/no-end-to-end"),
        ("anything:else", "raise/unknown"),
    ):
        assert rule(room.elin.post("room/raise", {"target": target})) == expected, target
    assert "security.lowering_refused" not in room.product.kinds(room.id)


@pytest.mark.requirement("R011", "R025")
def test_who_showed_less_than_the_raised_meeting_asks_is_out_until_they_show_it(product: Product) -> None:
    booked = product.book(type_name="advice")
    elin = product.opens(booked, ELIN)
    assert elin.joins().status_code == 200
    maja = product.arrives(product.place_of(booked, Capacity.CUSTOMER))
    assert maja.identifies(MAJA, loa=LoA.LOW).get_json()["status"] == "complete"
    assert maja.get("lobby").status_code == 200
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200

    assert elin.post("room/raise", {"target": "band:high"}).status_code == 200

    assert ("expel", maja.place, "identify") in [call[:3] for call in product.conference.calls]
    assert product.place(maja.place).state is ParticipantState.CONSENTED
    assert maja.post("room/token").status_code == 401
    assert maja.get("room", headers={"Accept": "text/html"}).headers["Location"].endswith("/identify")
    assert maja.waits(MAJA).place == maja.place
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200


@pytest.mark.requirement("R025")
def test_who_showed_enough_stays_in_a_raised_meeting_without_a_break(product: Product) -> None:
    room = Room(product, type_name="advice")
    assert room.elin.post("room/raise", {"target": "band:medium"}).status_code == 200

    assert not [call for call in product.conference.calls if call[0] == "expel"]
    assert product.place(room.maja.place).state is ParticipantState.IN_ROOM


@pytest.mark.parametrize("target", ["", "share", "maja.granlid@example.org", "band:high; x", "x" * 60, None, 3])
def test_what_is_no_target_is_refused_by_its_field_and_recorded_nowhere(still: Room, target: object) -> None:
    room = still
    size = room.product.services.audit.size
    answer = room.elin.post("room/raise", {"target": target})

    assert (answer.status_code, answer.get_json()["field"]) == (422, "target")
    assert room.product.services.audit.size == size


@pytest.mark.requirement("R025", "R216")
def test_a_command_that_was_held_up_never_widens_what_a_later_raise_closed(room: Room) -> None:
    """The bridge is down during the first raise and up for the second; the first one's command comes last."""
    conference = room.product.conference
    conference.down = True
    assert room.elin.post("room/raise", {"target": "share:off"}).status_code == 200
    conference.down = False
    assert room.elin.post("room/raise", {"target": "chat:off"}).status_code == 200
    conference.calls.clear()
    room.product.clock.on(seconds=5)
    room.product.worker()

    told = {call[1]: call[2] for call in conference.calls if call[0] == "permissions"}
    assert set(told) == {browser.place for browser in (room.elin, room.maja, room.samir, room.ture)}
    for place, permissions in told.items():
        assert not {"chat", "share_window"} & permissions, place


@pytest.mark.requirement("R107")
def test_strict_encryption_is_offered_only_where_the_media_side_can_keep_it(room: Room) -> None:
    offered = [each["target"] for each in room.elin.get("room/state").get_json()["raises"]]
    assert "encryption:strict" not in offered

    room.product.conference.end_to_end = True
    assert room.elin.post("room/raise", {"target": "encryption:strict"}).status_code == 200
    assert room.elin.get("room/state").get_json()["meeting"]["encryption"] == "strict"


# Others in the room


@pytest.mark.requirement("R129")
def test_muting_is_told_to_the_bridge_and_where_it_cannot_be_is_said_not_to_have_happened(room: Room) -> None:
    mute = {"participant": room.maja.place, "kind": "audio"}
    assert room.elin.post("room/mute", mute).status_code == 200
    assert ("mute", room.maja.place, "audio") in room.product.conference.calls

    room.product.conference.down = True
    assert room.elin.post("room/mute", mute).status_code == 503
    assert room.product.kinds(room.id)[-2:] == ["mute.done", "act.voided"]


@pytest.mark.parametrize(
    ("act", "body", "status"),
    [
        ("mute", {"kind": "audio"}, 422),
        ("mute", {"participant": "$self", "kind": "audio"}, 422),
        ("mute", {"participant": "$maja", "kind": "smell"}, 422),
        ("mute", {"participant": "$maja"}, 422),
        ("expel", {"participant": "$self"}, 422),
        ("expel", {"participant": "p_nobody"}, 404),
        ("expel", {"participant": "$other"}, 404),
        ("expel", {"participant": "../../x"}, 404),
        ("expel", {"participant": 7}, 422),
        ("admit", {"participant": "$maja"}, 409),
        ("admit", {"participant": "$other"}, 409),
        ("deny", {"participant": "$other"}, 409),
        ("admit", {}, 422),
        ("hand", {}, 422),
        ("hand", {"raised": "yes"}, 422),
        ("hand", [], 422),
    ],
)
def test_an_act_on_somebody_or_something_that_is_not_there_is_refused(
    room: Room, act: str, body: Any, status: int
) -> None:
    other = room.product.book(customer=room.product.customer(AGNES))
    waiting = room.product.arrives(room.product.place_of(other, Capacity.CUSTOMER)).waits(AGNES)
    places = {"$maja": room.maja.place, "$self": room.elin.place, "$other": waiting.place}
    sent = (
        {key: places.get(value, value) if isinstance(value, str) else value for key, value in body.items()}
        if body
        else body
    )
    before = room.product.stores()["meetings.participants"]

    assert room.elin.post(f"room/{act}", sent).status_code == status
    assert room.product.stores()["meetings.participants"] == before


def test_a_hand_goes_up_and_down_and_is_seen(room: Room) -> None:
    for raised in (True, False):
        assert room.maja.post("room/hand", {"raised": raised}).status_code == 200
        people = room.elin.get("room/state").get_json()["people"]
        assert next(person["hand"] for person in people if person["id"] == room.maja.place) is raised


@pytest.mark.requirement("R032")
def test_a_guest_can_be_called_in_while_the_meeting_runs(room: Room) -> None:
    body = {"name": AGNES.name, "capacity": "observer", "email": AGNES.email, "national_id": AGNES.number}
    answer = room.elin.post("room/invite", body)
    assert answer.status_code == 200
    room.product.worker()

    assert [sent.address for sent in room.product.channels["email"].sent][-1] == AGNES.email
    agnes = room.product.arrives(room.product.place(answer.get_json()["id"])).waits(AGNES)
    assert room.elin.post("room/admit", {"participant": agnes.place}).status_code == 200
    assert room.may(agnes) == room.may(room.samir)
    for wrong in ({**body, "capacity": "adviser"}, {**body, "national_id": "1"}, {}, {**body, "email": 5}):
        assert room.elin.post("room/invite", wrong).status_code == 422


# The end


@pytest.mark.requirement("R117")
def test_the_end_lets_everybody_out_for_good(room: Room) -> None:
    token = room.maja.post("room/token").get_json()["token"]
    assert room.elin.post("room/end").status_code == 200

    assert room.meeting.state is MeetingState.ENDED
    assert ("end", room.meeting.room, "ended") in room.product.conference.calls
    places = room.product.services.meetings.participants(room.id.id)
    assert {place.state for place in places} == {ParticipantState.LEFT}
    for who in (room.maja, room.samir, room.elin):
        assert rule(who.post("room/token")) == "default/admitted-first"
        assert rule(who.post("room/chat", {"text": "Hej"})) == "default/admitted-first"
        assert who.get("room/state").status_code == 403
        assert who.get("room").status_code == 302
    assert room.maja.post("room/join", {"token": token, "sdp": "v=0"}).status_code == 403
    assert rule(room.elin.post("room/end")) == "default/admitted-first", "twice"
    assert room.product.kinds(room.id).count("meeting.ended") == 1


@pytest.mark.requirement("R078", "R117")
def test_the_parties_get_a_summary_and_an_observer_does_not(room: Room) -> None:
    room.elin.post("room/end")
    room.product.worker()
    room.product.worker()

    sent = {message.address: message for channel in room.product.channels.values() for message in channel.sent}
    assert set(sent) == {MAJA.inbox, TURE.email}
    for message in sent.values():
        assert "sammanställning" in message.subject
        assert "/m/" not in message.text
    assert room.product.kinds(room.id).count("summary.sent") == 2


def test_a_meeting_nobody_ended_is_ended_by_the_worker_once_it_is_empty(room: Room) -> None:
    product = room.product
    product.clock.now = room.meeting.ends_at
    product.clock.on(minutes=29)
    for browser in (room.elin, room.maja, room.samir, room.ture):
        browser.post("room/leave")
    product.clock.on(minutes=2)
    product.worker()
    assert room.meeting.state is MeetingState.OPEN, "they might come back"

    product.clock.on(minutes=30)
    product.worker()

    [ended] = [record for record in product.records(room.id) if record.kind == "meeting.ended"]
    assert (ended.actor, ended.data) == ("system", {"reason": "nobody-left"})


def test_a_meeting_nobody_came_to_is_missed(product: Product) -> None:
    meeting = product.book()
    product.clock.now = meeting.ends_at
    product.clock.on(minutes=29)
    product.worker()
    assert product.meeting(meeting).state is MeetingState.BOOKED

    product.clock.on(minutes=1, seconds=1)
    product.worker()

    assert product.meeting(meeting).state is MeetingState.MISSED
    assert "meeting.missed" in product.kinds(meeting)


# What is kept of it


def _acts_in_the_room(product: Product, type_name: str) -> tuple[Meeting, list[str]]:
    """Hold a short meeting in which something is said and shown; return it and what the log kept of that."""
    meeting = product.book(type_name=type_name)
    elin = product.opens(meeting)
    maja = enters(elin, meeting, Capacity.CUSTOMER, MAJA)
    before = len(product.kinds(meeting))
    assert maja.post("room/hand", {"raised": True}).status_code == 200
    assert elin.post("room/share", {"action": "start", "surface": "window"}).status_code == 200
    if type_name != "advice":
        maja.post("room/chat", {"text": "Ja, det stämmer."})
    maja.post("room/record/start", {"purpose": "anything"})
    return meeting, product.kinds(meeting)[before:]


@pytest.mark.requirement("R018", "R019")
def test_a_low_meetings_log_holds_who_and_when_and_a_higher_ones_what_was_done(product: Product) -> None:
    low, kept = _acts_in_the_room(product, "advice")
    assert not {"hand.raised", "share.started", "chat.sent"} & set(kept)
    assert {"meeting.opened", "participant.joined", "token.minted", "sign_in.completed"} <= set(product.kinds(low))

    _, kept = _acts_in_the_room(product, "onboarding")
    assert {"hand.raised", "share.started"} <= set(kept)


@pytest.mark.requirement("R018", "R025")
def test_refusals_are_kept_at_every_level_and_a_raised_meeting_keeps_more(product: Product) -> None:
    room = Room(product, type_name="advice")
    assert room.samir.post("room/share", {"action": "start", "surface": "monitor"}).status_code == 403
    assert room.last.kind == "permission.refused"

    assert room.elin.post("room/raise", {"target": "band:medium"}).status_code == 200
    assert room.elin.post("room/hand", {"raised": True}).status_code == 200

    assert room.last.kind == "hand.raised"


@pytest.mark.requirement("R020")
@pytest.mark.parametrize("type_name", ["onboarding", "mortgage"])
def test_the_chat_stays_after_the_meeting_only_where_it_is_part_of_the_record(product: Product, type_name: str) -> None:
    room = Room(product, type_name=type_name)
    assert room.maja.post("room/chat", {"text": "Ja, det stämmer."}).status_code == 200
    assert len(room.elin.get("room/state").get_json()["chat"]) == 1

    assert room.elin.post("room/end").status_code == 200

    assert len(product.services.meetings.chat(room.meeting.id)) == (1 if type_name == "mortgage" else 0)
    journal = product.signs_in(ELIN).get(f"/desk/meetings/{room.meeting.id}/journal").text
    assert ("Ja, det stämmer." in journal) is (type_name == "mortgage")

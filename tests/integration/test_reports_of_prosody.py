"""What a shard's Prosody reports: believed by its own key, about its own rooms, once, in whatever order it comes."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.clock import to_text
from sidecar.domain.jws import local_signing_key, new_private_key
from sidecar.domain.meetings import Meeting, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.reports import Reports
from sidecar.testing import MAJA, Browser
from tests.integration.two_shards import TwoShards

DIGEST = "ab" * 32


@dataclass
class Scene:
    """A meeting on the Swedish shard, the adviser and the customer admitted, nobody's media there yet."""

    bank: TwoShards
    meeting: Meeting
    elin: Browser
    maja: Browser
    number: int = 0

    def told(self, kind: str, *, late: float = 0, id: str = "", **data: Any) -> dict[str, Any]:
        """Return an event about Maja. late: seconds since it happened."""
        self.number += 1
        product = self.bank.product
        return {
            "id": id or f"ev_{self.number}",
            "kind": kind,
            "room": product.meeting(self.meeting).room,
            "participant": self.maja.place,
            "at": to_text(product.clock() - timedelta(seconds=late)),
            "data": data,
        }

    def says(self, *events: dict[str, Any] | str, **how: Any) -> None:
        assert self.bank.prosody_says(*events, **how).status_code == 200

    @property
    def state(self) -> ParticipantState:
        return self.bank.product.place(self.maja.place).state

    @property
    def kinds(self) -> list[str]:
        return self.bank.product.kinds(self.meeting)

    @property
    def last(self) -> Any:
        return self.bank.product.records(self.meeting)[-1]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    bank = TwoShards(tmp_path)
    meeting = bank.product.book()
    elin = bank.product.opens(meeting)
    maja = bank.product.arrives(bank.product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    return Scene(bank, meeting, elin, maja)


@pytest.mark.requirement("R117", "R118")
def test_coming_going_and_coming_back_are_recorded_as_they_happen(scene: Scene) -> None:
    before = len(scene.kinds)
    scene.says(scene.told("token.spent", type="customer"), scene.told("media.joined"))
    assert scene.state is ParticipantState.IN_ROOM
    scene.bank.product.clock.on(seconds=60)
    scene.says(scene.told("media.left", reason="left"))
    assert scene.state is ParticipantState.AWAY
    scene.bank.product.clock.on(seconds=5)
    scene.says(scene.told("media.joined"), scene.told("session.ended", reason="session-over"))
    assert scene.state is ParticipantState.AWAY

    assert scene.kinds[before:] == [
        "token.spent",
        "participant.joined",
        "participant.left",
        "media.left",
        "participant.rejoined",
        "participant.session_ended",
        "media.left",
    ]


@pytest.mark.requirement("R118", "R204")
def test_what_was_done_or_refused_past_our_page_is_recorded_without_its_words(scene: Scene) -> None:
    scene.says(scene.told("chat.sent", digest=DIGEST, chars=12))
    assert scene.last.data == {"sha256": DIGEST, "signs": 12, "participant": scene.maja.place}
    scene.says(scene.told("chat.sent_private", digest=DIGEST, chars=3))
    assert scene.last.kind == "chat.sent_private"
    scene.says(scene.told("act.done", type="mute", rule="mute_others", target="p_elin", words="hemligt"))
    assert (scene.last.kind, scene.last.data["permission"]) == ("act.done", "mute_others")
    assert scene.last.data["target"] == "p_elin"
    assert "words" not in scene.last.data
    for kind, data in (
        ("message.dropped", {"type": "iq", "rule": "expel"}),
        ("track.dropped", {"kind": "source", "rule": "share_window"}),
    ):
        scene.says(scene.told(kind) | {"data": data})
        assert (scene.last.kind, scene.last.data["rule"]) == (kind, data["rule"])


def test_a_report_counts_once_also_for_another_process_and_after_a_restart(scene: Scene) -> None:
    joined, line = scene.told("media.joined"), scene.told("chat.sent", digest=DIGEST, chars=1)
    scene.says(joined, line)
    size = scene.bank.product.services.audit.size
    scene.says(joined, line)

    product = scene.bank.product.services
    product.reports = Reports(  # as a process that has just started has it
        acts=product.acts,
        meetings=product.meetings,
        admission=product.admission,
        room=product.room,
        firewall=product.share_firewall,
        clock=product.clock,
    )
    scene.says(line, joined)
    assert product.audit.size == size


def test_a_batch_that_is_sent_again_beside_the_first_is_recorded_once_and_in_order(scene: Scene) -> None:
    """Prosody gives up waiting after five seconds; a sidecar that was merely slow has then two of one batch."""
    events = [scene.told("chat.sent", digest=DIGEST, chars=n) for n in range(1, 11)]
    audit = scene.bank.product.services.audit
    append = audit.append

    def slowly(*records: Any) -> Any:
        time.sleep(0.005)
        return append(*records)

    audit.append = slowly  # type: ignore[method-assign]
    threads = [threading.Thread(target=scene.says, args=events) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    lines = [r.data["signs"] for r in scene.bank.product.records(scene.meeting) if r.kind == "chat.sent"]
    assert lines == list(range(1, 11))
    assert "act.voided" not in scene.kinds


def test_a_report_that_comes_late_changes_nothing_that_is_newer(scene: Scene) -> None:
    """After an outage: she had lost her network, was back before Prosody could tell, and the two came in any order."""
    clock = scene.bank.product.clock
    scene.says(scene.told("media.joined"))
    clock.on(seconds=3600)
    scene.says(scene.told("media.joined", late=10))
    scene.says(scene.told("media.left", late=20, reason="left"))
    assert scene.state is ParticipantState.IN_ROOM
    assert scene.kinds[-1] == "media.left"
    assert scene.last.data["happened_at"] == to_text(clock() - timedelta(seconds=20))

    scene.says(scene.told("media.left", reason="left"))
    scene.says(scene.told("media.joined", late=5))
    assert scene.state is ParticipantState.AWAY

    future = scene.told("media.joined")
    future["at"] = to_text(clock() + timedelta(days=1))
    scene.says(future)
    clock.on(seconds=1)
    scene.says(scene.told("media.left", reason="left"))
    assert scene.state is ParticipantState.AWAY, "a clock that runs ahead locks nobody in"


@pytest.mark.requirement("R011", "R216")
def test_who_is_in_without_being_admitted_is_put_out_at_once(scene: Scene) -> None:
    scene.elin.post("room/expel", {"participant": scene.maja.place})
    conference = scene.bank.product.conference
    conference.calls.clear()

    scene.says(scene.told("media.joined"))

    assert conference.calls == [("expel", scene.maja.place, "expelled")]
    assert scene.state is ParticipantState.EXPELLED
    assert scene.last.kind == "token.refused"


@pytest.mark.requirement("R025")
def test_whoever_comes_with_a_token_from_before_a_raise_is_given_what_is_left(scene: Scene) -> None:
    assert scene.elin.post("room/raise", {"target": "chat:off"}).status_code == 200
    conference = scene.bank.product.conference
    conference.calls.clear()

    scene.says(scene.told("media.joined"))

    [(command, whom, permissions)] = conference.calls
    assert (command, whom) == ("permissions", scene.maja.place)
    assert "chat" not in permissions


def test_another_shards_prosody_has_no_word_about_this_meeting(scene: Scene) -> None:
    size = scene.bank.product.services.audit.size
    scene.says(scene.told("media.joined"), shard="fi")
    other = scene.told("media.joined")
    other["room"] = "se-another"
    scene.says(other)

    assert scene.state is ParticipantState.ADMITTED
    assert scene.bank.product.services.audit.size == size


def test_a_report_is_believed_by_its_own_key_and_name_only(scene: Scene) -> None:
    bank, event = scene.bank, scene.told("media.joined")
    stranger = local_signing_key("ES256", new_private_key("ES256"))
    ours = bank.product.services.ring.signing_key("control")

    assert bank.prosody_says(event, key=stranger).status_code == 401
    assert bank.prosody_says(event, key=ours).status_code == 401, "our own commands' key reports nothing"
    assert bank.prosody_says(event, shard="fi", name="prosody-se").status_code == 401
    assert bank.prosody_says(event, name="tillit-bridge").status_code == 401
    assert scene.state is ParticipantState.ADMITTED
    assert bank.prosody_says(event).status_code == 200


@pytest.mark.parametrize(
    "poison",
    [
        {"kind": "chat.sent", "data": {"digest": "ab", "chars": 1}},
        {"kind": "chat.sent", "data": {"digest": DIGEST, "chars": "12"}},
        {"kind": "chat.sent", "data": {"digest": DIGEST, "chars": -1}},
        {"kind": "chat.sent", "data": {"digest": "maja.granlid@example.org", "chars": 1}},
        {"kind": "chat.sent", "data": None},
        {"kind": "act.done", "data": {"type": "199002142389", "rule": "x"}},
        {"kind": "media.joined", "at": "yesterday"},
        {"kind": "media.joined", "participant": {"a": 1}},
        {"kind": ["media.joined"]},
        {"kind": "unheard.of"},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_recorded_does_not_hold_up_the_next(scene: Scene, poison: dict[str, Any]) -> None:
    scene.says(scene.told("token.spent") | poison, "no event", scene.told("media.joined"))
    assert scene.state is ParticipantState.IN_ROOM


def test_a_report_is_taken_again_where_the_log_failed(scene: Scene) -> None:
    event = scene.told("media.joined")
    with scene.bank.product.dead_audit():
        assert scene.bank.prosody_says(event).status_code == 503
    assert scene.state is ParticipantState.ADMITTED
    scene.says(event)
    assert scene.state is ParticipantState.IN_ROOM

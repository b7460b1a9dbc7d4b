"""A recording from the question to the destroyed key: who is asked, what refuses, what stops it, what is logged."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.adapters.recording_vault import FileRecordings
from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import MeetingId, RecordingId, RoomName, StaffId, new_id
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Raise
from sidecar.domain.recordings import Hold, HoldReason, Recording, RecordingState
from sidecar.plugin_api import LANGUAGES
from sidecar.recorder.sealed import SealedReader, SealedWriter
from sidecar.recorder.session import Session
from sidecar.services.playback import PAGE
from sidecar.services.ports import ConferenceUnavailableError, OutboundMessage
from sidecar.testing import AGNES, COLM, ELIN, FRIDA, SAMIR, TURE, Browser, Product, guest
from tests.integration.journey_steps import enters

LAW = "mifid-ii-16-7"


class Room:
    """A currency meeting with a company, its observer outside until a test lets him in."""

    def __init__(self, product: Product, *, type_name: str = "corporate-fx") -> None:
        self.product = product
        customer = product.customer(AGNES, segment="corporate")
        guests = [guest(SAMIR), guest(TURE, Capacity.REPRESENTATIVE)]
        self.booked = product.book(type_name=type_name, adviser=FRIDA, customer=customer, guests=guests)
        self.frida = product.opens(self.booked, FRIDA)
        assert self.frida.joins().status_code == 200
        self.agnes = self.enters(Capacity.CUSTOMER, AGNES)

    def enters(self, capacity: Capacity, who: Any) -> Browser:
        return enters(self.frida, self.booked, capacity, who)

    @property
    def meeting(self) -> Meeting:
        return self.product.meeting(self.booked)

    @property
    def recording(self) -> Recording:
        return self.product.services.meetings.recordings(meeting=self.booked.id)[0]

    def asks(self, **changed: Any) -> TestResponse:
        day = (self.product.clock().date() + timedelta(days=100)).isoformat()
        return self.frida.post(
            "room/recording", {"purpose": "client-order", "reference": LAW, "delete_on": day} | changed
        )

    def running(self, **changed: Any) -> Recording:
        asked = self.asks(**changed)
        assert asked.status_code == 200, asked.text
        assert asked.get_json()["state"] == "asking"
        assert self.agnes.post("room/recording/answer", {"yes": True}).get_json()["state"] == "running"
        return self.recording

    def commands(self) -> list[str]:
        return [call[0] for call in self.product.conference.calls if call[0] in ("record", "allow", "stop")]

    def works(self, *, seconds: int) -> None:
        """Let the worker do its rounds for a while."""
        for _ in range(seconds // 5):
            self.product.clock.on(seconds=5)
            self.product.worker()

    def tells(self, kind: str, number: int = 1, **data: Any) -> None:
        event = {
            "id": f"ev_{kind}{number}",
            "kind": f"recording.{kind}",
            "room": self.meeting.room,
            "participant": "",
            "at": "2026-11-24T12:00:00.000Z",
            "data": {"recording": self.recording.id, "position_ms": 5000} | data,
        }
        assert self.product.bridge_says(event).status_code == 200


@pytest.fixture
def room(product: Product) -> Room:
    return Room(product)


def refused(answer: TestResponse) -> tuple[str, str]:
    assert answer.status_code == 403, answer.text
    found = answer.get_json()
    return str(found["rule"]), str(found["sentence"])


@pytest.mark.requirement("R021", "R099", "R208")
@pytest.mark.parametrize(
    ("missing", "rule", "says"),
    [
        ({"purpose": ""}, "purposes", "syfte"),
        ({"purpose": "curiosity"}, "purposes", "syfte"),
        ({"reference": ""}, "references", "lag"),
        ({"reference": "the-moon"}, "references", "lag"),
        ({"delete_on": ""}, "retention", "dag"),
        ({"delete_on": "2020-01-01"}, "retention", "framtiden"),
        ({"delete_on": "2099-01-01"}, "retention", "tidigare dag"),
    ],
)
def test_each_thing_that_is_missing_refuses_by_name_and_is_recorded(
    room: Room, missing: dict[str, str], rule: str, says: str
) -> None:
    found = refused(room.asks(**missing))

    assert found[0] == f"corporate-fx@1/recording/{rule}"
    assert says in found[1]
    assert room.product.records(room.booked)[-1].kind == "permission.refused"
    assert room.product.records(room.booked)[-1].data["act"] == "record.refused"
    assert room.commands() == []
    assert room.product.services.meetings.recordings(meeting=room.booked.id) == []


@pytest.mark.requirement("R099", "R208")
def test_nothing_begins_before_everybody_said_yes_and_who_is_missing_is_named(room: Room) -> None:
    assert room.asks().get_json()["state"] == "asking"

    room.works(seconds=10)

    assert room.frida.get("room/state").get_json()["recording"]["waiting"] == [AGNES.name]
    assert room.commands() == []
    assert AGNES.name not in str([each.data for each in room.product.records(room.booked)])
    assert room.agnes.post("room/recording/answer", {"yes": True}).get_json()["state"] == "running"
    assert room.commands() == ["record"]
    kinds = room.product.kinds(room.booked)
    for kind in ("recording.asked", "recording.consented", "recording.started"):
        assert kinds.count(kind) == 1


@pytest.mark.requirement("R066", "R208")
def test_everybody_sees_purpose_law_and_deletion_date_before_they_answer_and_while_it_runs(room: Room) -> None:
    room.asks()
    asked = room.agnes.get("room/state").get_json()

    assert asked["recording"]["mine"] is None
    assert "MiFID" in asked["recording"]["law"]
    assert asked["recording"]["purpose"]
    assert asked["recording"]["until"] not in asked["meeting"]["promise"]
    room.agnes.post("room/recording/answer", {"yes": True})
    for who in (room.frida, room.agnes):
        state = who.get("room/state").get_json()
        assert state["recording"]["state"] == "running"
        assert state["recording"]["until"] in state["meeting"]["promise"]
    assert room.agnes.get("room/state").get_json()["recording_form"] is None


def test_where_the_media_side_has_no_recorder_the_question_is_refused_and_nobody_is_asked(room: Room) -> None:
    room.product.conference.has_recorder = False

    assert refused(room.asks())[0] == "recording/no-recorder-here"
    assert room.frida.get("room/state").get_json()["recording_form"] is None
    assert room.agnes.get("room/state").get_json()["recording"] is None


def test_a_yes_that_found_no_recorder_counts_once_it_is_back_and_the_log_is_not_filled_meanwhile(room: Room) -> None:
    room.asks()
    room.product.conference.down = True
    assert room.agnes.post("room/recording/answer", {"yes": True}).status_code == 503
    tried = room.product.kinds(room.booked).count("recording.started")
    for _ in range(3):
        room.product.worker()
        room.product.clock.on(seconds=10)
    assert room.product.kinds(room.booked).count("recording.started") == tried

    room.product.conference.down = False
    room.product.worker()

    assert room.recording.state is RecordingState.RUNNING


def test_only_who_may_record_can_ask_or_stop(room: Room) -> None:
    body = {"purpose": "client-order", "reference": LAW, "delete_on": "2027-01-01"}
    refused(room.agnes.post("room/recording", body))
    room.running()

    refused(room.agnes.post("room/recording/stop"))

    assert room.recording.state is RecordingState.RUNNING


def test_there_is_one_recording_at_a_time(room: Room) -> None:
    room.running()

    assert refused(room.asks())[0] == "recording/one-at-a-time"


@pytest.mark.requirement("R208")
def test_a_yes_taken_back_stops_it_for_everybody(room: Room) -> None:
    room.running()

    answer = room.agnes.post("room/recording/answer", {"yes": False})

    assert answer.get_json()["state"] == "stopped"
    assert room.commands() == ["record", "stop"]
    assert room.product.kinds(room.booked)[-2:] == ["recording.withdrawn", "recording.stopped"]
    assert room.agnes.get("room/state").get_json()["recording"] is None


@pytest.mark.requirement("R208")
def test_a_no_before_the_start_means_no_recording_and_no_key(room: Room) -> None:
    room.asks()

    assert room.agnes.post("room/recording/answer", {"yes": False}).get_json()["state"] == "cancelled"
    assert room.commands() == []
    assert list((room.product.folder / "data" / "recordings").glob("*")) == []


def test_whoever_asked_is_told_that_somebody_said_no_or_took_their_yes_back_and_nobody_else_is(room: Room) -> None:
    room.asks()
    assert room.frida.get("room/state").get_json()["alerts"] == []
    room.agnes.post("room/recording/answer", {"yes": False})
    [said_no] = room.frida.get("room/state").get_json()["alerts"]
    room.product.clock.on(seconds=5)
    room.running()
    room.agnes.post("room/recording/answer", {"yes": False})
    took_back, before = room.frida.get("room/state").get_json()["alerts"]

    assert said_no["sentence"] == f"{AGNES.name} vill inte att mötet spelas in."
    assert took_back["sentence"].startswith(f"{AGNES.name} tog tillbaka sitt ja")
    assert before == said_no
    assert took_back["id"] != said_no["id"], "the page would not show the second"
    assert room.agnes.get("room/state").get_json()["alerts"] == []


@pytest.mark.requirement("R208")
def test_a_late_joiner_is_asked_and_the_page_says_that_it_pauses_meanwhile(room: Room) -> None:
    room.running()
    ture = room.enters(Capacity.REPRESENTATIVE, TURE)
    state = ture.get("room/state").get_json()["recording"]

    assert state["state"] == "paused"
    assert state["mine"] is None
    assert state["waiting"] == [TURE.name]
    room.tells("paused")
    assert room.recording.state is RecordingState.PAUSED
    assert ture.post("room/recording/answer", {"yes": True}).status_code == 200
    assert ture.place in room.product.conference.calls[-1][2]
    room.tells("resumed")
    kinds = room.product.kinds(room.booked)
    assert kinds.index("recording.paused") < kinds.index("recording.resumed")
    assert room.recording.state is RecordingState.RUNNING


def test_what_the_recorder_says_twice_or_of_a_room_that_is_not_its_own_changes_nothing(room: Room) -> None:
    room.running()
    room.tells("stopped", reason="disk-full")
    room.tells("stopped", 2, reason="disk-full")
    event = {
        "id": "ev_x", "kind": "recording.resumed", "room": "another", "participant": "", "at": "2026-11-24T12:00:00Z",
        "data": {"recording": room.recording.id, "position_ms": 1},
    }  # fmt: skip
    room.product.bridge_says(event, event | {"id": "ev_y", "data": "nonsense"}, event | {"id": "ev_z", "data": {}})

    assert room.product.kinds(room.booked).count("recording.stopped") == 1
    assert room.recording.stop_reason == "disk-full"
    assert room.recording.length_ms == 5000


@pytest.mark.requirement("R208")
def test_a_recording_that_broke_off_is_told_to_the_adviser_and_the_meeting_goes_on(room: Room) -> None:
    room.running()
    room.tells("stopped", reason="disk-full")

    alerts = {who.place: who.get("room/state").get_json()["alerts"] for who in (room.frida, room.agnes)}

    assert ["tekniska skäl" in each["sentence"] for each in alerts[room.frida.place]] == [True]
    assert alerts[room.agnes.place] == []
    assert room.agnes.post("room/chat", {"text": "Hej"}).status_code == 200


@pytest.mark.requirement("R066", "R208")
def test_the_page_after_the_meeting_says_when_the_recording_is_deleted(room: Room) -> None:
    room.running()
    assert room.frida.post("room/end").status_code == 200

    page = room.agnes.get("left")

    assert "spelades in" in page.text
    assert "4 mars 2027" in page.text


def recordable(folder: Path, *, raises: str = "") -> Room:
    """A meeting of a bank's own type of the medium band: none of the shipped ones is recorded and can be raised."""
    shutil.copytree(SHIPPED, folder / "policy")
    own = folder / "policy" / "types" / "onboarding-1.toml"
    text = own.read_text("utf-8")
    for before, after in (
        ('segments = ["private"]', 'segments = ["private", "corporate"]'),
        ('packages = ["customer-service"', 'packages = ["fx-desk", "customer-service"'),
        (
            '[recording]\nrule = "never"',
            '[recording]\nrule = "justified"\npurposes = ["client-order"]\nretention_days = 200',
        ),
    ):
        assert before in text
        text = text.replace(before, after)
    if raises:
        text = re.sub(r"^raises = .*$", f"raises = {raises}", text, flags=re.M)
        words = "".join(f'{language} = "MiFID II"\n' for language in LANGUAGES)
        text += (
            f'\n[[recording.references]]\nname = "{LAW}"\nretention_days = 200\n[recording.references.text]\n{words}'
        )
    own.write_text(
        text + '\n[[grant]]\nto = ["adviser"]\nmay = ["record"]\n[grant.because]\nsv = "Ja."\nen = "Yes."\n', "utf-8"
    )
    (folder / "bank").mkdir()
    room = Room(Product(folder / "bank", policy=load_policy(folder / "policy")), type_name="onboarding")
    room.product.conference.end_to_end = True
    return room


@pytest.mark.requirement("R107", "R208")
def test_raising_to_strict_encryption_stops_the_recording_first(tmp_path: Path) -> None:
    room = recordable(tmp_path)
    running = room.running(reference="")

    answer = room.frida.post("room/raise", {"target": "encryption:strict"})

    assert answer.status_code == 200, answer.text
    assert (room.recording.id, room.recording.state) == (running.id, RecordingState.STOPPED)
    assert room.recording.stop_reason == "raised"
    assert room.commands() == ["record", "stop"]
    kinds = room.product.kinds(room.booked)
    assert kinds.index("recording.stopped") < kinds.index("security.raised")
    assert room.asks().status_code == 403, "a strict meeting was recorded"


@pytest.mark.requirement("R107", "R208")
@pytest.mark.parametrize("stopped_before", [False, True])
def test_nothing_is_raised_to_strict_while_a_recorder_could_not_be_told_to_stop(
    tmp_path: Path, stopped_before: bool
) -> None:
    """Else the meeting says that nobody but its people hears it, and a recorder does."""
    room = recordable(tmp_path)
    room.running(reference="")
    room.product.conference.down = True
    if stopped_before:
        assert room.frida.post("room/recording/stop").status_code == 200

    assert room.frida.post("room/raise", {"target": "encryption:strict"}).status_code == 503

    assert room.meeting.raises == ()
    assert room.recording.state is RecordingState.STOPPED
    room.product.conference.down = False
    assert room.frida.post("room/raise", {"target": "encryption:strict"}).status_code == 200
    assert room.product.conference.recordings == {}
    assert [each.target for each in room.meeting.raises] == ["encryption:strict"]


@pytest.mark.requirement("R021", "R208")
@pytest.mark.parametrize(("law", "state"), [("", RecordingState.STOPPED), (LAW, RecordingState.RUNNING)])
def test_raised_to_the_high_band_only_a_recording_under_a_law_goes_on(
    tmp_path: Path, law: str, state: RecordingState
) -> None:
    room = recordable(tmp_path, raises='["band:high", "share:off"]')
    room.running(reference=law)
    assert room.frida.post("room/raise", {"target": "share:off"}).status_code == 200
    assert room.recording.state is RecordingState.RUNNING

    assert room.frida.post("room/raise", {"target": "band:high"}).status_code == 200

    assert room.recording.state is state
    assert bool(room.product.conference.recordings) is (state is RecordingState.RUNNING)


def test_a_question_the_meeting_was_raised_past_begins_nothing(tmp_path: Path) -> None:
    """Both at the same moment: the raise looked before the question was there."""
    room = recordable(tmp_path)
    room.asks(reference="")
    strict = Raise("encryption:strict", room.product.clock(), "st_frida")
    room.product.services.meetings.write(lambda tx: tx.save_meeting(replace(room.meeting, raises=(strict,))))

    assert room.agnes.post("room/recording/answer", {"yes": True}).get_json()["state"] == "cancelled"

    assert room.commands() == []


@pytest.mark.requirement("R107")
def test_of_a_raise_and_a_start_at_the_same_moment_one_has_to_look_again(tmp_path: Path) -> None:
    """The start claims the recording after the raise has looked for one, and before it is saved."""
    room = recordable(tmp_path)
    room.asks(reference="")
    recordings = room.product.services.recordings
    look = recordings.before_raise

    def before_raise(raised: Meeting, *, actor: str) -> None:
        look(replace(raised, id=MeetingId("m_another")), actor=actor)  # there was none when it looked
        assert room.agnes.post("room/recording/answer", {"yes": True}).get_json()["state"] == "running"

    recordings.before_raise = before_raise  # type: ignore[method-assign]
    assert room.frida.post("room/raise", {"target": "encryption:strict"}).status_code == 409
    assert room.meeting.raises == ()
    recordings.before_raise = look  # type: ignore[method-assign]
    assert room.frida.post("room/raise", {"target": "encryption:strict"}).status_code == 200
    assert room.recording.state is RecordingState.STOPPED


def test_a_recorder_that_was_lost_is_noticed_and_what_it_wrote_can_be_watched(room: Room) -> None:
    room.running()
    gives_media(room, ended=False)
    room.product.conference.recordings.clear()

    room.works(seconds=45)

    assert room.recording.state is RecordingState.STOPPED
    assert room.recording.stop_reason == "lost"
    colm = room.product.signs_in(COLM)
    opened = colm.post(f"/desk/recordings/{room.recording.id}/open").get_json()
    assert opened["complete"] is False
    assert opened["duration_ms"] > 9000
    assert colm.get(f"{opened['url']}0").data.startswith(b"\x1a\x45\xdf\xa3")


@pytest.mark.requirement("R208")
def test_a_recorder_that_is_away_counts_as_recording_until_it_must_have_stopped_and_is_told_when_it_is_back(
    room: Room,
) -> None:
    """Away for us, it may hear the room very well: the pages say so, and a yes can be taken back all the while."""
    room.running()
    room.product.conference.down = True

    room.works(seconds=60)
    assert room.agnes.get("room/state").get_json()["recording"]["state"] == "running"
    room.works(seconds=40)
    assert (room.recording.state, room.recording.stop_reason) == (RecordingState.STOPPED, "lost")
    assert not room.recording.confirmed
    room.product.conference.down = False
    room.works(seconds=15)

    assert room.product.conference.recordings == {}, "it records on, and nobody sees it"
    assert room.recording.confirmed
    assert room.product.kinds(room.booked).count("recording.stopped") == 1


@pytest.mark.requirement("R208")
def test_a_yes_taken_back_while_the_recorder_is_away_reaches_it_once_it_is_back(room: Room) -> None:
    room.running()
    room.product.conference.down = True
    room.works(seconds=60)

    assert room.agnes.post("room/recording/answer", {"yes": False}).get_json()["state"] == "stopped"
    room.product.conference.down = False
    room.works(seconds=5)

    assert room.product.conference.recordings == {}


def test_a_recorder_that_never_comes_back_leaves_a_recording_that_can_be_opened(room: Room) -> None:
    room.running()
    gives_media(room, ended=False)
    room.product.conference.down = True
    room.frida.post("room/recording/stop")
    colm = room.product.signs_in(COLM)
    assert colm.post(f"/desk/recordings/{room.recording.id}/open").status_code == 409

    room.works(seconds=90)

    assert colm.post(f"/desk/recordings/{room.recording.id}/open").get_json()["complete"] is False


def test_a_shard_that_does_not_answer_is_waited_for_once_a_look(room: Room) -> None:
    """Each silent recorder takes seconds; the others are to be asked within the minute they wait."""
    room.running()
    more = [replace(room.recording, id=RecordingId(new_id("rec"))) for _ in range(20)]
    room.product.services.meetings.write(lambda tx: [tx.add_recording(each) for each in more])
    asked: list[str] = []

    def silent(where: RoomName) -> dict[str, Any]:
        asked.append(where)
        raise ConferenceUnavailableError

    room.product.conference.recording_state = silent  # type: ignore[method-assign]
    room.works(seconds=5)

    assert len(asked) == 1


def test_slow_deliveries_do_not_keep_the_worker_from_asking_after_a_recording(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail server that answers late would end every recording: nobody asks after it meanwhile."""
    room.running()
    for _ in range(4):
        room.product.book()
    conference, clock = room.product.conference, room.product.clock
    clock.on(seconds=15)  # within ten seconds a booking can be taken back, and nothing is sent
    began, asked = clock(), list[datetime]()
    seen = conference.recording_state

    def state(where: RoomName) -> Mapping[str, Any]:
        asked.append(clock())
        return seen(where)

    def late(message: OutboundMessage) -> str:
        clock.on(seconds=30)
        return "sent"

    monkeypatch.setattr(conference, "recording_state", state)
    for channel in room.product.channels.values():
        monkeypatch.setattr(channel, "send", late)

    room.product.worker()

    assert clock() - began >= timedelta(seconds=120), "nothing was delivered late"
    gaps = [after - before for before, after in pairwise([began, *asked, clock()])]
    assert max(gaps) <= timedelta(seconds=30)


@pytest.mark.requirement("R208")
def test_two_processes_that_begin_at_once_leave_one_recording_with_its_key(room: Room) -> None:
    """The last yes reaches the web process; between its key and its commit the worker looks as well."""
    room.asks()
    conference = room.product.conference
    start = conference.start_recording

    def while_it_starts(**wanted: Any) -> None:
        start(**wanted)
        room.works(seconds=10)

    conference.start_recording = while_it_starts  # type: ignore[method-assign]
    assert room.agnes.post("room/recording/answer", {"yes": True}).get_json()["state"] == "running"

    assert room.commands() == ["record"]
    assert conference.recordings == {room.meeting.room: room.recording.id}
    assert len(list((room.product.folder / "data" / "recordings").glob("*.key"))) == 1
    kinds = room.product.kinds(room.booked)
    assert (kinds.count("recording.started"), kinds.count("act.voided")) == (1, 0)


@pytest.mark.requirement("R208")
def test_a_no_while_it_starts_leaves_neither_recording_nor_key(room: Room) -> None:
    room.asks()
    conference = room.product.conference
    start = conference.start_recording

    def while_it_starts(**wanted: Any) -> None:
        start(**wanted)
        assert room.agnes.post("room/recording/answer", {"yes": False}).get_json()["state"] == "cancelled"

    conference.start_recording = while_it_starts  # type: ignore[method-assign]
    assert room.agnes.post("room/recording/answer", {"yes": True}).status_code == 409

    assert room.recording.state is RecordingState.CANCELLED
    assert conference.recordings == {}
    assert list((room.product.folder / "data" / "recordings").glob("*.key")) == []


class KilledError(BaseException):
    """The process that was doing something is no more."""


@pytest.mark.requirement("R208")
def test_a_start_whose_process_was_killed_is_cleared_away_and_can_be_asked_for_anew(room: Room) -> None:
    room.asks()
    conference = room.product.conference
    start = conference.start_recording

    def killed(**wanted: Any) -> None:
        start(**wanted)
        raise KilledError

    conference.start_recording = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        room.agnes.post("room/recording/answer", {"yes": True})
    assert room.recording.state is RecordingState.STARTING
    assert room.agnes.get("room/state").get_json()["recording"]["state"] == "asking"
    conference.start_recording = start  # type: ignore[method-assign]

    room.works(seconds=50)

    assert (room.recording.state, room.recording.stop_reason) == (RecordingState.CANCELLED, "failed")
    assert conference.recordings == {}
    assert list((room.product.folder / "data" / "recordings").glob("*")) == []
    assert "tekniska skäl" in str(room.frida.get("room/state").get_json()["alerts"])
    room.running()


def test_what_a_recorder_records_that_is_over_here_is_stopped_before_anything_new_begins(room: Room) -> None:
    room.asks()
    room.product.conference.recordings[room.meeting.room] = "rec_nobody_knows_any_more"

    room.works(seconds=5)

    assert room.product.conference.recordings == {}


def test_a_recorder_that_could_not_be_told_is_told_again(room: Room) -> None:
    room.running()
    room.product.conference.down = True
    assert room.frida.post("room/recording/stop").get_json()["state"] == "stopped"
    assert room.commands() == ["record"]

    room.product.conference.down = False
    room.product.worker()

    assert room.commands() == ["record", "stop"]


def test_where_the_recorder_does_not_answer_nothing_begins_and_no_key_stays(room: Room) -> None:
    room.asks()
    room.product.conference.down = True

    assert room.agnes.post("room/recording/answer", {"yes": True}).status_code == 503

    assert list((room.product.folder / "data" / "recordings").glob("*.key")) == []
    assert room.recording.state is RecordingState.ASKING
    assert room.product.kinds(room.booked)[-1] == "act.voided"


# Its end


def stopped(room: Room, *, reason: str = "stopped") -> Recording:
    room.running()
    if reason == "stopped":
        assert room.frida.post("room/recording/stop").status_code == 200
    room.tells("stopped", reason=reason)
    return room.recording


def gives_media(room: Room, *, ended: bool = True, others: int = 0) -> None:
    """Put in place what the recorder would have written: ten seconds of one voice. ended: it was closed properly.

    others: so many more came before it, of people nobody knows any more.
    """
    folder = room.product.folder / "data" / "recordings"
    dek = room.product.conference.deks[room.recording.id]
    session = Session(recording=room.recording.id, now=0.0, at="2026-11-24T12:00:00.000Z")
    for number in range(others):
        other = session.track(f"p_gone{number}", "microphone", "opus")
        session.take(other, [(n, 111, n * 960, b"\xf8\xff\xfe", n / 50) for n in range(10)], 0.3)
    track = session.track(room.agnes.place, "microphone", "opus")
    session.take(track, [(n, 111, n * 960, b"\xf8\xff\xfe", n / 50) for n in range(500)], 10.0)
    path = folder / f"{room.recording.id}.rec"
    path.unlink(missing_ok=True)
    writer = SealedWriter(path, recording=room.recording.id, dek=dek)
    written = session.finish(10.0, "2026-11-24T12:00:10.000Z", reason="stopped") if ended else session.flush()
    for kind, data in written:
        writer.append(kind, data)
    writer.close()


@pytest.mark.requirement("R103", "R104", "R208")
def test_each_second_handed_out_was_written_down_before_under_the_viewers_own_mark(room: Room) -> None:
    recording = stopped(room)
    gives_media(room)
    colm = room.product.signs_in(COLM)
    opened = colm.post(f"/desk/recordings/{recording.id}/open").get_json()
    assert (opened["parts"], opened["duration_ms"], opened["complete"]) == (3, 10_000, True)

    parts = [colm.get(f"{opened['url']}{number}") for number in (0, 2)]

    assert [answer.status_code for answer in parts] == [200, 200]
    assert all(answer.data.startswith(b"\x1a\x45\xdf\xa3") for answer in parts)
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in parts)
    entries = [each.data for each in room.product.records(room.booked) if each.kind == "recording.watched"]
    assert [(each["from_s"], each["to_s"]) for each in entries] == [(0, 4), (8, 10)]
    with room.product.dead_audit():
        assert colm.get(f"{opened['url']}1").status_code == 503
    assert colm.get(f"{opened['url']}3").status_code == 404
    assert room.product.signs_in(FRIDA).get(f"{opened['url']}0").status_code == 404
    assert AGNES.name not in str(room.product.records(room.booked)[-1].data)


def test_whoever_watches_reads_whose_stream_found_no_room_in_the_recording(room: Room) -> None:
    recording = stopped(room)
    gives_media(room, others=48)
    colm = room.product.signs_in(COLM)

    for _ in range(2):  # the second time from the index
        opened = colm.post(f"/desk/recordings/{recording.id}/open").get_json()
        assert opened["complete"] is True
        assert opened["left_out"] == f"En ström fick inte plats i inspelningen och saknas: {AGNES.name}."


def test_a_recording_is_not_opened_before_the_recorder_has_closed_it(room: Room) -> None:
    """Read while its end is on its way to the disk, it would be taken for one that broke off."""
    room.running()
    room.frida.post("room/recording/stop")
    gives_media(room)
    colm = room.product.signs_in(COLM)

    assert colm.post(f"/desk/recordings/{room.recording.id}/open").status_code == 409
    room.tells("stopped", reason="stopped")
    assert colm.post(f"/desk/recordings/{room.recording.id}/open").get_json()["complete"] is True


def test_a_recording_that_was_changed_is_not_played(room: Room) -> None:
    recording = stopped(room)
    gives_media(room)
    path = room.product.folder / "data" / "recordings" / f"{recording.id}.rec"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)

    answer = room.product.signs_in(COLM).post(f"/desk/recordings/{recording.id}/open")

    assert answer.status_code == 409
    assert answer.get_json()["type"] == "/problems#recording-damaged"


@pytest.mark.requirement("R100", "R208")
def test_one_changed_byte_in_a_recording_that_was_closed_properly_is_no_end_but_damage(room: Room) -> None:
    """The kind of a record in the middle: what follows it would be left out, and the viewer told that it broke off."""
    recording = stopped(room)
    gives_media(room)
    path = room.product.folder / "data" / "recordings" / f"{recording.id}.rec"
    whole = path.read_bytes()
    with SealedReader(path, recording=recording.id, dek=room.product.conference.deks[recording.id]) as reader:
        middle = [record.offset for record in reader.records()][2]
    path.write_bytes(whole[:middle] + b"\x63" + whole[middle + 1 :])
    colm = room.product.signs_in(COLM)

    answer = colm.post(f"/desk/recordings/{recording.id}/open")

    assert answer.status_code == 409
    assert answer.get_json()["type"] == "/problems#recording-damaged"
    assert colm.get(f"/desk/recordings/{recording.id}/file").status_code in (403, 409)
    path.write_bytes(whole)
    opened = colm.post(f"/desk/recordings/{recording.id}/open").get_json()
    assert (opened["complete"], opened["duration_ms"]) == (True, 10_000), "what was wrong before was kept"
    path.write_bytes(whole[:middle])
    assert colm.get(f"{opened['url']}2").status_code == 409


def test_a_recording_that_broke_off_is_read_again_and_nothing_is_kept_of_that_it_has_no_end(room: Room) -> None:
    recording = stopped(room, reason="disk-full")
    gives_media(room, ended=False)
    colm = room.product.signs_in(COLM)

    opened = colm.post(f"/desk/recordings/{recording.id}/open").get_json()

    assert opened["complete"] is False
    assert list((room.product.folder / "data" / "recordings").glob("*.idx*")) == []
    gives_media(room)
    assert colm.post(f"/desk/recordings/{recording.id}/open").get_json()["complete"] is True


def test_what_the_recorder_says_of_its_end_counts_more_than_what_was_wished_here(room: Room) -> None:
    """Somebody presses stop at the moment the disk is full: the file lacks its end, and nobody changed it."""
    room.running()
    room.frida.post("room/recording/stop")
    gives_media(room, ended=False)
    room.tells("stopped", reason="disk-full")

    answer = room.product.signs_in(COLM).post(f"/desk/recordings/{room.recording.id}/open")

    assert answer.get_json()["complete"] is False


@pytest.mark.requirement("R102", "R208")
def test_at_its_date_the_key_is_destroyed_and_an_entry_stays(room: Room) -> None:
    recording = stopped(room)
    folder = room.product.folder / "data" / "recordings"
    assert [path.suffix for path in folder.iterdir()] == [".key"]
    vault = FileRecordings(folder, kek=b"0" * 32)
    room.product.worker()
    assert room.recording.state is RecordingState.STOPPED

    room.product.clock.now = recording.delete_at
    room.product.worker()
    room.product.worker()

    assert room.recording.state is RecordingState.DELETED
    assert list(folder.iterdir()) == []
    entries = [each for each in room.product.records(room.booked) if each.kind == "recording.deleted"]
    assert [each.data["recording"] for each in entries] == [recording.id]
    with pytest.raises(NotFoundError):
        vault.outline(recording.id)


@pytest.mark.requirement("R102", "R208")
def test_a_legal_hold_suspends_deletion_with_a_reason_and_an_owner(room: Room) -> None:
    recording = stopped(room)
    colm = room.product.signs_in(COLM)
    assert colm.post(f"/desk/recordings/{recording.id}/hold", {"reason": "because"}).status_code == 422
    assert colm.post(f"/desk/recordings/{recording.id}/hold", {"reason": "dispute"}).status_code == 200
    room.product.clock.now = recording.delete_at + timedelta(days=30)
    room.product.worker()
    assert room.recording.state is RecordingState.STOPPED
    assert room.recording.hold is not None
    held = next(each for each in room.product.records(room.booked) if each.kind == "recording.held")
    assert held.data["reason"] == "dispute"
    assert held.data["owner"] == room.recording.hold.owner

    colm = room.product.signs_in(COLM)
    assert colm.post(f"/desk/recordings/{recording.id}/release").status_code == 200
    room.product.worker()

    assert room.recording.state is RecordingState.DELETED


@pytest.mark.requirement("R102", "R208")
def test_a_recording_is_deleted_at_its_date_behind_any_number_that_are_held(room: Room) -> None:
    recording = stopped(room)
    hold = Hold(HoldReason.AUTHORITY, StaffId("st_colm"), room.product.clock())
    later = recording.asked_at + timedelta(days=1)
    held = [replace(recording, id=RecordingId(new_id("rec")), asked_at=later, hold=hold) for _ in range(210)]
    room.product.services.meetings.write(lambda tx: [tx.add_recording(each) for each in held])

    room.product.clock.now = recording.delete_at
    room.product.worker()

    assert room.product.services.meetings.recording(recording.id).state is RecordingState.DELETED
    assert room.product.services.meetings.recording(held[0].id).state is RecordingState.STOPPED


@pytest.mark.requirement("R101")
def test_every_recording_of_ones_own_is_on_some_page_of_the_list_behind_any_number_of_colleagues(room: Room) -> None:
    recording = stopped(room)
    later = recording.asked_at + timedelta(days=1)
    meeting = replace(room.meeting, id=MeetingId(new_id("m")), adviser=StaffId("st_colm"))
    others = [replace(recording, id=RecordingId(new_id("rec")), asked_at=later, meeting=meeting.id) for _ in range(210)]
    mine = [replace(recording, id=RecordingId(new_id("rec")), asked_at=later) for _ in range(PAGE)]
    room.product.services.meetings.write(
        lambda tx: [tx.add_meeting(meeting), *(tx.add_recording(each) for each in others + mine)]
    )
    frida = room.product.signs_in(FRIDA)

    first = re.findall(r'href="/desk/recordings/(rec_\w+)"', frida.get("/desk/recordings").text)
    [older] = re.findall(r'href="\?before=(\w+)"', frida.get("/desk/recordings").text)
    last = frida.get(f"/desk/recordings?before={older}").text

    assert sorted(first) == sorted(each.id for each in mine)
    assert re.findall(r'href="/desk/recordings/(rec_\w+)"', last) == [recording.id]
    assert "?before=" not in last
    assert frida.get("/desk/recordings?before=rec_nothing").status_code == 404
    assert frida.get(f"/desk/recordings?before={others[0].id}").status_code == 403


@pytest.mark.requirement("R101", "R208")
def test_only_roles_with_the_right_see_that_there_is_a_recording(room: Room) -> None:
    recording = stopped(room)
    frida, colm, elin = (room.product.signs_in(who) for who in (FRIDA, COLM, ELIN))

    for who in (frida, colm):
        page = who.get("/desk/recordings")
        assert page.status_code == 200
        assert recording.id in page.text
        assert "MiFID" in page.text
    assert elin.get("/desk/recordings").status_code == 404
    assert elin.get(f"/desk/recordings/{recording.id}").status_code == 403
    refused(frida.post(f"/desk/recordings/{recording.id}/hold", {"reason": "dispute"}))
    assert colm.get(f"/desk/recordings/{recording.id}/file").status_code == 403

"""Where recordings are kept: in the meetings store, in the transaction of the act, on every engine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.adapters.sql.codec import to_json
from sidecar.adapters.sql.meeting_store import MIGRATIONS, SqlMeetingStore
from sidecar.adapters.sql.opening import open_database
from sidecar.domain.clock import to_text
from sidecar.domain.errors import ConflictError, NotFoundError
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, RoomName, StaffId
from sidecar.domain.meetings import Meeting, MeetingState
from sidecar.domain.policy import Segment
from sidecar.domain.recordings import Hold, HoldReason, Recording, RecordingState
from tests.contract.conftest import Places

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def recording(name: str, **changed: Any) -> Recording:
    made = Recording(
        id=RecordingId(f"rec_{name}"),
        meeting=MeetingId("m_a"),
        state=RecordingState.ASKING,
        purpose="client-order",
        reference="mifid-ii-16-7",
        delete_at=NOON + timedelta(days=30),
        asked_by=ParticipantId("p_a"),
        asked_at=NOON,
        region="eu-north-se",
    ).answered(ParticipantId("p_a"), yes=True, at=NOON)
    return replace(made, **changed)


def meeting(name: str, adviser: StaffId) -> Meeting:
    return Meeting(
        id=MeetingId(name),
        state=MeetingState.BOOKED,
        type_ref="corporate-fx@1",
        brand="exempelbanken",
        segment=Segment.CORPORATE,
        adviser=adviser,
        packages=frozenset({"fx-desk"}),
        room=RoomName("0123abcd"),
        region="eu-north-se",
        purpose="Terminskontrakt",
        language="sv",
        starts_at=NOON,
        ends_at=NOON + timedelta(minutes=45),
        booked_at=NOON,
        retain_until=NOON + timedelta(days=3653),
    )


@pytest.fixture
def store(places: Places) -> SqlMeetingStore:
    return SqlMeetingStore(places("meetings"))


def test_a_recording_comes_back_as_it_was_kept(store: SqlMeetingStore) -> None:
    hold = Hold(HoldReason.AUTHORITY, StaffId("st_a"), NOON)
    kept = recording("a", state=RecordingState.STOPPED, hold=hold, started_at=NOON, length_ms=61_000)

    store.write(lambda tx: tx.add_recording(kept))

    assert store.recording(kept.id) == kept
    with pytest.raises(NotFoundError):
        store.recording(RecordingId("rec_b"))


def test_of_two_who_change_a_recording_at_once_one_wins(store: SqlMeetingStore) -> None:
    kept = recording("a")
    store.write(lambda tx: tx.add_recording(kept))
    store.write(lambda tx: tx.save_recording(replace(kept, state=RecordingState.RUNNING)))

    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save_recording(replace(kept, state=RecordingState.CANCELLED)))

    assert store.recording(kept.id).state is RecordingState.RUNNING
    assert store.recording(kept.id).version == 2


def test_recordings_are_found_by_meeting_and_by_state_the_newest_first_page_by_page(store: SqlMeetingStore) -> None:
    made = [
        recording("a", asked_at=NOON, delete_at=NOON),
        recording("b", asked_at=NOON + timedelta(hours=1), state=RecordingState.STOPPED),
        recording("c", asked_at=NOON + timedelta(hours=2), meeting=MeetingId("m_b"), state=RecordingState.STOPPED),
    ]
    for each in made:
        store.write(lambda tx, each=each: tx.add_recording(each))

    def names(**wanted: Any) -> list[str]:
        return [each.id for each in store.recordings(**wanted)]

    assert names() == ["rec_c", "rec_b", "rec_a"]
    assert names(meeting=MeetingId("m_a")) == ["rec_b", "rec_a"]
    assert names(states=(RecordingState.STOPPED,)) == ["rec_c", "rec_b"]
    assert names(limit=1) == ["rec_c"]
    assert names(before=made[1]) == ["rec_a"]


def test_of_two_asked_for_at_once_neither_is_left_out_between_two_pages(store: SqlMeetingStore) -> None:
    for name in "abc":
        store.write(lambda tx, name=name: tx.add_recording(recording(name)))

    first = store.recordings(limit=2)
    second = store.recordings(before=first[-1], limit=2)

    assert [each.id for each in first + second] == ["rec_c", "rec_b", "rec_a"]


def test_an_advisers_recordings_are_those_of_the_meetings_that_are_theirs_now(store: SqlMeetingStore) -> None:
    mine, theirs = meeting("m_a", StaffId("st_a")), meeting("m_b", StaffId("st_b"))
    for each in (mine, theirs):
        store.write(lambda tx, each=each: tx.add_meeting(each))
        store.write(lambda tx, each=each: tx.add_recording(recording(each.id[-1], meeting=each.id)))

    assert [each.id for each in store.recordings(adviser=StaffId("st_a"))] == ["rec_a"]
    store.write(lambda tx: tx.save_meeting(replace(theirs, adviser=StaffId("st_a"))))
    assert len(store.recordings(adviser=StaffId("st_a"))) == 2


@pytest.mark.requirement("R102")
def test_a_due_recording_is_found_behind_any_number_that_are_held_the_earliest_first(store: SqlMeetingStore) -> None:
    hold = Hold(HoldReason.DISPUTE, StaffId("st_a"), NOON)
    over = {"state": RecordingState.STOPPED, "delete_at": NOON}
    made = [recording(f"held{n:03}", hold=hold, **over) for n in range(250)]
    made += [recording(f"free{n:03}", **over) for n in range(250)]
    made += [recording("first", state=RecordingState.STOPPED, delete_at=NOON - timedelta(days=1))]
    made += [recording("later", state=RecordingState.STOPPED), recording("gone", delete_at=NOON)]
    store.write(lambda tx: [tx.add_recording(each) for each in made])

    due = [each.id for each in store.due_recordings(NOON)]

    assert due == ["rec_first", *(f"rec_free{n:03}" for n in range(250))]
    free = store.recording(RecordingId("rec_free000"))
    store.write(lambda tx: tx.save_recording(replace(free, hold=hold)))
    assert "rec_free000" not in [each.id for each in store.due_recordings(NOON)]


def test_what_the_recorder_has_not_confirmed_is_found_however_many_there_are(store: SqlMeetingStore) -> None:
    made = [recording(f"a{n:03}", state=RecordingState.RUNNING) for n in range(250)]
    made += [recording("told", state=RecordingState.STOPPED, confirmed=True)]
    made += [recording("untold", state=RecordingState.STOPPED), recording("gone", state=RecordingState.DELETED)]
    store.write(lambda tx: [tx.add_recording(each) for each in made])

    found = [each.id for each in store.unfinished_recordings()]

    assert found == [*(f"rec_a{n:03}" for n in range(250)), "rec_untold"]
    untold = store.recording(RecordingId("rec_untold"))
    store.write(lambda tx: tx.save_recording(replace(untold, confirmed=True)))
    assert "rec_untold" not in [each.id for each in store.unfinished_recordings()]


def test_a_store_of_an_earlier_version_opens_and_knows_what_is_held_and_what_is_confirmed(places: Places) -> None:
    hold = Hold(HoldReason.DISPUTE, StaffId("st_a"), NOON)
    held = recording("held", state=RecordingState.STOPPED, delete_at=NOON, hold=hold, confirmed=True)
    due = recording("due", state=RecordingState.STOPPED, delete_at=NOON, purpose='\\"hold":{', confirmed=True)
    running = recording("runs", state=RecordingState.RUNNING)
    old = open_database(places("meetings"), MIGRATIONS[:4], store="meetings")
    for each in (held, due, running):
        row = (each.id, each.meeting, each.state.value, to_text(each.asked_at), to_text(each.delete_at), 1)
        old.write(
            lambda db, row=row, each=each: db.execute(
                "INSERT INTO recordings VALUES (?,?,?,?,?,?,?)", (*row, to_json(each))
            )
        )
    old.close()

    store = SqlMeetingStore(places("meetings"))

    assert store.recording(held.id) == held
    assert list(store.due_recordings(NOON)) == [due]
    assert list(store.unfinished_recordings()) == [running]
    store.write(lambda tx: tx.save_recording(replace(held, hold=None)))
    assert {each.id for each in store.due_recordings(NOON)} == {"rec_held", "rec_due"}

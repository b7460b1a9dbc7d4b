"""Where recordings are kept: in the meetings store, in the transaction of the act, on every engine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.domain.errors import ConflictError, NotFoundError
from sidecar.domain.ids import MeetingId, ParticipantId, RecordingId, StaffId
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


def test_recordings_are_found_by_meeting_by_state_and_by_date_the_newest_first(store: SqlMeetingStore) -> None:
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
    assert names(delete_by=NOON) == ["rec_a"]
    assert names(limit=1) == ["rec_c"]

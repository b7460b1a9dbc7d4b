"""Recordings in the meetings store: what an act may change, and how they are read."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sidecar.adapters.sql.codec import from_json, to_json
from sidecar.adapters.sql.database import Connection, Database
from sidecar.domain.clock import to_text
from sidecar.domain.errors import ConflictError, NotFoundError
from sidecar.domain.ids import MeetingId, RecordingId
from sidecar.domain.recordings import Recording, RecordingState

MIGRATION = """
    CREATE TABLE recordings (
      id TEXT PRIMARY KEY, meeting TEXT NOT NULL, state TEXT NOT NULL, asked_at TEXT NOT NULL,
      delete_at TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX recordings_by_meeting ON recordings (meeting, asked_at);
    CREATE INDEX recordings_by_state ON recordings (state, delete_at)
    """


class RecordingChanges:
    """Part of SqlMeetingTx."""

    _db: Connection

    def add_recording(self, recording: Recording) -> None:
        self._db.execute(
            "INSERT INTO recordings VALUES (?,?,?,?,?,?,?)",
            (
                recording.id,
                recording.meeting,
                recording.state.value,
                to_text(recording.asked_at),
                to_text(recording.delete_at),
                recording.version,
                to_json(recording),
            ),
        )

    def save_recording(self, recording: Recording) -> Recording:
        """Store a changed recording. Raises ConflictError when it was changed since it was read."""
        saved = replace(recording, version=recording.version + 1)
        done = self._db.execute(
            "UPDATE recordings SET state=?, version=?, body=? WHERE id=? AND version=?",
            (saved.state.value, saved.version, to_json(saved), recording.id, recording.version),
        )
        if done.rowcount != 1:
            raise ConflictError("The recording was changed by somebody else in the meantime.")
        return saved


class RecordingQueries:
    """Part of SqlMeetingStore."""

    _db: Database

    def recording(self, recording: RecordingId) -> Recording:
        row = self._db.read_one("SELECT body FROM recordings WHERE id=?", recording)
        if row is None:
            raise NotFoundError("There is no such recording.")
        return from_json(Recording, row["body"])

    def recordings(
        self,
        *,
        meeting: MeetingId | None = None,
        states: Collection[RecordingState] | None = None,
        delete_by: datetime | None = None,
        limit: int = 200,
    ) -> list[Recording]:
        where, args = ["1=1"], list[object]()
        if meeting is not None:
            where.append("meeting=?")
            args.append(meeting)
        if states is not None:
            where.append(f"state IN ({','.join('?' * len(states))})")
            args += [state.value for state in states]
        if delete_by is not None:
            where.append("delete_at<=?")
            args.append(to_text(delete_by))
        rows = self._db.read(
            f"SELECT body FROM recordings WHERE {' AND '.join(where)} ORDER BY asked_at DESC LIMIT ?",  # noqa: S608
            *args,
            limit,
        )
        return [from_json(Recording, row["body"]) for row in rows]

"""Recordings in the meetings store: what an act may change, and how they are read."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

from sidecar.adapters.sql.codec import from_json, to_json
from sidecar.adapters.sql.database import Connection, Database
from sidecar.domain.clock import to_text
from sidecar.domain.errors import ConflictError, NotFoundError
from sidecar.domain.ids import MeetingId, RecordingId, StaffId
from sidecar.domain.recordings import Recording, RecordingState

MIGRATION = """
    CREATE TABLE recordings (
      id TEXT PRIMARY KEY, meeting TEXT NOT NULL, state TEXT NOT NULL, asked_at TEXT NOT NULL,
      delete_at TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX recordings_by_meeting ON recordings (meeting, asked_at);
    CREATE INDEX recordings_by_state ON recordings (state, delete_at)
    """
# What stood in the body alone. A quotation mark inside a text is escaped there, so only the fields themselves match.
MIGRATION_2 = """
    ALTER TABLE recordings ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE recordings ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;
    UPDATE recordings SET held=1 WHERE body LIKE '%"hold":{%';
    UPDATE recordings SET confirmed=1 WHERE body LIKE '%"confirmed":true%';
    CREATE INDEX recordings_by_time ON recordings (asked_at, id);
    CREATE INDEX recordings_due ON recordings (state, held, delete_at, id);
    CREATE INDEX recordings_unfinished ON recordings (confirmed, delete_at, id)
    """

_PAGE = 200  # rows read at once


class RecordingChanges:
    """Part of SqlMeetingTx."""

    _db: Connection

    def add_recording(self, recording: Recording) -> None:
        self._db.execute(
            "INSERT INTO recordings (id, meeting, state, asked_at, delete_at, version, body, held, confirmed)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (
                recording.id,
                recording.meeting,
                recording.state.value,
                to_text(recording.asked_at),
                to_text(recording.delete_at),
                recording.version,
                to_json(recording),
                int(recording.hold is not None),
                int(recording.confirmed),
            ),
        )

    def save_recording(self, recording: Recording) -> Recording:
        """Store a changed recording. Raises ConflictError when it was changed since it was read."""
        saved = replace(recording, version=recording.version + 1)
        done = self._db.execute(
            "UPDATE recordings SET state=?, version=?, body=?, held=?, confirmed=? WHERE id=? AND version=?",
            (
                saved.state.value,
                saved.version,
                to_json(saved),
                int(saved.hold is not None),
                int(saved.confirmed),
                recording.id,
                recording.version,
            ),
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
        adviser: StaffId | None = None,
        before: Recording | None = None,
        limit: int = _PAGE,
    ) -> list[Recording]:
        where, args = ["1=1"], list[object]()
        if meeting is not None:
            where.append("meeting=?")
            args.append(meeting)
        if states is not None:
            where.append(f"state IN ({','.join('?' * len(states))})")
            args += [state.value for state in states]
        if adviser is not None:
            where.append("meeting IN (SELECT id FROM meetings WHERE adviser=?)")
            args.append(adviser)
        if before is not None:
            asked_at = to_text(before.asked_at)
            where.append("(asked_at<? OR (asked_at=? AND id<?))")
            args += [asked_at, asked_at, before.id]
        rows = self._db.read(
            f"SELECT body FROM recordings WHERE {' AND '.join(where)}"  # noqa: S608
            " ORDER BY asked_at DESC, id DESC LIMIT ?",
            *args,
            limit,
        )
        return [from_json(Recording, row["body"]) for row in rows]

    def unfinished_recordings(self) -> Iterator[Recording]:
        return self._every("confirmed=0 AND state<>?", RecordingState.DELETED.value)

    def due_recordings(self, by: datetime) -> Iterator[Recording]:
        return self._every("state=? AND held=0 AND delete_at<=?", RecordingState.STOPPED.value, to_text(by))

    def _every(self, where: str, *args: object) -> Iterator[Recording]:
        """Yield all that match, page by page, the earliest date first: none hides behind others that stay."""
        after = ("", "")
        while True:
            rows = self._db.read(
                f"SELECT id, delete_at, body FROM recordings WHERE {where}"  # noqa: S608 - words of this file
                " AND (delete_at>? OR (delete_at=? AND id>?)) ORDER BY delete_at, id LIMIT ?",
                *args,
                after[0],
                *after,
                _PAGE,
            )
            yield from (from_json(Recording, row["body"]) for row in rows)
            if len(rows) < _PAGE:
                return
            after = (rows[-1]["delete_at"], rows[-1]["id"])

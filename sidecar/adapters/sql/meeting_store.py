"""The `meetings` store: meetings, places, chat, announcements and what waits to be delivered."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sidecar.adapters.sql.codec import from_json, read_again, to_json
from sidecar.adapters.sql.database import Connection, Row
from sidecar.adapters.sql.opening import StorePlace, open_database
from sidecar.adapters.sql.recording_rows import MIGRATION as RECORDINGS
from sidecar.adapters.sql.recording_rows import MIGRATION_2 as RECORDINGS_2
from sidecar.adapters.sql.recording_rows import RecordingChanges, RecordingQueries
from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import ConflictError, NotFoundError
from sidecar.domain.ids import MeetingId, ParticipantId, PersonId, StaffId
from sidecar.domain.meetings import ChatLine, Consent, Meeting, MeetingState, Participant
from sidecar.services.ports import Announcement, Errand
from sidecar.services.record_ports import SealedRecord

T = TypeVar("T")

_FORGET_SPENT = timedelta(hours=1)  # a token is refused as expired long before this
_FORGET_REPORTS = timedelta(days=30)  # a Prosody that was down for longer is no crash to recover from

MIGRATIONS = (
    """
    CREATE TABLE meetings (
      id TEXT PRIMARY KEY, state TEXT NOT NULL, adviser TEXT, starts_at TEXT NOT NULL, ends_at TEXT NOT NULL,
      version INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX meetings_by_time ON meetings (starts_at);
    CREATE INDEX meetings_by_state ON meetings (state, starts_at);
    CREATE TABLE participants (
      id TEXT PRIMARY KEY, meeting TEXT NOT NULL REFERENCES meetings (id), link_digest TEXT,
      version INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX participants_by_meeting ON participants (meeting);
    CREATE UNIQUE INDEX participants_by_link ON participants (link_digest) WHERE link_digest <> '';
    CREATE TABLE spent_tokens (jti TEXT PRIMARY KEY, expires_at TEXT NOT NULL);
    CREATE TABLE chat (id TEXT PRIMARY KEY, meeting TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX chat_by_meeting ON chat (meeting, at);
    CREATE TABLE announcements (
      number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, meeting TEXT, at TEXT NOT NULL,
      body TEXT NOT NULL);
    CREATE TABLE errands (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, meeting TEXT, due_at TEXT NOT NULL, attempts INTEGER NOT NULL,
      state TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX errands_due ON errands (state, due_at);
    CREATE TABLE message_templates (
      brand TEXT NOT NULL, language TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
      PRIMARY KEY (brand, language, key));
    CREATE TABLE readers (name TEXT PRIMARY KEY, number INTEGER NOT NULL)
    """,
    """
    CREATE TABLE taken_reports (id TEXT PRIMARY KEY, at TEXT NOT NULL);
    CREATE INDEX taken_reports_by_time ON taken_reports (at)
    """,
    """
    CREATE TABLE plugin_records (
      plugin TEXT NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL, meeting TEXT, version INTEGER NOT NULL,
      updated_at TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (plugin, collection, id));
    CREATE INDEX plugin_records_by_meeting ON plugin_records (meeting, plugin, collection)
    """,
    RECORDINGS,
    RECORDINGS_2,
    """
    CREATE TABLE consents (
      person TEXT NOT NULL, text_sha256 TEXT NOT NULL, version TEXT NOT NULL, at TEXT NOT NULL,
      PRIMARY KEY (person, text_sha256))
    """,
    """
    CREATE TABLE lobby_pages (participant TEXT PRIMARY KEY, seen_at TEXT NOT NULL);
    CREATE INDEX lobby_pages_by_time ON lobby_pages (seen_at)
    """,
)

_RECORD = "SELECT * FROM plugin_records WHERE plugin=? AND collection=? AND id=?"


class SqlMeetingTx(RecordingChanges):
    """What an act may do to the meetings store, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self.announced = False

    def add_meeting(self, meeting: Meeting) -> None:
        self._db.execute(
            "INSERT INTO meetings VALUES (?,?,?,?,?,?,?)",
            (
                meeting.id,
                meeting.state,
                meeting.adviser,
                to_text(meeting.starts_at),
                to_text(meeting.ends_at),
                meeting.version,
                to_json(meeting),
            ),
        )

    def save_meeting(self, meeting: Meeting) -> Meeting:
        """Store a changed meeting. Raises ConflictError when somebody changed it since it was read."""
        saved = replace(meeting, version=meeting.version + 1)
        done = self._db.execute(
            "UPDATE meetings SET state=?, adviser=?, starts_at=?, ends_at=?, version=?, body=?"
            " WHERE id=? AND version=?",
            (
                saved.state,
                saved.adviser,
                to_text(saved.starts_at),
                to_text(saved.ends_at),
                saved.version,
                to_json(saved),
                meeting.id,
                meeting.version,
            ),
        )
        if done.rowcount != 1:
            raise ConflictError("The meeting was changed by somebody else in the meantime.")
        return saved

    def add_participant(self, participant: Participant) -> None:
        self._db.execute(
            "INSERT INTO participants VALUES (?,?,?,?,?)",
            (
                participant.id,
                participant.meeting,
                participant.link_digest,
                participant.version,
                to_json(participant),
            ),
        )

    def save_participant(self, participant: Participant) -> Participant:
        """Store a changed place. Raises ConflictError when it was changed since it was read."""
        saved = replace(participant, version=participant.version + 1)
        done = self._db.execute(
            "UPDATE participants SET link_digest=?, version=?, body=? WHERE id=? AND version=?",
            (saved.link_digest, saved.version, to_json(saved), participant.id, participant.version),
        )
        if done.rowcount != 1:
            raise ConflictError("This place in the meeting was changed by somebody else in the meantime.")
        return saved

    def spend_token(self, jti: str, *, expires_at: datetime, now: datetime) -> None:
        """Mark a join token as used. Raises ConflictError when it was used before."""
        self._db.execute("DELETE FROM spent_tokens WHERE expires_at < ?", (to_text(now - _FORGET_SPENT),))
        done = self._db.execute(
            "INSERT INTO spent_tokens VALUES (?,?) ON CONFLICT (jti) DO NOTHING", (jti, to_text(expires_at))
        )
        if done.rowcount != 1:
            raise ConflictError("This join token was used before.")

    def take_report(self, report: str, *, now: datetime) -> None:
        """Remember a report of the media side. Raises ConflictError when it was taken in before."""
        self._db.execute("DELETE FROM taken_reports WHERE at < ?", (to_text(now - _FORGET_REPORTS),))
        done = self._db.execute(
            "INSERT INTO taken_reports VALUES (?,?) ON CONFLICT (id) DO NOTHING", (report, to_text(now))
        )
        if done.rowcount != 1:
            raise ConflictError("This report was taken in before.")

    def see_page(self, participant: ParticipantId, *, at: datetime) -> None:
        self._db.execute(
            "INSERT INTO lobby_pages VALUES (?,?) ON CONFLICT (participant) DO UPDATE SET seen_at=excluded.seen_at",
            (participant, to_text(at)),
        )

    def forget_page(self, participant: ParticipantId, *, seen_by: datetime) -> None:
        """Forget a waiting person's page. Raises ConflictError where it was seen since."""
        done = self._db.execute(
            "DELETE FROM lobby_pages WHERE participant=? AND seen_at<=?", (participant, to_text(seen_by))
        )
        if done.rowcount != 1:
            raise ConflictError("This page has been open since.")

    def add_chat(self, line: ChatLine) -> None:
        self._db.execute("INSERT INTO chat VALUES (?,?,?,?)", (line.id, line.meeting, to_text(line.at), to_json(line)))

    def drop_chat(self, meeting: MeetingId) -> None:
        self._db.execute("DELETE FROM chat WHERE meeting=?", (meeting,))

    def announce(self, announcement: Announcement) -> None:
        self._db.execute(
            "INSERT INTO announcements (kind, meeting, at, body) VALUES (?,?,?,?)",
            (announcement.kind, announcement.meeting, to_text(announcement.at), to_json(announcement)),
        )
        self.announced = True

    def add_errand(self, errand: Errand) -> None:
        self._db.execute(
            "INSERT INTO errands VALUES (?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
            (
                errand.id,
                errand.kind,
                errand.meeting,
                to_text(errand.due_at),
                errand.attempts,
                errand.state,
                to_json(errand),
            ),
        )

    def save_errand(self, errand: Errand) -> None:
        self._db.execute(
            "UPDATE errands SET due_at=?, attempts=?, state=?, body=? WHERE id=?",
            (to_text(errand.due_at), errand.attempts, errand.state, to_json(errand), errand.id),
        )

    def drop_waiting_errands(self, meeting: MeetingId) -> None:
        self._db.execute("DELETE FROM errands WHERE meeting=? AND state='waiting'", (meeting,))

    def mark_read(self, reader: str, number: int) -> None:
        self._db.execute(
            "INSERT INTO readers VALUES (?,?) ON CONFLICT (name) DO UPDATE SET number=excluded.number",
            (reader, number),
        )

    def add_record(self, record: SealedRecord) -> None:
        done = self._db.execute(
            "INSERT INTO plugin_records VALUES (?,?,?,?,?,?,?) ON CONFLICT (plugin, collection, id) DO NOTHING",
            (
                record.plugin,
                record.collection,
                record.id,
                record.meeting,
                record.version,
                to_text(record.updated_at),
                record.sealed,
            ),
        )
        if done.rowcount != 1:
            raise ConflictError("There is a record of this name already.")

    def save_record(self, record: SealedRecord, *, expected: int) -> None:
        done = self._db.execute(
            "UPDATE plugin_records SET meeting=?, version=?, updated_at=?, sealed=?"
            " WHERE plugin=? AND collection=? AND id=? AND version=?",
            (
                record.meeting,
                record.version,
                to_text(record.updated_at),
                record.sealed,
                record.plugin,
                record.collection,
                record.id,
                expected,
            ),
        )
        if done.rowcount != 1:
            raise ConflictError("This record was changed by somebody else in the meantime.")

    def drop_record(self, plugin: str, collection: str, record: str) -> None:
        self._db.execute(
            "DELETE FROM plugin_records WHERE plugin=? AND collection=? AND id=?", (plugin, collection, record)
        )

    def find_record(self, plugin: str, collection: str, record: str) -> SealedRecord | None:
        return _one_record(self._db.execute(_RECORD, (plugin, collection, record)).fetchone())

    def records(
        self, plugin: str, collection: str, *, meeting: MeetingId | None = None, limit: int = 500
    ) -> list[SealedRecord]:
        sql, args = _records_sql(plugin, collection, meeting, limit)
        return [_record(row) for row in self._db.execute(sql, args).fetchall()]

    def put_consent(self, person: PersonId, consent: Consent) -> None:
        """Remember a person's yes to a text; the newest one to the same words counts."""
        self._db.execute(
            "INSERT INTO consents VALUES (?,?,?,?)"
            " ON CONFLICT (person, text_sha256) DO UPDATE SET version=excluded.version, at=excluded.at",
            (person, consent.text_sha256, consent.version, to_text(consent.at)),
        )

    def put_template(self, *, brand: str, language: str, key: str, body: str) -> None:
        self._db.execute(
            "INSERT INTO message_templates VALUES (?,?,?,?)"
            " ON CONFLICT (brand, language, key) DO UPDATE SET body=excluded.body",
            (brand, language, key, body),
        )

    def drop_template(self, *, brand: str, language: str, key: str) -> None:
        self._db.execute("DELETE FROM message_templates WHERE brand=? AND language=? AND key=?", (brand, language, key))


class SqlMeetingStore(RecordingQueries):
    """The meetings store on SQL. Reads see what is committed; `write` is durable when it returns.

    announced: called after each commit with an announcement in it, to wake those who listen.
    """

    def __init__(self, place: StorePlace, *, announced: Callable[[], None] = lambda: None) -> None:
        self._db = open_database(place, MIGRATIONS, store="meetings")
        self._announced = announced

    def write(self, effect: Callable[[SqlMeetingTx], T]) -> T:
        def run(connection: Connection) -> tuple[T, bool]:
            tx = SqlMeetingTx(connection)
            return effect(tx), tx.announced

        result, has_news = self._db.write(run)
        if has_news:
            self._announced()
        return result

    def get(self, meeting: MeetingId) -> Meeting:
        row = self._db.read_one("SELECT body FROM meetings WHERE id=?", meeting)
        if row is None:
            raise NotFoundError("There is no such meeting.")
        return read_again(Meeting, row["body"])

    def participant(self, participant: ParticipantId) -> Participant:
        row = self._db.read_one("SELECT body FROM participants WHERE id=?", participant)
        if row is None:
            raise NotFoundError("There is no such place in a meeting.")
        return read_again(Participant, row["body"])

    def participants(self, meeting: MeetingId) -> list[Participant]:
        rows = self._db.read("SELECT body FROM participants WHERE meeting=? ORDER BY rowid", meeting)
        return [read_again(Participant, row["body"]) for row in rows]

    def consents(self, person: PersonId) -> list[Consent]:
        rows = self._db.read("SELECT * FROM consents WHERE person=? ORDER BY at DESC, text_sha256", person)
        return [Consent(row["version"], row["text_sha256"], from_text(row["at"])) for row in rows]

    def find_by_link(self, link_digest: str) -> Participant | None:
        row = self._db.read_one("SELECT body FROM participants WHERE link_digest=?", link_digest)
        return read_again(Participant, row["body"]) if row and link_digest else None

    def between(self, start: datetime, end: datetime, *, adviser: StaffId | None = None) -> list[Meeting]:
        """Return the meetings that start in [start, end), the adviser's own when one is named."""
        sql = "SELECT body FROM meetings WHERE starts_at>=? AND starts_at<?"
        args: list[object] = [to_text(start), to_text(end)]
        if adviser is not None:
            sql += " AND adviser=?"
            args.append(adviser)
        return [read_again(Meeting, row["body"]) for row in self._db.read(sql + " ORDER BY starts_at", *args)]

    def in_states(
        self,
        states: Sequence[MeetingState],
        *,
        started_by: datetime | None = None,
        ended_by: datetime | None = None,
        limit: int = 500,
    ) -> list[Meeting]:
        sql = f"SELECT body FROM meetings WHERE state IN ({','.join('?' * len(states))})"  # noqa: S608
        args: list[object] = [*states]
        for column, moment in (("starts_at", started_by), ("ends_at", ended_by)):
            if moment is not None:
                sql += f" AND {column}<=?"
                args.append(to_text(moment))
        rows = self._db.read(f"{sql} ORDER BY starts_at LIMIT ?", *args, limit)
        return [read_again(Meeting, row["body"]) for row in rows]

    def has_report(self, report: str) -> bool:
        return self._db.read_one("SELECT 1 AS one FROM taken_reports WHERE id=?", report) is not None

    def pages_unseen_since(self, moment: datetime, *, limit: int = 200) -> list[tuple[ParticipantId, datetime]]:
        rows = self._db.read(
            "SELECT * FROM lobby_pages WHERE seen_at<=? ORDER BY seen_at LIMIT ?", to_text(moment), limit
        )
        return [(ParticipantId(row["participant"]), from_text(row["seen_at"])) for row in rows]

    def chat(self, meeting: MeetingId) -> list[ChatLine]:
        rows = self._db.read("SELECT body FROM chat WHERE meeting=? ORDER BY at, id", meeting)
        return [from_json(ChatLine, row["body"]) for row in rows]

    def announcements_after(self, number: int, *, limit: int = 500) -> list[tuple[int, Announcement]]:
        rows = self._db.read(
            "SELECT number, body FROM announcements WHERE number>? ORDER BY number LIMIT ?", number, limit
        )
        return [(row["number"], from_json(Announcement, row["body"])) for row in rows]

    def last_announcement(self) -> int:
        row = self._db.read_one("SELECT max(number) AS number FROM announcements")
        return int(row["number"] or 0) if row else 0

    def read_up_to(self, reader: str) -> int:
        """Return the number of the last announcement this reader has dealt with, 0 before the first."""
        row = self._db.read_one("SELECT number FROM readers WHERE name=?", reader)
        return int(row["number"]) if row else 0

    def due_errands(self, now: datetime, *, limit: int = 50) -> list[Errand]:
        rows = self._db.read(
            "SELECT body FROM errands WHERE state='waiting' AND due_at<=? ORDER BY due_at LIMIT ?",
            to_text(now),
            limit,
        )
        return [from_json(Errand, row["body"]) for row in rows]

    def errands(self, meeting: MeetingId) -> list[Errand]:
        rows = self._db.read("SELECT body FROM errands WHERE meeting=? ORDER BY due_at", meeting)
        return [from_json(Errand, row["body"]) for row in rows]

    def get_errand(self, errand: str) -> Errand:
        row = self._db.read_one("SELECT body FROM errands WHERE id=?", errand)
        if row is None:
            raise NotFoundError("There is no such delivery.")
        return from_json(Errand, row["body"])

    def failed_errands(self, *, limit: int = 200) -> list[Errand]:
        rows = self._db.read("SELECT body FROM errands WHERE state='failed' ORDER BY due_at DESC LIMIT ?", limit)
        return [from_json(Errand, row["body"]) for row in rows]

    def find_record(self, plugin: str, collection: str, record: str) -> SealedRecord | None:
        return _one_record(self._db.read_one(_RECORD, plugin, collection, record))

    def records(
        self, plugin: str, collection: str, *, meeting: MeetingId | None = None, limit: int = 500
    ) -> list[SealedRecord]:
        sql, args = _records_sql(plugin, collection, meeting, limit)
        return [_record(row) for row in self._db.read(sql, *args)]

    def templates(self, brand: str) -> dict[tuple[str, str], str]:
        rows = self._db.read("SELECT language, key, body FROM message_templates WHERE brand=?", brand)
        return {(row["language"], row["key"]): row["body"] for row in rows}

    def is_healthy(self) -> bool:
        return self._db.read_one("SELECT 1 AS one") is not None


def _records_sql(plugin: str, collection: str, meeting: str | None, limit: int) -> tuple[str, tuple[object, ...]]:
    where, args = "plugin=? AND collection=?", [plugin, collection]
    if meeting is not None:
        where, args = where + " AND meeting=?", [*args, meeting]
    return f"SELECT * FROM plugin_records WHERE {where} ORDER BY rowid LIMIT ?", (*args, limit)  # noqa: S608


def _one_record(row: Row | None) -> SealedRecord | None:
    return _record(row) if row is not None else None


def _record(row: Row) -> SealedRecord:
    return SealedRecord(
        plugin=row["plugin"],
        collection=row["collection"],
        id=row["id"],
        meeting=MeetingId(row["meeting"]) if row["meeting"] is not None else None,
        version=row["version"],
        updated_at=from_text(row["updated_at"]),
        sealed=bytes(row["sealed"]),
    )

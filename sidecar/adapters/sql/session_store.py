"""Web sessions on the server, sealed, under the digest of their id: a stolen file opens no session."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sidecar.adapters.sealing import UnsealError, seal, unseal
from sidecar.adapters.sql.database import Connection
from sidecar.adapters.sql.opening import StorePlace, open_database
from sidecar.domain.clock import to_text

MIGRATIONS = ("CREATE TABLE web_sessions (id TEXT PRIMARY KEY, expires_at TEXT NOT NULL, sealed BLOB NOT NULL)",)


class SqlSessionStore:
    """Sessions on SQL. key: 32 bytes, seals the bodies."""

    def __init__(self, place: StorePlace, *, key: bytes) -> None:
        self._db = open_database(place, MIGRATIONS, store="sessions")
        self._key = key

    def get(self, session_id: str, *, now: datetime) -> dict[str, Any] | None:
        digest = _digest(session_id)
        row = self._db.read_one("SELECT sealed FROM web_sessions WHERE id=? AND expires_at>?", digest, to_text(now))
        if row is None:
            return None
        try:
            body: dict[str, Any] = json.loads(unseal(self._key, row["sealed"], purpose=f"session:{digest}"))
        except UnsealError:
            return None  # the key was rotated: the session is over
        return body

    def put(self, session_id: str, body: Mapping[str, Any], *, expires_at: datetime) -> None:
        digest = _digest(session_id)
        sealed = seal(self._key, json.dumps(body).encode(), purpose=f"session:{digest}")

        def effect(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO web_sessions VALUES (?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET expires_at=excluded.expires_at, sealed=excluded.sealed",
                (digest, to_text(expires_at), sealed),
            )

        self._db.write(effect)

    def update(self, session_id: str, body: Mapping[str, Any], *, expires_at: datetime) -> bool:
        digest = _digest(session_id)
        sealed = seal(self._key, json.dumps(body).encode(), purpose=f"session:{digest}")
        sql = "UPDATE web_sessions SET expires_at=?, sealed=? WHERE id=?"
        return self._db.write(lambda c: bool(c.execute(sql, (to_text(expires_at), sealed, digest)).rowcount == 1))

    def drop(self, session_id: str) -> bool:
        sql = "DELETE FROM web_sessions WHERE id=?"
        return self._db.write(lambda c: bool(c.execute(sql, (_digest(session_id),)).rowcount == 1))

    def drop_expired(self, now: datetime) -> None:
        self._db.write(lambda c: c.execute("DELETE FROM web_sessions WHERE expires_at<=?", (to_text(now),)))

    def is_healthy(self) -> bool:
        return self._db.read_one("SELECT 1 AS one") is not None


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()

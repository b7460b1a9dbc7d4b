"""Where the SQL stores of a contract test lie: in files, and in a real PostgreSQL server, one test after the other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sidecar.adapters.sql.opening import StorePlace
from sidecar.adapters.sql.postgres_address import PostgresAddress, read_postgres_url
from tests.servers.postgres import Postgres, postgres_folder, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as server:
        yield server


@dataclass
class Places:
    """Fresh places for stores, and a way to look at them past the product."""

    folder: Path
    server: Postgres | None
    _texts: dict[str, str] = field(default_factory=dict)

    def text(self, store: str) -> str:
        """Return the place in words a command line can carry: a file's path, or a database's URL."""
        if store not in self._texts:
            server = self.server
            self._texts[store] = server.url(server.new_database()) if server else str(self.folder / f"{store}.sqlite")
        return self._texts[store]

    def __call__(self, store: str) -> StorePlace:
        text = self.text(store)
        return read_postgres_url(text, key=f"stores.{store}") if self.server else Path(text)

    def run(self, store: str, sql: str) -> list[Any]:
        """Run one statement as somebody who may write the data, and return its rows."""
        if self.server:
            return self.server.run(self._database(store), sql)
        with closing(sqlite3.connect(self.text(store))) as db, db:
            return db.execute(sql).fetchall()

    def bytes_kept(self, store: str, *tables: str) -> bytes:
        """Return all that is kept, as somebody finds it who took the disk."""
        if not self.server:
            return b"".join(path.read_bytes() for path in self.folder.glob(f"{store}.sqlite*"))
        rows = [row for table in tables for row in self.server.run(self._database(store), f"SELECT * FROM {table}")]
        return b"".join(each if isinstance(each, bytes) else str(each).encode() for row in rows for each in row)

    def _database(self, store: str) -> str:
        place = self(store)
        assert isinstance(place, PostgresAddress)
        return place.database


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    return Places(tmp_path, request.getfixturevalue("postgres") if request.param == "postgresql" else None)

"""Opens a store where the settings say it lies: a file of this machine, or a database of a server."""

from collections.abc import Sequence
from pathlib import Path

from sidecar.adapters.sql.database import Database, Engine
from sidecar.adapters.sql.postgres_address import PostgresAddress, read_postgres_url
from sidecar.adapters.sql.postgres_engine import PostgresEngine
from sidecar.adapters.sql.sqlite_engine import SqliteEngine

StorePlace = Path | PostgresAddress


def store_place(text: str, *, key: str, file: Path) -> StorePlace:
    """Return what a setting such as stores.meetings means. file: where SQLite keeps it. Raises ConfigurationError."""
    return file if text == "sqlite" else read_postgres_url(text, key=key)


def open_database(place: StorePlace, migrations: Sequence[str], *, store: str) -> Database:
    """Return the store's database with its tables up to date. Raises StoreUnavailableError, ConfigurationError."""
    engine: Engine = SqliteEngine(place) if isinstance(place, Path) else PostgresEngine(place, store=store)
    return Database(engine, migrations)

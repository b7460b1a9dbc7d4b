"""A PostgreSQL store when the server goes, stalls, comes back or is another: 503, nothing changed, no secret told."""

import json
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.adapters.sql import postgres_engine
from sidecar.adapters.sql.meeting_store import SqlMeetingStore, SqlMeetingTx
from sidecar.adapters.sql.people_store import SqlPeopleStore
from sidecar.adapters.sql.postgres_address import PostgresAddress, read_postgres_url
from sidecar.bootstrap import build
from sidecar.domain.errors import ConfigurationError, ConflictError, StoreUnavailableError, TillitError
from sidecar.services.ports import Announcement
from sidecar.settings import load_settings
from sidecar.testing import Product
from sidecar.web.feed import Feed
from tests.servers.certificates import TestCa
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres, postgres_folder, running_postgres
from tests.servers.watching import logged, until

pytestmark = pytest.mark.skipif(postgres_folder() is None, reason="PostgreSQL is not installed")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# What a store says while its server comes back.
COMES_BACK = (StoreUnavailableError, ssl.SSLError)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


def address(server: Postgres, database: str | None = None, **changes: Any) -> PostgresAddress:
    found = read_postgres_url(server.url(database or server.new_database()), key="stores.meetings")
    return PostgresAddress(**(vars(found) | changes))


def tell(tx: SqlMeetingTx) -> None:
    tx.announce(Announcement("hand.raised", None, NOON))


def test_while_the_server_is_away_every_act_is_refused_and_when_it_is_back_the_next_one_is_not(
    server: Postgres,
) -> None:
    store = SqlMeetingStore(address(server))
    store.write(tell)
    server.stop()

    with pytest.raises(StoreUnavailableError) as refused:
        store.write(tell)
    with pytest.raises(StoreUnavailableError):
        store.last_announcement()
    took = []
    for _ in range(5):
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            store.last_announcement()
        took.append(time.monotonic() - started)
    assert min(took) < 0.5, "threads would pile up behind a dead server"
    server.start()

    assert server.password not in str(refused.value)
    until(lambda: store.last_announcement() == 1, passing=COMES_BACK)
    store.write(tell)
    assert store.last_announcement() == 2


def test_a_server_that_was_restarted_meanwhile_costs_nobody_an_error(server: Postgres) -> None:
    store = SqlMeetingStore(address(server))
    store.write(tell)
    assert store.last_announcement() == 1
    server.stop()
    server.start()

    assert store.last_announcement() == 1
    store.write(tell)
    assert store.last_announcement() == 2


def test_a_connection_cut_in_the_middle_of_an_act_leaves_nothing_of_it_and_takes_its_neighbours_along(
    server: Postgres,
) -> None:
    """Whoever shared the commit must hear that it did not happen: told "done" by a lost server would be a lie."""
    place = address(server)
    store = SqlMeetingStore(place)
    inside, go_on = threading.Event(), threading.Event()
    outcomes: list[object] = []

    def slow(tx: SqlMeetingTx) -> None:
        inside.set()
        assert go_on.wait(60)

    def cut(tx: SqlMeetingTx) -> None:
        tell(tx)
        server.run(
            "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=%s", place.database
        )
        tell(tx)

    def run(effect: Callable[[SqlMeetingTx], None]) -> None:
        try:
            outcomes.append(store.write(effect))
        except Exception as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=run, args=(effect,)) for effect in (slow, tell, cut, tell)]
    threads[0].start()
    assert inside.wait(60)
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(store._db._queue) == 3, passing=COMES_BACK)
    go_on.set()
    for thread in threads:
        thread.join(60)

    assert outcomes.count(None) == 1
    assert outcomes.count(StoreUnavailableError) == 3
    assert store.last_announcement() == 0
    store.write(tell)


class Line:
    """A line between the product and the server. `cut_after`: loses the answer to the first thing that holds it."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.cut_after = b""
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass_on, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, inwards: bool) -> None:
        try:
            while data := source.recv(65536):
                lost = inwards and self.cut_after and self.cut_after in data
                if lost:
                    self.cut_after = b""
                    source.shutdown(socket.SHUT_RDWR)  # the server hears it; its answer reaches nobody
                sink.sendall(data)
                if lost:
                    time.sleep(0.05)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                _close(each)


def _close(line: socket.socket) -> None:
    try:
        line.close()
    except OSError:
        return


def test_an_act_whose_commit_was_never_answered_is_told_as_the_server_knows_it(server: Postgres) -> None:
    """Without asking again, a person would be admitted on disk and refused on the screen."""
    line = Line(server.port)
    place = address(server, port=line.port)
    store = SqlMeetingStore(place)
    line.cut_after = b"COMMIT"

    store.write(tell)

    assert line.cut_after == b"", "the line was not cut, so nothing was tried"
    assert store.last_announcement() == 1
    line.close()


def test_a_store_that_is_locked_by_somebody_else_gives_up_instead_of_hanging(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_engine, "_STATEMENT_MS", 400)
    place = address(server)
    store = SqlMeetingStore(place)
    other = server.connect(place.database)
    other.autocommit = False
    other.cursor().execute("LOCK TABLE announcements")
    took = []

    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="57014"):
            store.write(tell)
        took.append(time.monotonic() - started)

    assert min(took) < 4
    other.close()
    store.write(tell)


def test_a_wrong_password_is_told_by_its_code_and_a_new_one_is_read_without_a_restart(
    server: Postgres, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(server.password)
    place = address(server, password_file=file)
    store = SqlMeetingStore(place)
    store.write(tell)
    file.write_text("not the password")
    _cut(server, place)

    with logged() as said, pytest.raises(StoreUnavailableError, match="28P01"):
        store.last_announcement()
    file.write_text(server.password)
    until(lambda: store.last_announcement() == 1, passing=COMES_BACK)

    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [(line["message"], line["store"]) for line in lines] == [("database cannot be reached", "meetings")]
    assert "not the password" not in said.getvalue()


def test_two_stores_in_one_database_do_not_start(server: Postgres) -> None:
    """A join would cross from a pseudonym to a name."""
    place = address(server)
    SqlMeetingStore(place)

    with pytest.raises(ConfigurationError, match="holds the store meetings"):
        SqlPeopleStore(place, kek=bytes(32), index_key=bytes(32))


def test_a_server_that_is_not_there_at_the_start_stops_it_with_its_name(tmp_path: Path) -> None:
    place = PostgresAddress("tillit", "127.0.0.1", free_port(), "meetings", verified=False)

    with pytest.raises(StoreUnavailableError, match=r"meetings on 127\.0\.0\.1"):
        SqlMeetingStore(place)


def test_a_server_without_a_certificate_or_with_anothers_is_not_spoken_to(tmp_path: Path) -> None:
    ours, foreign = TestCa(tmp_path / "ours"), TestCa(tmp_path / "foreign")
    with running_postgres() as server:
        database = server.new_database()
        place = address(server, database, host="localhost", verified=True, ca_file=ours.file)
        with pytest.raises(StoreUnavailableError):
            SqlMeetingStore(place)

        key, certificate = ours.issue("localhost")
        server.take_certificate(key, certificate)
        store = SqlMeetingStore(place)
        assert store.is_healthy()
        assert server.run(database, "SELECT bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)")[0][0]
        with pytest.raises(StoreUnavailableError):
            SqlMeetingStore(PostgresAddress(**(vars(place) | {"ca_file": foreign.file})))
        with pytest.raises(StoreUnavailableError):
            SqlMeetingStore(PostgresAddress(**(vars(place) | {"host": "127.0.0.1"})))


def test_a_crash_of_the_server_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    with running_postgres("fsync=on") as server:
        store = SqlMeetingStore(address(server))
        for _ in range(20):
            store.write(tell)
        server.stop(signal.SIGQUIT)
        server.start()

        until(lambda: store.last_announcement() == 20, passing=COMES_BACK)


def test_meetings_in_the_database_and_an_empty_disk_are_no_new_bank(server: Postgres, tmp_path: Path) -> None:
    """The log's disk is not mounted: beginning anew would hide years of evidence behind an empty log."""
    environ = {
        f"TILLIT_STORES__{store.upper()}": server.url(server.new_database())
        for store in ("meetings", "people", "sessions")
    }
    product = Product(tmp_path, files=True, environ=environ)
    product.book()
    assert product.kinds() != []
    (tmp_path / "data" / "audit").rename(tmp_path / "elsewhere")

    with pytest.raises(TillitError, match=r"audit|log"):
        build(load_settings(tmp_path / "tillit.toml", environ), plugins=product.stub)


def test_an_act_that_failed_leaves_a_gap_in_the_numbers_and_every_page_connected(server: Postgres) -> None:
    """A number is used up by an act that is undone. Pages would take the gap for something they missed."""
    store = SqlMeetingStore(address(server))
    heard = Feed(store).listen(lambda _: True)
    assert next(heard) == []

    def fails(tx: SqlMeetingTx) -> None:
        tell(tx)
        raise ConflictError

    for _ in range(3):
        with pytest.raises(ConflictError):
            store.write(fails)
    store.write(tell)

    assert [told.kind for told in next(heard)] == ["hand.raised"]
    assert store.last_announcement() > 1, "there was no gap, so nothing was tried"


def _cut(server: Postgres, place: PostgresAddress) -> None:
    server.run("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=%s", place.database)

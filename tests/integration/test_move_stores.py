"""From SQLite files to a real PostgreSQL: a pilot's data moves whole, or not at all."""

import hashlib
import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.cli import main
from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, SAMIR, Product, guest
from tests.servers.postgres import Postgres, postgres_folder, running_postgres

pytestmark = pytest.mark.skipif(postgres_folder() is None, reason="PostgreSQL is not installed")
STORES = ("meetings", "people", "sessions")
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


def hold_meetings(folder: str) -> None:
    """A pilot's weeks, in a process of its own: meetings, places, chat, messages, sessions, records of plugins."""
    product = Product(Path(folder), files=True)
    for _ in range(3):
        meeting = product.book(guests=[guest(SAMIR)])
        adviser = product.opens(meeting)
        adviser.joins()
        adviser.post("room/chat", {"text": "Räntan är rörlig."})
        product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
        product.worker()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled = SPAWN.Process(target=hold_meetings, args=(str(tmp_path),))
    filled.start()
    filled.join(120)
    assert filled.exitcode == 0
    return tmp_path


@pytest.fixture
def environ(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings that put the three stores into empty databases of the server."""
    found = {f"TILLIT_STORES__{name.upper()}": server.url(server.new_database()) for name in STORES}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def move(folder: Path) -> int:
    return main(["--settings", str(folder / "tillit.toml"), "move-stores"])


def kept(folder: Path) -> dict[str, str]:
    """Return a digest of each file that is not a store's."""
    files = (each for part in ("audit", "objects", "keys") for each in (folder / "data").parent.rglob(f"*{part}*/**/*"))
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files if each.is_file()}


def test_a_pilots_data_moves_whole_and_the_bank_goes_on_where_it_was(
    folder: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    others = kept(folder)
    with closing(sqlite3.connect(folder / "data" / "meetings.sqlite")) as db:
        (announced,) = db.execute("SELECT max(number) FROM announcements").fetchone()
        places = [row[0] for row in db.execute("SELECT id FROM participants ORDER BY rowid")]

    assert move(folder) == 0

    said = capsys.readouterr().out
    assert [line.partition(":")[0] for line in said.splitlines()[:3]] == list(STORES)
    assert kept(folder) == others
    assert not list((folder / "data").glob("*.sqlite"))
    assert len(list((folder / "data").glob("*.sqlite.moved"))) == 3
    product = Product(folder, files=True, environ=environ)
    meetings = product.services.meetings
    assert meetings.last_announcement() == announced
    found = [meetings.participant(each) for each in places]  # type: ignore[arg-type]  # ids as they were stored
    assert {product.services.people.get(each.person).name for each in found if each.person} == {MAJA.name, SAMIR.name}
    assert [each.id for each in meetings.participants(found[0].meeting)] == places[:3]
    later = product.book()
    assert product.services.meetings.last_announcement() > announced
    assert {record.meeting for record in product.records()} >= {found[0].meeting, later.id}
    assert move(folder) == 2
    assert "nothing to move" in capsys.readouterr().err


def test_a_store_that_is_open_or_has_no_empty_place_stays_as_it_is(
    folder: Path, environ: dict[str, str], server: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "data" / "meetings.sqlite"
    with closing(sqlite3.connect(file)) as web:  # a process that was not stopped
        web.execute("SELECT count(*) FROM meetings").fetchall()
        assert move(folder) == 2
        assert "meetings.sqlite is in use. Stop web and worker" in capsys.readouterr().err

    with closing(sqlite3.connect(file)) as db, db:  # what PostgreSQL cannot hold
        db.execute("INSERT INTO chat VALUES ('c_odd', 'm', 'now', ?)", ("a\0b",))
    assert move(folder) == 2
    assert "chat holds a text with a null character" in capsys.readouterr().err
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM chat WHERE id='c_odd'")
        count = db.execute("SELECT count(*) FROM meetings").fetchone()
    database = environ["TILLIT_STORES__MEETINGS"].partition("?")[0].rpartition("/")[2]
    assert server.run(database, "SELECT count(*) FROM meetings") == [[0]]  # nothing of the try that failed

    server.run(database, "INSERT INTO readers (name, number) VALUES ('plugins', 1)")
    capsys.readouterr()
    assert move(folder) == 2
    assert "holds rows in readers already" in capsys.readouterr().err
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM meetings").fetchone() == count

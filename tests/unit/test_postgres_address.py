"""A database's address says where and how, and never how one proves oneself in the clear."""

import pytest

from sidecar.adapters.sql.postgres_address import read_postgres_url
from sidecar.adapters.sql.postgres_engine import in_postgres_words
from sidecar.domain.errors import ConfigurationError


def read(text: str) -> object:
    return read_postgres_url(text, key="stores.meetings")


def test_a_connection_that_leaves_the_machine_is_verified_unless_somebody_says_otherwise() -> None:
    far = read_postgres_url("postgresql://tillit@db.bank.example/meetings", key="k")

    assert (far.host, far.port, far.database, far.verified) == ("db.bank.example", 5432, "meetings", True)
    assert not read_postgres_url("postgresql://tillit@db/meetings?sslmode=disable", key="k").verified
    for here in ("127.0.0.1", "localhost", "[::1]"):
        assert not read_postgres_url(f"postgresql://tillit@{here}:5433/meetings", key="k").verified


def test_a_socket_of_this_machine_is_named_by_its_folder() -> None:
    found = read_postgres_url("postgresql://tillit@/people?host=/run/postgresql", key="k")

    assert found.socket == "/run/postgresql/.s.PGSQL.5432"
    assert not found.verified


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("postgresql://tillit:hunter2@db/meetings", "holds a password"),
        ("postgresql://tillit@db/meetings?sslmode=prefer", "led astray"),
        ("postgresql://tillit@db/meetings?sslmode=require", "led astray"),
        ("postgresql://tillit@db/meetings?sslmod=disable", "not an option"),
        ("postgresql://tillit@db/meetings?password_file=secrets/db", "absolute"),
        ("postgresql://tillit@/meetings", "names no host"),
        ("postgresql://tillit@/meetings?host=db", "names no host"),
        ("postgresql://db/meetings", "form"),
        ("postgresql://tillit@db/", "form"),
        ("postgresql://tillit@db:port/meetings", "form"),
        ("mysql://tillit@db/meetings", "form"),
        ("sqllite", "form"),
    ],
)
def test_what_is_no_address_stops_the_start_with_the_settings_name_and_no_password(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(text)

    assert says in refused.value.detail
    assert "stores.meetings" in refused.value.detail
    assert "hunter2" not in refused.value.detail


def test_tables_compare_text_byte_by_byte_and_know_in_which_order_rows_came() -> None:
    written = in_postgres_words(
        "CREATE TABLE a (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL REFERENCES b (id), data BLOB)"
    )

    assert written == (
        'CREATE TABLE a (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT COLLATE "C" NOT NULL '
        "REFERENCES b (id), data BYTEA, rowid BIGINT GENERATED ALWAYS AS IDENTITY)"
    )
    assert in_postgres_words("CREATE INDEX by_id ON a (id)") == "CREATE INDEX by_id ON a (id)"

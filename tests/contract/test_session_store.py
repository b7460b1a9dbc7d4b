"""Web sessions: over when they expire, gone when they are dropped, and never brought back by a late request."""

from datetime import UTC, datetime, timedelta

import pytest

from sidecar.adapters.sql.session_store import SqlSessionStore
from sidecar.services.ports import SessionStore
from tests.contract.conftest import Places

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=10)
ID = "a-session-id-of-more-than-twenty-signs"
BODY = {"csrf": "x", "places": ["p_maja"]}


@pytest.fixture
def store(places: Places) -> SqlSessionStore:
    store = SqlSessionStore(places("sessions"), key=bytes(32))
    store.put(ID, BODY, expires_at=LATER)
    return store


def test_a_session_reads_back_until_it_expires(store: SessionStore) -> None:
    assert store.get(ID, now=NOON) == BODY
    assert store.get(ID, now=LATER) is None
    assert store.get("another-session-id-of-the-same-length", now=NOON) is None


def test_a_dropped_session_is_gone_and_the_store_says_whether_there_was_one(store: SessionStore) -> None:
    assert store.drop(ID) is True
    assert store.get(ID, now=NOON) is None
    assert store.drop(ID) is False


@pytest.mark.requirement("R015")
def test_a_request_that_ends_after_the_sign_out_does_not_bring_the_session_back(store: SessionStore) -> None:
    store.drop(ID)

    assert store.update(ID, BODY, expires_at=LATER) is False
    assert store.get(ID, now=NOON) is None


def test_an_update_replaces_what_the_session_holds(store: SessionStore) -> None:
    assert store.update(ID, {"csrf": "y"}, expires_at=LATER) is True
    assert store.get(ID, now=NOON) == {"csrf": "y"}


def test_the_file_holds_neither_ids_nor_what_sessions_hold(store: SessionStore, places: Places) -> None:
    data = places.bytes_kept("sessions", "web_sessions")

    assert ID.encode() not in data
    assert b"p_maja" not in data


def test_after_a_change_of_keys_every_session_is_over(store: SessionStore, places: Places) -> None:
    assert SqlSessionStore(places("sessions"), key=b"k" * 32).get(ID, now=NOON) is None


def test_expired_sessions_can_be_swept_away(store: SqlSessionStore) -> None:
    store.put(f"{ID}-2", BODY, expires_at=NOON)
    store.drop_expired(NOON)

    assert store.drop(f"{ID}-2") is False
    assert store.drop(ID) is True

"""Plugins' documents in the meetings store: one name, one winner of two writers, and undone with their act."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sidecar.adapters.sealing import KeySealer
from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.domain.errors import ConfigurationError, ConflictError, InvalidInputError, NotFoundError
from sidecar.domain.errors import StoreUnavailableError as Unavailable
from sidecar.domain.ids import MeetingId
from sidecar.services.plugin_records import PluginRecords, PluginRecordsTx
from sidecar.services.ports import MeetingStore, MeetingTx
from sidecar.services.record_ports import SealedRecord
from tests.contract.conftest import Places

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEALER = KeySealer(b"k" * 32)
NOTE = SealedRecord("notebook", "notes", "one", MeetingId("m_one"), 1, NOON, b"\x00sealed\xff")


@pytest.fixture
def store(places: Places) -> MeetingStore:
    return SqlMeetingStore(places("meetings"))


def inside(tx: MeetingTx, plugin: str = "notebook", *, sealer: KeySealer = SEALER) -> PluginRecordsTx:
    def no_message(*_: object, **__: object) -> None:
        raise AssertionError

    return PluginRecordsTx(
        plugin,
        tx,
        sealer,
        now=NOON,
        takes_errand=lambda kind: kind == "notebook.bind",
        message=no_message,  # type: ignore[arg-type]  # never called here
    )


def test_what_was_added_is_found_as_it_was(store: MeetingStore) -> None:
    store.write(lambda tx: tx.add_record(NOTE))

    assert store.find_record("notebook", "notes", "one") == NOTE
    assert store.find_record("notebook", "notes", "two") is None
    assert store.find_record("diary", "notes", "one") is None
    assert store.find_record("notebook", "pages", "one") is None


def test_two_of_one_name_cannot_be(store: MeetingStore) -> None:
    store.write(lambda tx: tx.add_record(NOTE))

    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.add_record(replace(NOTE, sealed=b"other")))
    assert store.find_record("notebook", "notes", "one") == NOTE


def test_of_two_who_change_the_same_version_one_is_told(store: MeetingStore) -> None:
    store.write(lambda tx: tx.add_record(NOTE))
    later = replace(NOTE, version=2, sealed=b"later", updated_at=NOON + timedelta(minutes=1), meeting=None)
    store.write(lambda tx: tx.save_record(later, expected=1))

    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save_record(replace(NOTE, version=2), expected=1))
    assert store.find_record("notebook", "notes", "one") == later


def test_a_meetings_documents_come_in_the_order_they_were_added(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        for name, meeting in (("b", "m_one"), ("a", "m_one"), ("c", "m_two")):
            tx.add_record(replace(NOTE, id=name, meeting=MeetingId(meeting)))
        tx.save_record(replace(NOTE, id="b", version=2), expected=1)

    store.write(effect)

    def names(**options: object) -> list[str]:
        return [each.id for each in store.records("notebook", "notes", **options)]  # type: ignore[arg-type]

    assert names() == ["b", "a", "c"]
    assert names(meeting=MeetingId("m_one")) == ["b", "a"]
    assert names(limit=1) == ["b"]


def test_a_transaction_reads_its_own_changes_and_leaves_nothing_where_it_fails(store: MeetingStore) -> None:
    def effect(tx: MeetingTx) -> None:
        tx.add_record(NOTE)
        assert tx.find_record("notebook", "notes", "one") == NOTE
        assert [each.id for each in tx.records("notebook", "notes")] == ["one"]
        raise ConflictError("after all")

    with pytest.raises(ConflictError):
        store.write(effect)
    assert store.find_record("notebook", "notes", "one") is None


def test_a_dropped_document_is_gone_and_dropping_it_twice_is_no_error(store: MeetingStore) -> None:
    store.write(lambda tx: tx.add_record(NOTE))
    for _ in range(2):
        store.write(lambda tx: tx.drop_record("notebook", "notes", "one"))

    assert store.find_record("notebook", "notes", "one") is None


# As a plugin has them


def test_a_document_is_sealed_under_its_own_name(store: MeetingStore, places: Places) -> None:
    store.write(lambda tx: inside(tx).put("notes", "one", {"words": "The roof leaks"}, meeting="m_one"))

    found = PluginRecords("notebook", store, SEALER).get("notes", "one")
    assert (found.id, found.meeting, found.version, found.body, found.updated_at) == (
        "one",
        "m_one",
        1,
        {"words": "The roof leaks"},
        NOON,
    )
    assert b"The roof leaks" not in places.bytes_kept("meetings", "plugin_records")
    with pytest.raises(Unavailable):
        PluginRecords("notebook", store, KeySealer(b"x" * 32)).get("notes", "one")
    places.run("meetings", "UPDATE plugin_records SET id='two'")
    with pytest.raises(Unavailable):
        PluginRecords("notebook", store, SEALER).get("notes", "two")


def test_the_version_grows_and_an_expected_one_is_held(store: MeetingStore) -> None:
    def put(words: str, expected: int | None) -> int:
        return store.write(lambda tx: inside(tx).put("notes", "one", {"words": words}, expected=expected))

    assert [put("a", 0), put("b", 1), put("c", None)] == [1, 2, 3]
    for wrong in (0, 2, 4):
        with pytest.raises(ConflictError):
            put("d", wrong)
    assert PluginRecords("notebook", store, SEALER).get("notes", "one").body == {"words": "c"}


def test_a_document_keeps_its_meeting_until_another_is_named(store: MeetingStore) -> None:
    for meeting in ("m_one", None, "m_two"):
        store.write(lambda tx, meeting=meeting: inside(tx).put("notes", "one", {}, meeting=meeting))  # type: ignore[misc]

    assert PluginRecords("notebook", store, SEALER).get("notes", "one").meeting == "m_two"


@pytest.mark.parametrize("name", ["", "../one", "a/b", "å", "x" * 121, "one\n"])
def test_a_name_that_is_none_is_nobodys(store: MeetingStore, name: str) -> None:
    with pytest.raises(NotFoundError):
        PluginRecords("notebook", store, SEALER).get("notes", name)
    with pytest.raises(NotFoundError):
        store.write(lambda tx: inside(tx).put(name, "one", {}))


def test_what_is_too_large_or_no_json_is_refused(store: MeetingStore) -> None:
    with pytest.raises(InvalidInputError):
        store.write(lambda tx: inside(tx).put("notes", "one", {"words": "w" * 1_100_000}))
    with pytest.raises(ValueError, match="JSON"):
        store.write(lambda tx: inside(tx).put("notes", "one", {"sum": float("nan")}))
    with pytest.raises(TypeError):
        store.write(lambda tx: inside(tx).put("notes", "one", {"when": NOON}))


def test_an_errand_of_a_plugins_is_its_own_and_sealed(store: MeetingStore, places: Places) -> None:
    store.write(lambda tx: inside(tx).add_errand("notebook.bind", {"words": "The roof leaks"}))

    (errand,) = store.due_errands(NOON)
    assert (errand.kind, errand.body["plugin"]) == ("notebook.bind", "notebook")
    assert b"The roof leaks" not in places.bytes_kept("meetings", "errands")
    for kind in ("notebook.burn", "bridge.end", "message"):
        with pytest.raises(ConfigurationError):
            store.write(lambda tx, kind=kind: inside(tx).add_errand(kind, {}))  # type: ignore[misc]


def test_work_that_was_given_up_is_listed(store: MeetingStore) -> None:
    store.write(lambda tx: inside(tx).add_errand("notebook.bind", {}))
    (errand,) = store.due_errands(NOON)

    assert store.failed_errands() == []
    store.write(lambda tx: tx.save_errand(replace(errand, state="failed")))
    assert [each.id for each in store.failed_errands()] == [errand.id]

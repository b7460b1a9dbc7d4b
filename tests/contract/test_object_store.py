"""Encrypted objects: each under its own key, unreadable without it, and honest about a disk that fails."""

import errno
import json
import os
from pathlib import Path

import pytest

from sidecar.adapters.file_objects import FileObjects
from sidecar.domain.errors import NotFoundError, StoreUnavailableError
from sidecar.domain.ids import MeetingId
from sidecar.services.ports import ObjectStore

DATA = b"<signature>Maja Granlid</signature>"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return FileObjects(tmp_path, kek=bytes(32))


def put(store: ObjectStore, data: bytes = DATA) -> str:
    return store.put(object_class="identity-evidence", meeting=MeetingId("m_one"), data=data)


def files(folder: Path, object_id: str) -> dict[str, Path]:
    return {path.suffix: path for path in folder.rglob(f"{object_id}.*")}


def test_an_object_reads_back_after_a_restart(store: ObjectStore, tmp_path: Path) -> None:
    object_id = put(store)

    assert store.get(object_id) == DATA
    assert FileObjects(tmp_path, kek=bytes(32)).get(object_id) == DATA
    assert store.get(put(store, b"")) == b""


@pytest.mark.requirement("R125")
def test_nothing_of_an_object_lies_on_disk_in_clear_and_equal_ones_look_different(
    store: ObjectStore, tmp_path: Path
) -> None:
    one, other = put(store), put(store)
    lying = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert not any(b"Maja" in data for data in lying.values())
    assert lying[f"{one}.bin"] != lying[f"{other}.bin"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("o_*"))


@pytest.mark.requirement("R202")
def test_an_object_whose_key_is_destroyed_is_gone(store: ObjectStore, tmp_path: Path) -> None:
    object_id = put(store)
    files(tmp_path, object_id)[".json"].unlink()

    with pytest.raises(NotFoundError):
        store.get(object_id)


def test_a_key_moved_to_another_object_opens_nothing(store: ObjectStore, tmp_path: Path) -> None:
    one, other = put(store), put(store, b"another")
    files(tmp_path, one)[".json"].write_bytes(files(tmp_path, other)[".json"].read_bytes())

    with pytest.raises(NotFoundError):
        store.get(one)


def test_a_changed_byte_is_noticed(store: ObjectStore, tmp_path: Path) -> None:
    object_id = put(store)
    sealed = files(tmp_path, object_id)[".bin"]
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)

    with pytest.raises(NotFoundError):
        store.get(object_id)


@pytest.mark.parametrize(
    "name", ["", "o_", "../../etc/passwd", "o_22222222222222222222/../x", "o_2222222222222222222\n"]
)
def test_a_name_that_is_none_of_ours_reaches_no_file(store: ObjectStore, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.get(name)


def test_a_description_that_cannot_be_read_is_trouble_with_the_store(store: ObjectStore, tmp_path: Path) -> None:
    object_id = put(store)
    for broken in ("no json", json.dumps({"class": "x"}), json.dumps([])):
        files(tmp_path, object_id)[".json"].write_text(broken)

        with pytest.raises(StoreUnavailableError):
            store.get(object_id)


def test_a_full_disk_is_told_and_no_object_is_promised(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StoreUnavailableError):
        put(store)


def test_a_new_folder_is_made_durable_before_the_object_counts(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without that, a power cut could take the folder with everything that had been promised in it."""
    synced: list[str] = []
    really = os.fsync

    def watch(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        really(handle)

    monkeypatch.setattr(os, "fsync", watch)
    object_id = put(store)
    folder = tmp_path / object_id[2:4]

    assert synced[0] == str(tmp_path)
    assert {str(folder), str(folder / f"{object_id}.bin"), str(folder / f"{object_id}.json")} <= set(synced)
    assert synced[-1] == str(folder)
    assert synced.count(str(folder)) == 1  # one sync holds both names


def test_a_dropped_object_is_gone_with_its_key_and_dropping_it_twice_is_no_error(
    store: ObjectStore, tmp_path: Path
) -> None:
    object_id, other = put(store), put(store)

    for _ in range(2):
        store.drop(object_id)
    store.drop("../../etc/passwd")

    with pytest.raises(NotFoundError):
        store.get(object_id)
    assert store.get(other)
    assert not list(tmp_path.rglob(f"{object_id}*"))

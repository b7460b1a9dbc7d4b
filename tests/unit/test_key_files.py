"""The key folder: private, crash-safe, and rotated without a token falling between two keys."""

import json
import multiprocessing
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.adapters import key_files
from sidecar.adapters.key_files import PURPOSES, KeyRing, Purpose
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import JwkSet

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def ring(folder: Path, clock: Clock) -> KeyRing:
    return KeyRing.open(folder, clock=clock)


def private_kids(folder: Path, purpose: str) -> set[str]:
    return {path.name.split(".")[1] for path in folder.glob(f"{purpose}.*.pem")}


def test_a_new_folder_is_private_to_its_owner(ring: KeyRing, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["", "root.secret", "join.json"])
def test_refuses_a_folder_that_others_may_read(folder: Path, ring: KeyRing, name: str) -> None:
    (folder / name).chmod(0o750 if not name else 0o640)

    with pytest.raises(ConfigurationError, match="read by others"):
        KeyRing.open(folder)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_a_purpose_signs_its_public_key_verifies(ring: KeyRing, purpose: Purpose) -> None:
    key = ring.signing_key(purpose)
    verify_key = ring.jwks(purpose).find(key.kid, key.algorithm)

    assert verify_key is not None
    verify_key.check(b"data", key.sign(b"data"))


def test_no_key_serves_two_purposes(ring: KeyRing) -> None:
    kids = [kid for purpose in PURPOSES for kid in ring.jwks(purpose).kids]

    assert len(kids) == len(set(kids)) == 2 * len(PURPOSES)


def test_a_published_key_says_nothing_private(ring: KeyRing) -> None:
    for key in ring.jwks("join").document()["keys"]:
        assert key.keys() == {"kid", "kty", "crv", "x", "y", "use", "alg"}


def test_opening_again_finds_the_same_keys_and_secrets(folder: Path, ring: KeyRing) -> None:
    again = KeyRing.open(folder)

    assert [again.signing_key(each).kid for each in PURPOSES] == [ring.signing_key(each).kid for each in PURPOSES]
    assert again.secret("cookies") == ring.secret("cookies")


def test_a_ring_file_is_itself_a_key_set_for_those_without_this_class(ring: KeyRing, folder: Path) -> None:
    assert JwkSet.from_json((folder / "control.json").read_bytes()).kids == ring.jwks("control").kids


@pytest.mark.requirement("R011")
def test_a_rotation_signs_with_the_key_that_was_published_before(ring: KeyRing) -> None:
    """Whoever caches the document must know the new key when the first token signed with it arrives."""
    known_before = ring.jwks("join").kids
    old = ring.signing_key("join").kid

    new = ring.rotate("join", LATER)

    assert ring.signing_key("join").kid == new != old
    assert new in known_before


@pytest.mark.requirement("R011")
def test_an_old_key_is_published_until_its_last_token_is_over(ring: KeyRing, clock: Clock, folder: Path) -> None:
    old = ring.signing_key("join").kid
    ring.rotate("join", NOON)

    clock.now = NOON + timedelta(seconds=150)  # a token of 120 s, minted at the last moment, and the skew
    assert old in ring.jwks("join").kids
    clock.now = NOON + timedelta(minutes=10)
    assert old not in ring.jwks("join").kids
    assert old not in private_kids(folder, "join")  # it signs nothing from the first moment on


def test_keys_of_the_audit_log_stay_published_for_good(ring: KeyRing, clock: Clock) -> None:
    old = ring.signing_key("audit").kid
    ring.rotate("audit", NOON, compromised=True)
    ring.rotate("audit", NOON)

    clock.now = NOON + timedelta(days=3653)
    assert old in ring.jwks("audit").kids


def test_a_stolen_key_is_out_at_once_and_so_is_the_one_prepared(ring: KeyRing) -> None:
    before = ring.jwks("join").kids

    ring.rotate("join", NOON, compromised=True)

    assert ring.jwks("join").kids.isdisjoint(before)


def test_a_stolen_key_cannot_be_kept_by_an_earlier_rotation(ring: KeyRing) -> None:
    stolen = ring.signing_key("join").kid
    ring.rotate("join", NOON)
    assert stolen in ring.jwks("join").kids

    ring.rotate("join", NOON, compromised=True)

    assert stolen not in ring.jwks("join").kids


def test_other_processes_notice_a_rotation_at_their_next_call(ring: KeyRing, folder: Path, clock: Clock) -> None:
    other = KeyRing.open(folder, clock=clock)
    other.signing_key("join")

    new = ring.rotate("join", LATER)

    assert other.signing_key("join").kid == new
    assert other.jwks("join").kids == ring.jwks("join").kids


def test_a_call_between_rotations_reads_no_file(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    key, jwks = ring.signing_key("join"), ring.jwks("join")
    monkeypatch.setattr(Path, "open", None)
    monkeypatch.setattr(Path, "read_bytes", None)

    assert ring.signing_key("join") is key
    assert ring.jwks("join") is jwks


class Crash(Exception):
    pass


def test_a_rotation_cut_off_at_any_write_leaves_one_working_key(
    ring: KeyRing, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest_write, honest_fsync = key_files._write_durably, os.fsync
    for last_step in range(1, 6):
        steps: Iterator[int] = iter(range(1, last_step))

        def step_or_crash(steps: Iterator[int] = steps) -> None:
            if next(steps, None) is None:
                raise Crash

        def fsync(handle: int) -> None:
            step_or_crash()
            honest_fsync(handle)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fsync)
            try:
                ring.rotate("join", NOON)
                crashed = False
            except Crash:
                crashed = True
        assert crashed == (last_step < 5)  # two files, each synced and then its folder

        survivor = KeyRing.open(folder, clock=Clock())
        key = survivor.signing_key("join")
        verify_key = survivor.jwks("join").find(key.kid, "ES256")
        assert verify_key is not None
        verify_key.check(b"data", key.sign(b"data"))
        assert len(private_kids(folder, "join")) == 2
        assert not list(folder.glob("*.draft")) + list(folder.glob(".*.draft"))
    assert key_files._write_durably is honest_write


def _rotate_often(folder: str, times: int) -> None:
    ring = KeyRing.open(Path(folder))
    for _ in range(times):
        ring.rotate("join", NOON)
        ring.signing_key("join").sign(b"data")


def test_two_processes_may_open_and_rotate_at_the_same_moment(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_rotate_often, args=(str(folder), 5)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)

    assert [process.exitcode for process in processes] == [0, 0]
    keys = json.loads((folder / "join.json").read_text())["keys"]
    states = [key["tillit_state"] for key in keys]
    assert sorted(states) == ["current", "next"] + ["retired"] * 10  # not one rotation was lost
    assert len({key["kid"] for key in keys}) == 12


def test_an_algorithm_changed_in_settings_signs_nothing_before_a_rotation(folder: Path, ring: KeyRing) -> None:
    on_jitsi = KeyRing.open(folder, algorithms={"join": "RS256"}, clock=Clock())
    with pytest.raises(ConfigurationError, match="rotate-keys join"):
        on_jitsi.signing_key("join")

    on_jitsi.rotate("join", NOON)

    assert on_jitsi.signing_key("join").algorithm == "RS256"
    on_jitsi.rotate("join", NOON)
    assert on_jitsi.signing_key("join").algorithm == "RS256"


def test_refuses_an_algorithm_the_purpose_does_not_have(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="RS256"):
        KeyRing.open(folder, algorithms={"control": "RS256"})


def test_a_lost_root_secret_is_not_replaced_in_silence(folder: Path, ring: KeyRing) -> None:
    (folder / "root.secret").unlink()

    with pytest.raises(ConfigurationError, match="Restore it"):
        KeyRing.open(folder)


def test_refuses_a_private_key_that_was_exchanged(folder: Path, ring: KeyRing, clock: Clock) -> None:
    current = ring.signing_key("join").kid
    control = folder / f"control.{ring.signing_key('control').kid}.pem"
    (folder / f"join.{current}.pem").write_bytes(control.read_bytes())

    with pytest.raises(ConfigurationError, match="not the one"):
        KeyRing.open(folder, clock=clock).signing_key("join")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys": []}', b"[1]"])
def test_refuses_a_ring_it_cannot_read(folder: Path, ring: KeyRing, content: bytes) -> None:
    (folder / "join.json").write_bytes(content)

    with pytest.raises(ConfigurationError):
        KeyRing.open(folder)


def test_secrets_differ_by_name_and_by_deployment(ring: KeyRing, tmp_path: Path) -> None:
    elsewhere = KeyRing.open(tmp_path / "other")
    secrets = {ring.secret("cookies"), ring.secret("plugin.bankid"), elsewhere.secret("cookies")}

    assert len(secrets) == 3
    assert {len(secret) for secret in secrets} == {32}

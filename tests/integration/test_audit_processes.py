"""Several processes and many threads write one log at once: no entry lost, none twice, none torn."""

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.adapters.audit_files import FileAuditLog
from sidecar.domain.audit import AuditRecord, Ed25519Signer, root_of
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = "bank.example/tillit"
SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")


def open_log(directory: Path, *, create: bool = False) -> FileAuditLog:
    return FileAuditLog(directory, SIGNER, origin=ORIGIN, create=create, segment_entries=64)


def record(writer: int, number: int) -> AuditRecord:
    return AuditRecord(
        "hand.raised",
        MeetingId(f"m_{writer}"),
        "per_maja",
        NOON + timedelta(milliseconds=number),
        {"writer": writer, "n": number},
    )


def write(directory: Path, writer: int, count: int, threads: int, answers: Connection) -> None:
    """Append from several threads; answer with where each record was said to stand."""
    log = open_log(directory)
    said: list[tuple[int, int, int]] = []

    def run(thread: int) -> None:
        for number in range(thread, count, threads):
            index = log.append(record(writer, number))[0].index
            said.append((writer, number, index))

    running = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    answers.send(said)


@pytest.mark.requirement("R119")
def test_four_processes_of_four_threads_share_one_log(tmp_path: Path) -> None:
    log = open_log(tmp_path, create=True)
    pipes = [SPAWN.Pipe(duplex=False) for _ in range(4)]
    writers = [SPAWN.Process(target=write, args=(tmp_path, writer, 120, 4, pipes[writer][1])) for writer in range(4)]
    for process in writers:
        process.start()
    said = [answer for receiving, _ in pipes for answer in receiving.recv()]
    for process in writers:
        process.join(60)
        assert process.exitcode == 0

    entries = list(log.read_all())
    assert log.size == len(entries) == len(said) == 480
    stands = {(entry.record.data["writer"], entry.record.data["n"]): entry.index for entry in entries}
    assert stands == {(writer, number): index for writer, number, index in said}
    assert log.verify().ok
    assert log.checkpoint(NOON).checkpoint.root == root_of([entry.leaf_hash for entry in entries])
    assert [len(log.read(MeetingId(f"m_{writer}"))) for writer in range(4)] == [120] * 4


def fill_until_killed(directory: Path, ready: Connection) -> None:
    log = open_log(directory)
    number = 0
    while True:
        index = log.append(record(9, number))[0].index
        ready.send(index)
        number += 1


@pytest.mark.requirement("R119")
def test_a_process_killed_while_it_writes_loses_nothing_it_was_told_is_written(tmp_path: Path) -> None:
    log = open_log(tmp_path, create=True)
    for _ in range(3):
        receiving, sending = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=fill_until_killed, args=(tmp_path, sending))
        process.start()
        sending.close()
        told = [receiving.recv() for _ in range(40)]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        while True:
            try:
                told.append(receiving.recv())
            except EOFError:
                break
        log.append(record(1, 0))  # goes on at once, and after what the dead process wrote
        assert {entry.index for entry in log.read_all()} >= set(told)
    assert log.verify().ok


def append_in_child(log: FileAuditLog, answers: Connection) -> None:
    for number in range(50):
        log.append(record(2, number))
    answers.send(log.size)


@pytest.mark.requirement("R119")
def test_a_forked_worker_opens_files_of_its_own(tmp_path: Path) -> None:
    """gunicorn with preload forks after the log was opened; a shared lock would let both write at once."""
    log = open_log(tmp_path, create=True)
    log.append(record(1, 0))
    receiving, sending = FORK.Pipe(duplex=False)
    child = FORK.Process(target=append_in_child, args=(log, sending))
    child.start()
    for number in range(50):
        log.append(record(1, number))
    receiving.recv()
    child.join(60)

    assert child.exitcode == 0
    assert log.size == 101
    assert log.verify().ok
    assert len(log.read(MeetingId("m_2"))) == 50


def create(directory: Path, answers: Connection) -> None:
    log = open_log(directory, create=True)
    answers.send(log.append(record(3, os.getpid()))[0].index)


def test_workers_that_start_at_once_begin_one_log(tmp_path: Path) -> None:
    pipes = [SPAWN.Pipe(duplex=False) for _ in range(3)]
    workers = [SPAWN.Process(target=create, args=(tmp_path / "log", sending)) for _, sending in pipes]
    for worker in workers:
        worker.start()
    indexes = sorted(receiving.recv() for receiving, _ in pipes)
    for worker in workers:
        worker.join(60)

    assert indexes == [0, 1, 2]

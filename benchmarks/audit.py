"""The audit log under load: durable entries per second beside PostgreSQL, and checking a million entries.

`python -m benchmarks.audit [--quick]`. Needs strace, and PostgreSQL from the Debian package; without them the
peer is left out and said so. Everything started is stopped, everything written is in a temporary directory.
"""

import argparse
import asyncio
import glob
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.common import alternate, arguments, figure, median, table
from sidecar.adapters.audit_files import SEGMENT_ENTRIES, FileAuditLog, verify_log
from sidecar.adapters.audit_files.writer import Encoded, Writer
from sidecar.domain.audit import AuditRecord, Ed25519Signer, VerifyingKey, encode, leaf_hash
from sidecar.domain.ids import MeetingId

CLIENTS = 8
IN_FLIGHT = 32  # acts a client has under way at once: the threads of one web worker
SYNC_DELAY_US = 5_000
MILLION = 1_000_000
ORIGIN = "bench.example/log"
SIGNER = Ed25519Signer("bench.example/key", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# --seccomp-bpf stops the traced programs at these two calls only; without it every system call would pay.
SLOW_SYNC = (
    *("strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull),
    *("-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:delay_exit={SYNC_DELAY_US}"),
)


def record(number: int) -> AuditRecord:
    """Return a sign-in as the product writes it: some 320 bytes."""
    return AuditRecord(
        "sign_in.completed",
        MeetingId(f"m_{number % 997:020d}"),
        f"per_{number % 1009:020d}",
        NOON + timedelta(milliseconds=number),
        {
            "participant": f"p_{'a' * 20}",
            "provider": "bankid",
            "method": "bankid-qr",
            "loa": 2,
            "proof_sha256": ["ab" * 32],
        },
    )


# --- clients: each a process of its own, all in one traced tree -------------------------------------------


def file_client(directory: str, in_flight: int, seconds: float, ready: Barrier) -> int:
    """Append one record at a time from each of `in_flight` threads; return how many were durable in time."""
    log = FileAuditLog(Path(directory), SIGNER, origin=ORIGIN)
    counts = [0] * in_flight
    gate = threading.Event()
    ends_at = [0.0]

    def act(place: int) -> None:
        gate.wait()
        number = place
        while time.monotonic() < ends_at[0]:
            log.append(record(number))
            if time.monotonic() < ends_at[0]:
                counts[place] += 1
            number += in_flight

    threads = [threading.Thread(target=act, args=(place,)) for place in range(in_flight)]
    for thread in threads:
        thread.start()
    ready.wait()
    ends_at[0] = time.monotonic() + seconds
    gate.set()
    for thread in threads:
        thread.join()
    return sum(counts)


def postgres_client(sockets: str, in_flight: int, seconds: float, ready: Barrier) -> int:
    """Insert one row per commit over each of `in_flight` connections; the same record, encoded the same."""
    import asyncpg

    async def client() -> int:
        connections = [
            await asyncpg.connect(host=sockets, user="postgres", database="postgres") for _ in range(in_flight)
        ]
        statements = [
            await connection.prepare("insert into entries (meeting, leaf, record) values ($1, $2, $3)")
            for connection in connections
        ]
        ready.wait()
        ends_at = time.monotonic() + seconds
        counts = [0] * in_flight

        async def act(place: int) -> None:
            number = place
            while time.monotonic() < ends_at:
                one = record(number)
                canonical = encode(one)
                await statements[place].fetch(one.meeting, leaf_hash(canonical), canonical)
                if time.monotonic() < ends_at:
                    counts[place] += 1
                number += in_flight

        await asyncio.gather(*(act(place) for place in range(in_flight)))
        for connection in connections:
            await connection.close()
        return sum(counts)

    return asyncio.run(client())


def _client(kind: str, where: str, in_flight: int, seconds: float, ready: Barrier, results: object) -> None:
    act = file_client if kind == "files" else postgres_client
    results.put(act(where, in_flight, seconds, ready))  # type: ignore[attr-defined]  # a multiprocessing queue


def run_clients(kind: str, where: str, in_flight: int, seconds: float) -> None:
    """Run the clients and print how many entries a second they were answered."""
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(CLIENTS)
    results = context.Queue()
    clients = [
        context.Process(target=_client, args=(kind, where, in_flight, seconds, ready, results)) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    total = sum(results.get(timeout=seconds + 60) for _ in clients)
    for client in clients:
        client.join()
    print(json.dumps({"per_second": total / seconds}))


def measured(kind: str, where: str, in_flight: int, seconds: float, *, before: tuple[str, ...] = ()) -> float:
    """Run the clients in a process tree of their own, traced or not, and return entries per second."""
    command = [*before, sys.executable, "-m", "benchmarks.audit", "--clients", kind, "--where", where]
    command += ["--in-flight", str(in_flight), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 90)
    return float(json.loads(done.stdout.splitlines()[-1])["per_second"])


# --- the peer ---------------------------------------------------------------------------------------------


@contextmanager
def slow_postgres(directory: Path, connections: int) -> Iterator[str | None]:
    """Run PostgreSQL with its defaults and slowed syncs; yields its socket directory, None without it."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not programs:
        yield None
        return
    binaries = Path(programs[-1]).parent
    data = directory / "postgres"
    data.mkdir()
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(data, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    subprocess.run(
        [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
    )
    options = f"-c listen_addresses= -c unix_socket_directories={data} -c max_connections={connections + 10}"
    server = subprocess.Popen(
        [*as_user, *SLOW_SYNC, str(binaries / "postgres"), "-D", str(data), *options.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=data,
    )
    try:
        _create_table(binaries / "psql", data)
        yield str(data)
    finally:
        pid_file = data / "postmaster.pid"
        if pid_file.exists():  # not strace: it would let go of the server and leave it running
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _create_table(psql: Path, sockets: Path) -> None:
    statement = "create table entries (index bigserial primary key, meeting text, leaf bytea, record bytea)"
    for _ in range(100):
        done = subprocess.run([str(psql), "-h", str(sockets), "-U", "postgres", "-c", statement], capture_output=True)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start: {done.stderr.decode()}")


# --- the figures ------------------------------------------------------------------------------------------


def durable_entries(*, in_flight: int, name: str, rounds: int, seconds: float, bounds: tuple[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        directory.chmod(0o755)
        FileAuditLog(directory / "log", SIGNER, origin=ORIGIN, create=True).close()
        with slow_postgres(directory, CLIENTS * in_flight) as sockets:

            def ours() -> float:
                return measured("files", str(directory / "log"), in_flight, seconds, before=SLOW_SYNC)

            def peer() -> float:
                assert sockets is not None
                return measured("postgres", sockets, in_flight, seconds)

            theirs: list[float] = []
            if sockets is None:
                mine = [ours() for _ in range(rounds)]
            else:
                mine, theirs = alternate(ours, peer, rounds=rounds)
        report = verify_log(directory / "log", keys=(), segment_entries=SEGMENT_ENTRIES)
        assert report.ok, report.problems  # fast and wrong is not fast
    load = (
        f"{CLIENTS} client processes with {in_flight} act(s) in flight each, a record of 320 bytes per act, "
        f"each answered after its sync; syncs slowed by {SYNC_DELAY_US / 1000:g} ms with strace; "
        f"{rounds} rounds of {seconds:g} s in turn. Ours: FileAuditLog.append, a thread per act. "
    )
    if theirs:
        load += (
            "Peer: PostgreSQL, default settings, synchronous commit, one row per entry, a prepared insert of "
            f"the same encoded record, asyncpg, a connection per act ({CLIENTS * in_flight})."
        )
    else:
        load += "Peer: PostgreSQL is not installed."
    per_second = median(mine)
    against = median(theirs) if theirs else None
    ratio = per_second / against if against else None
    figure(name, per_second, against, ratio, "entries/s", rounds, load, least=bounds[0], aim=bounds[1])


def verify_million(*, processes: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tillit-bench-") as temporary:
        directory = Path(temporary) / "log"
        log = FileAuditLog(directory, SIGNER, origin=ORIGIN, create=True)
        _fill(directory, MILLION)
        log.reopen()
        log.checkpoint(NOON)
        log.close()
        took = []
        for _ in range(repeats):
            began = time.perf_counter()
            report = verify_log(
                directory,
                keys=[VerifyingKey.of(SIGNER)],
                segment_entries=SEGMENT_ENTRIES,
                processes=processes,
            )
            took.append(time.perf_counter() - began)
            assert report.ok, report.problems
            assert report.entries == MILLION
    figure(
        "verify_million_s",
        median(took),
        unit="s",
        n=MILLION,
        load=f"a log of {MILLION:,} entries of 320 bytes, in the page cache: each length, hash and place, "
        f"the hash file beside it, the tree, a signed checkpoint over all; {processes} processes, "
        f"median of {repeats}",
        least="30",
        aim="10",
    )


def _fill(directory: Path, count: int) -> None:
    """Write entries with the product's own writer, the records varied in their time only."""
    before, after = encode(record(0)).split(b"2026-11-24T12:00:00.000Z")
    writer = Writer(directory, SEGMENT_ENTRIES, lambda: 0)
    for start in range(0, count, 4_000):
        batch = []
        for number in range(start, min(start + 4_000, count)):
            seconds, ms = divmod(number, 1000)
            minutes, second = divmod(seconds, 60)
            moment = b"2026-11-24T12:%02d:%02d.%03dZ" % (minutes % 60, second, ms)
            canonical = before + moment + after
            batch.append(Encoded(canonical, leaf_hash(canonical)))
        writer.commit(batch)
    writer.close()


def _hidden(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clients", choices=("files", "postgres"), help=argparse.SUPPRESS)
    parser.add_argument("--where", help=argparse.SUPPRESS)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)


def main() -> None:
    given = arguments(__doc__ or "", _hidden)
    if given.clients:
        run_clients(given.clients, given.where, given.in_flight, given.seconds)
        return
    if shutil.which("strace") is None:
        sys.exit("this bench slows syncs with strace, which is not installed")
    rounds, seconds = (2, 2.0) if given.quick else (5, 4.0)
    durable_entries(
        in_flight=IN_FLIGHT,
        name="durable_entries_per_s",
        rounds=rounds,
        seconds=seconds,
        bounds=("ratio 1, 1,500/s", "ratio 3, 5,000/s"),
    )
    durable_entries(
        in_flight=1,
        name="durable_entries_per_s_one_in_flight",
        rounds=rounds,
        seconds=seconds / 2,
        bounds=("", ""),
    )
    verify_million(processes=min(2, os.cpu_count() or 1), repeats=1 if given.quick else 3)
    table()


if __name__ == "__main__":
    main()

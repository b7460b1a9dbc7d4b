"""The door under load: join tokens minted per second over HTTP, beside a route that only signs.

`python -m benchmarks.tokens [--quick] [--profile]`. Ours is the product as it is served: session and CSRF
checked, everything decided anew, the record synced to disk, the token signed. Everything started is stopped,
everything written is in a temporary directory.
"""

import argparse
import base64
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._http_load import Measured, answer_of, drive, pin, post
from benchmarks._processor import family_of, seconds_of
from benchmarks._profiling import profile
from benchmarks._seeded_bank import HOST, SeededBank, write_settings
from benchmarks.common import alternate, arguments, figure, free_port, median, percentile, started, table

WORKERS = 2
THREADS = 64
CONNECTIONS = 16
SERVER_CORE, LOAD_CORE = 0, 1
_SERVED = (
    f"gunicorn gthread, {WORKERS} workers of {THREADS} threads on core {SERVER_CORE}, the load on core {LOAD_CORE}"
)


def main() -> None:
    given = arguments(__doc__ or "", _more)
    rounds, seconds, meetings = (3, 2.5, 30) if given.quick else (7, 5.0, 150)
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        port, peer_port = free_port(), free_port()
        settings = write_settings(folder, port=port, workers=WORKERS, threads=THREADS)
        requests = list(_token_requests(SeededBank(settings), meetings))
        if given.profile:
            profile(settings, requests)
            return
        with _ours(settings, folder, port) as ours, _peer(folder, port, peer_port, requests) as peer:
            pin(LOAD_CORE)
            rate = admission_rate(ours, peer, requests, rounds=rounds, seconds=seconds)
            admission_p99(ours, requests, rate / 2, rounds=rounds, seconds=seconds)
    table()


@dataclass(frozen=True)
class Server:
    """One of the two under gunicorn: where it listens, and its first process."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return what it used so far. Its workers are looked up each time: the first answer may precede the last."""
        return seconds_of(family_of(self.pid))


def admission_rate(ours: Server, peer: Server, requests: list[bytes], *, rounds: int, seconds: float) -> float:
    """Print how many tokens a second, and what one costs in processor time; return the first."""
    costs: dict[int, list[float]] = {ours.port: [], peer.port: []}

    def run(server: Server) -> float:
        before = server.cpu_seconds()
        seen = drive(server.port, requests, connections=CONNECTIONS, seconds=seconds)
        _check(seen)
        costs[server.port].append((server.cpu_seconds() - before) / len(seen.took_s) * 1000)
        return seen.per_second

    for server in (ours, peer):  # warm: imports, caches, key files
        run(server)
        costs[server.port].clear()
    mine, theirs = alternate(lambda: run(ours), lambda: run(peer), rounds=rounds)
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    load = (
        f"{CONNECTIONS} keep-alive connections, each with one request under way; {_SERVED}; {len(requests)} admitted "
        f"customers in meetings of three, type of band high; {rounds} rounds of {seconds:g} s in turn. "
        "Ours: session, CSRF, policy, durable record, signature. Peer: Flask, the same claims signed."
    )
    spread = f" Ratio of each pair: {min(ratios):.2f} to {max(ratios):.2f}."
    figure(
        "admission_rate",
        median(mine),
        median(theirs),
        median(ratios),
        "tokens/s",
        rounds,
        load + spread,
        least="ratio 0.4",
        aim="ratio 0.85",
    )
    cost, peer_cost = median(costs[ours.port]), median(costs[peer.port])
    figure(
        "admission_cpu_ms",
        cost,
        peer_cost,
        peer_cost / cost,
        "ms",
        rounds,
        f"processor time of all server processes a token, in the same rounds. {load}",
    )
    return median(mine)


def admission_p99(ours: Server, requests: list[bytes], per_second: float, *, rounds: int, seconds: float) -> None:
    """Print how long the slowest of a hundred takes at this steady load."""
    tails, answered = [], 0
    for _ in range(rounds):
        seen = drive(ours.port, requests, connections=4 * CONNECTIONS, seconds=seconds, per_second=per_second)
        _check(seen)
        tails.append(percentile(seen.took_s, 0.99) * 1000)
        answered += len(seen.took_s)
    figure(
        "admission_p99_ms",
        median(tails),
        unit="ms",
        n=answered,
        load=f"{per_second:.0f} requests/s at even steps, each counted from when it was due; {_SERVED}; "
        f"median of {rounds} rounds of {seconds:g} s, {min(tails):.1f} to {max(tails):.1f}",
        least="25",
        aim="10",
    )


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", action="store_true", help="show where one process spends its time instead")


def _token_requests(bank: SeededBank, meetings: int) -> Iterator[bytes]:
    """Yield one request for each meeting: its customer, let in, asks for a join token."""
    for _ in range(meetings):
        _, customer, _ = bank.admit(bank.meeting(with_observer=True))
        visit = bank.visit(customer)
        yield post(f"/v/{customer.id}/room/token", host=HOST, cookie=visit.cookie, csrf=visit.csrf)


@contextmanager
def _ours(settings: Path, folder: Path, port: int) -> Iterator[Server]:
    with _served(["-m", "sidecar", "--settings", str(settings), "web"], folder / "web.log", port, {}) as server:
        yield server


@contextmanager
def _peer(folder: Path, port: int, peer_port: int, requests: list[bytes]) -> Iterator[Server]:
    """Serve the peer the way `sidecar web` serves the product, with the claims of a token from there."""
    token = str(answer_of(drive(port, requests[:1], connections=1, seconds=0.2))["token"])
    (folder / "claims.json").write_bytes(_payload(token))
    command = [
        *("-m", "gunicorn", "benchmarks._signing_peer:app", "--bind", f"127.0.0.1:{peer_port}"),
        *("--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)),
        *("--timeout", "60", "--graceful-timeout", "3", "--keep-alive", "30"),
    ]
    known = {"BENCH_KEYS": str(folder / "keys"), "BENCH_CLAIMS": str(folder / "claims.json")}
    with _served(command, folder / "peer.log", peer_port, known) as server:
        yield server


@contextmanager
def _served(command: list[str], log: Path, port: int, environment: dict[str, str]) -> Iterator[Server]:
    with (
        log.open("wb") as output,
        started(
            [sys.executable, *command],
            stdout=output,
            stderr=output,
            env=os.environ | environment,
            preexec_fn=lambda: pin(SERVER_CORE),
        ) as process,
    ):
        until = time.monotonic() + 30
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("\n".join(log.read_text(errors="replace").splitlines()[-15:]))
            time.sleep(0.05)
        yield Server(port, process.pid)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
    except urllib.error.HTTPError:
        return True  # an answer, whatever it says
    except OSError:
        return False
    return True


def _check(seen: Measured) -> None:
    """Fast and wrong is not fast: the last answer must be a token for the asker's own room."""
    claims = json.loads(_payload(str(answer_of(seen)["token"])))
    assert claims["tillit"]["capacity"] == "customer", claims
    assert claims["context"]["features"], claims


def _payload(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


if __name__ == "__main__":
    main()

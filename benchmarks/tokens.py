"""The door under load: join tokens minted per second over HTTP, beside a route that only signs.

`python -m benchmarks.tokens [--quick] [--profile]`. Ours is the product as it is served: session and CSRF
checked, everything decided anew, the record synced to disk, the token signed. Everything started is stopped,
everything written is in a temporary directory.
"""

import argparse
import base64
import json
import os
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._http_load import Measured, answer_of, drive, pin, post
from benchmarks._profiling import profile
from benchmarks._seeded_bank import HOST, Visitor, seed, write_settings
from benchmarks.common import alternate, arguments, figure, median, percentile, started, table

WORKERS = 2
THREADS = 64
CONNECTIONS = 16
SERVER_CORE, LOAD_CORE = 0, 1


def main() -> None:
    given = arguments(__doc__ or "", _more)
    rounds, seconds, meetings = (3, 3.0, 40) if given.quick else (7, 5.0, 150)
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        port, peer_port = _free_port(), _free_port()
        settings = write_settings(folder, port=port, workers=WORKERS, threads=THREADS)
        visitors = seed(settings, meetings=meetings)
        requests = [_request(visitor) for visitor in visitors]
        if given.profile:
            profile(settings, visitors)
            return
        with _ours(settings, folder, port), _peer(folder, port, peer_port, requests):
            pin(LOAD_CORE)
            admission_rate(port, peer_port, requests, rounds=rounds, seconds=seconds)
    table()


def admission_rate(port: int, peer_port: int, requests: list[bytes], *, rounds: int, seconds: float) -> None:
    """Print both figures: how many a second, and how long each takes at half of that."""

    def run(at: int) -> float:
        seen = drive(at, requests, connections=CONNECTIONS, seconds=seconds)
        _check(seen)
        return seen.per_second

    run(port), run(peer_port)  # warm: imports, caches, key files
    mine, theirs = alternate(lambda: run(port), lambda: run(peer_port), rounds=rounds)
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    rate = median(mine)
    served = (
        f"gunicorn gthread, {WORKERS} workers of {THREADS} threads on core {SERVER_CORE}, the load on core "
        f"{LOAD_CORE}; {len(requests)} admitted customers in meetings of three, type of band high"
    )
    figure(
        "admission_rate",
        rate,
        median(theirs),
        median(ratios),
        "tokens/s",
        rounds,
        f"{CONNECTIONS} keep-alive connections, each with one request under way; {served}; "
        f"{rounds} rounds of {seconds:g} s in turn, ratio of each pair {min(ratios):.2f} to {max(ratios):.2f}. "
        "Ours: session, CSRF, policy, durable record, signature. Peer: Flask, the same claims signed.",
        least="ratio 0.4",
        aim="ratio 0.85",
    )
    tails, took = [], 0
    for _ in range(rounds):
        seen = drive(port, requests, connections=4 * CONNECTIONS, seconds=seconds, per_second=rate / 2)
        _check(seen)
        tails.append(percentile(seen.took_s, 0.99) * 1000)
        took += len(seen.took_s)
    figure(
        "admission_p99_ms",
        median(tails),
        unit="ms",
        n=took,
        load=f"{rate / 2:.0f} requests/s at even steps, counted from when each was due; {served}; "
        f"median of {rounds} rounds, {min(tails):.1f} to {max(tails):.1f}",
        least="25",
        aim="10",
    )


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", action="store_true", help="show where one process spends its time instead")


def _request(visitor: Visitor) -> bytes:
    return post(f"/v/{visitor.place}/room/token", host=HOST, cookie=visitor.cookie, csrf=visitor.csrf)


@contextmanager
def _ours(settings: Path, folder: Path, port: int) -> Iterator[None]:
    with _served(["-m", "sidecar", "--settings", str(settings), "web"], folder / "web.log", port, {}):
        yield


@contextmanager
def _peer(folder: Path, port: int, peer_port: int, requests: list[bytes]) -> Iterator[None]:
    """Serve the peer the way `sidecar web` serves the product, with the claims of a token from there."""
    token = str(answer_of(drive(port, requests[:1], connections=1, seconds=0.2))["token"])
    (folder / "claims.json").write_bytes(_payload(token))
    command = [
        *("-m", "gunicorn", "benchmarks._signing_peer:app", "--bind", f"127.0.0.1:{peer_port}"),
        *("--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS)),
        *("--timeout", "60", "--graceful-timeout", "3", "--keep-alive", "30"),
    ]
    known = {"BENCH_KEYS": str(folder / "keys"), "BENCH_CLAIMS": str(folder / "claims.json")}
    with _served(command, folder / "peer.log", peer_port, known):
        yield


@contextmanager
def _served(command: list[str], log: Path, port: int, environment: dict[str, str]) -> Iterator[None]:
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
        yield


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


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: Any = held.getsockname()[1]
        return int(port)


if __name__ == "__main__":
    main()

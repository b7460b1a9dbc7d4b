"""What every bench shares: how a figure is printed, `--quick`, and stopping all that was started.

Run a bench from the root of the repository: `python -m benchmarks.audit --quick`.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One published number beside its peer from the same run.

    ours, peer: in `unit`; peer is None where nothing comparable exists. ratio: ours against the peer, so
    that larger is better whichever way the unit points. n: what was counted, or how many repeats.
    load: the load in words, complete enough to repeat the measurement.
    """

    name: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    n: int
    load: str


@dataclass
class Bounds:
    """What may land and what we want, in words for the table ("ratio 1, 1,500/s")."""

    least: str = ""
    aim: str = ""


@dataclass
class _Collected:
    rows: list[tuple[Figure, Bounds]] = field(default_factory=list)


_collected = _Collected()


def figure(
    name: str,
    ours: float,
    peer: float | None = None,
    ratio: float | None = None,
    unit: str = "",
    n: int = 1,
    load: str = "",
    *,
    least: str = "",
    aim: str = "",
) -> Figure:
    """Print one figure as a JSON line and keep it for `table()`. least, aim: shown in the table only."""
    shown = Figure(name, _short(ours), _short_or_none(peer), _short_or_none(ratio), unit, n, load)
    print(json.dumps(shown.__dict__), flush=True)
    _collected.rows.append((shown, Bounds(least, aim)))
    return shown


def table() -> None:
    """Print every figure so far as a table, the loads below it."""
    head = ("figure", "ours", "peer", "ratio", "unit", "n", "least", "aim")
    rows = [head] + [
        (f.name, _cell(f.ours), _cell(f.peer), _cell(f.ratio), f.unit, f"{f.n:,}", b.least, b.aim)
        for f, b in _collected.rows
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for shown, _ in _collected.rows:
        print(f"\n{shown.name}: {shown.load}")
    sys.stdout.flush()


def arguments(what: str, extra: Callable[[argparse.ArgumentParser], None] | None = None) -> argparse.Namespace:
    """Return the parsed command line: `--quick` for every bench, more through `extra`."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, under 50 s in total")
    if extra is not None:
        extra(parser)
    return parser.parse_args()


def alternate(ours: Callable[[], float], peer: Callable[[], float], *, rounds: int) -> tuple[list[float], list[float]]:
    """Run ours and the peer in turn, so that a busy moment of the machine hits both. Returns both series."""
    mine: list[float] = []
    theirs: list[float] = []
    for turn in range(rounds):
        if turn % 2:
            theirs.append(peer())
            mine.append(ours())
        else:
            mine.append(ours())
            theirs.append(peer())
    return mine, theirs


def median(values: Sequence[float]) -> float:
    """Return the middle value: one disturbed round does not move it."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0..1) of the values lie, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: Sequence[str], *, grace_s: float = 5.0, **options: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a program for the length of the block; it is asked to stop, then made to, whatever happens."""
    process: subprocess.Popen[str] = subprocess.Popen(list(command), text=True, **options)  # type: ignore[call-overload]  # passed through as given
    try:
        yield process
    finally:
        stop(process, grace_s=grace_s)


def stop(process: "subprocess.Popen[str]", *, grace_s: float = 5.0) -> None:
    """Ask one process to stop, then make it. Returns when it is gone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _short(value: float) -> float:
    """Four significant digits: more would pretend a precision no bench has."""
    return float(f"{value:.4g}")


def _short_or_none(value: float | None) -> float | None:
    return None if value is None else _short(value)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

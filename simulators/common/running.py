"""Start a stand-in as the process it is, for tests and for the demo."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0  # what takes one on a quiet machine takes thirty on a busy one


@dataclass(frozen=True)
class Running:
    """A stand-in that said it is ready. addresses: what it printed before, name -> value ("page" -> URL)."""

    process: subprocess.Popen[str]
    addresses: dict[str, str]


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Running]:
    """Run `python -m module arguments` until the block ends. Raises RuntimeError when it never gets ready."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        addresses = _addresses(process, module)
        too_late.cancel()
        yield Running(process, addresses)
    finally:
        too_late.cancel()
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _addresses(process: subprocess.Popen[str], module: str) -> dict[str, str]:
    """Read "name value" lines up to "ready"."""
    found: dict[str, str] = {}
    if process.stdout is None:
        raise RuntimeError(f"{module} has no output to read")
    for line in process.stdout:
        if line.strip() == "ready":
            return found
        name, _, value = line.strip().partition(" ")
        found[name] = value
    raise RuntimeError(f"{module} ended before it was ready")

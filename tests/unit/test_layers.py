"""Which way imports point: the edges know the core, never the other way round (pyproject.toml has the contracts)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIDECAR = ROOT / "sidecar"


def sources(*below: str) -> list[Path]:
    return sorted(path for each in below for path in (SIDECAR / each).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("path", sources("domain", "services"), ids=lambda path: path.relative_to(SIDECAR).as_posix())
def test_the_core_reads_no_environment_no_files_and_no_network(path: Path) -> None:
    """It is given values. The verifier is the exception: one file that outsiders run by itself."""
    if path.name == "verify_evidence.py":
        return

    assert imported(path).isdisjoint({"os", "pathlib", "socket", "subprocess", "urllib.request", "http.client", "time"})


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(SIDECAR).as_posix()
        for path in SIDECAR.rglob("*.py")
        if "os.environ" in path.read_text("utf-8") or "os.getenv" in path.read_text("utf-8")
    }

    assert readers <= {"settings/__init__.py", "settings/reading.py"}


def test_what_is_for_tests_is_used_by_nothing_that_runs() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in SIDECAR.rglob("*.py")
        if imported(path) & {"sidecar.testing", "sidecar.bridge.testing", "pytest"}
        and "testing" not in path.relative_to(ROOT).as_posix()
    }

    assert users == set()

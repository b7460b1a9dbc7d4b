"""The Lua that needs no server: its specs under busted, and luacheck over all of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def test_the_specs_of_the_pure_libraries_hold() -> None:
    done = ran("busted", "--lua=lua5.4", "--pattern=_spec", str(HERE / "spec"))
    assert done.returncode == 0, done.stdout


def test_luacheck_finds_nothing() -> None:
    config = "prosody-modules/.luacheckrc"
    done = ran("luacheck", "--no-color", "--config", config, "prosody-modules", "tests/prosody")
    assert done.returncode == 0, done.stdout

"""A worker that stands still is seen from outside: its sign of life grows old."""

import os
from pathlib import Path

import pytest

from sidecar.cli import main
from sidecar.domain.clock import utc_now

SETTINGS = """
[[brands]]
id = "bank"
name = "The Bank"
url = "https://video.bank.example"
phone = "0771-00 00 00"
[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se"]
data_dir = "data"
"""


@pytest.mark.parametrize(("age_s", "status"), [(None, 1), (0, 0), (100, 0), (130, 1), (86_400, 1)])
def test_the_workers_last_round_says_whether_it_is_at_work(
    age_s: float | None, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tillit.toml").write_text(SETTINGS)
    (tmp_path / "data").mkdir()
    if age_s is not None:
        sign = tmp_path / "data" / "worker.alive"
        sign.touch()
        then = utc_now().timestamp() - age_s
        os.utime(sign, (then, then))

    assert main(["--settings", str(tmp_path / "tillit.toml"), "worker-alive"]) == status
    assert ("at work" in capsys.readouterr().out) == (status == 0)

"""The post as its own process: what was delivered, and how it fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.common.running import running


@dataclass(frozen=True)
class Post:
    """The running stand-in. folder: its secrets. page, gateway: URLs. smtp: host:port."""

    folder: Path
    page: str
    gateway: str
    smtp: str

    def received(self, address: str) -> list[dict[str, Any]]:
        """Return the messages to an address, newest first."""
        answer = requests.get(f"{self.page}/api/messages", {"address": address}, timeout=30)
        answer.raise_for_status()
        return list(answer.json()["messages"])

    def go_wrong(self, **faults: str) -> None:
        requests.put(f"{self.page}/control/faults", json={"faults": faults}, timeout=30).raise_for_status()


@pytest.fixture(scope="session")
def post_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    folder = tmp_path_factory.mktemp("post")
    free = ("--smtp-port", "0", "--sms-port", "0", "--page-port", "0")
    with running("simulators.post", "--dir", str(folder), *free) as process:
        found = process.addresses
        yield Post(folder, found["page"], found["gateway"], found["smtp"])


@pytest.fixture
def post(post_process: Post) -> Iterator[Post]:
    requests.delete(f"{post_process.page}/api/messages", timeout=30).raise_for_status()
    yield post_process
    post_process.go_wrong()

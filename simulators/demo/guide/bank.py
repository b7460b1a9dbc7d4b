"""The bank as somebody outside it reaches it: its open API, its published keys, its published verifier."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

_TIMEOUT_S = 3  # on this machine: longer is not an answer
_VERIFIER_S = 60
_FINGERPRINT = re.compile(r"<code[^>]*>\s*([0-9a-f]{64})\s*</code>")
_FIRST_BAD = re.compile(r"^First bad: (.+)\.$", re.MULTILINE)
_MEETING = re.compile(r"^GENUINE\. Meeting (m_[a-z0-9]+): (\d+) entries", re.MULTILINE)


class BankError(Exception):
    """The bank did not answer as it should."""


@dataclass(frozen=True)
class Bank:
    """Reaches the bank on this machine. host: its name in addresses, which Python may not be able to look up."""

    host: str
    port: int

    def get(self, path: str, *, key: str = "", **query: str) -> requests.Response:
        """Return the answer to a GET. key: of a connected system. Raises BankError unless it is a 200."""
        headers = {"Host": f"{self.host}:{self.port}"} | ({"Authorization": f"Bearer {key}"} if key else {})
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            answer = requests.get(url, params=query, headers=headers, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise BankError(f"{path}: no answer") from error
        if answer.status_code != 200:
            raise BankError(f"{path}: {answer.status_code}")
        return answer

    def meetings(self, *, key: str, since: str, until: str) -> list[dict[str, Any]]:
        """Return the meetings that start between two moments (RFC 3339), as the open API tells them."""
        return list(self.get("/api/v1/meetings", key=key, **{"from": since, "to": until}).json())

    def fingerprints(self) -> list[str]:
        """Return the fingerprints of the bank's keys as its page publishes them. Raises BankError for none."""
        found = _FINGERPRINT.findall(self.get("/evidence").text)
        if not found:
            raise BankError("/evidence names no fingerprint")
        return [str(each) for each in found]

    def verifier(self) -> bytes:
        """Return the stand-alone verifier as anybody may fetch it."""
        return self.get("/evidence/verify_evidence.py").content


@dataclass(frozen=True)
class Checked:
    """What the verifier said of a file. text: its words, as a terminal shows them. command: as one types it."""

    is_genuine: bool
    text: str
    command: str
    meeting: str = ""
    entries: int = 0
    first_bad: str = ""


def check_evidence(file: Path, verifier: Path, fingerprints: list[str]) -> Checked:
    """Run the verifier on a file in a Python of its own that sees nothing of ours (-I).

    Raises BankError when it could not run; a file that is not genuine is an answer.
    """
    keys = [word for each in fingerprints for word in ("--key", each)]
    command = [sys.executable, "-I", str(verifier), str(file), *keys]
    try:
        done = subprocess.run(
            command, cwd=file.parent, capture_output=True, encoding="utf-8", timeout=_VERIFIER_S, env={}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BankError("the verifier did not end") from error
    if done.returncode not in (0, 1) or not done.stdout:
        raise BankError(f"the verifier did not run: {done.stderr.strip()[-400:]}")
    meeting, bad = _MEETING.search(done.stdout), _FIRST_BAD.search(done.stdout)
    return Checked(
        is_genuine=done.returncode == 0,
        text=done.stdout.strip(),
        command=" ".join(("python3", "-I", verifier.name, file.name, *keys)),
        meeting=meeting[1] if meeting else "",
        entries=int(meeting[2]) if meeting else 0,
        first_bad=bad[1] if bad else "",
    )

"""The verifier as an outsider has it: one file in an empty directory, nothing of the product beside it."""

import ast
import base64
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sidecar.domain import verify_evidence
from sidecar.domain.audit import AuditRecord, Ed25519Signer, MemoryAuditLog, VerifyingKey
from sidecar.domain.evidence import MeetingSummary, evidence_of
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = VerifyingKey.of(SIGNER)
SOURCE = Path(verify_evidence.__file__)
# Refuses every socket and every import of the product, then runs the verifier as a program.
ALONE = """
import runpy, sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError("the verifier reached for the network")
    if event == "import" and str(arguments[0]).split(".")[0] == "sidecar":
        raise RuntimeError("the verifier reached for the product")
sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory with the verifier, a genuine file, a tampered one, and the bank's published keys."""
    shutil.copy(SOURCE, tmp_path / "verify_evidence.py")
    log = MemoryAuditLog(SIGNER, origin="bank.example/tillit")
    for kind in ("meeting.booked", "meeting.opened", "meeting.ended"):
        log.append(AuditRecord(kind, MeetingId("m_a"), "st_elin", NOON))
    summary = MeetingSummary(
        MeetingId("m_a"), "Advice", "Exempelbanken", "medium", "advice@1", NOON, NOON, "ended as planned"
    )
    data = evidence_of(log, summary=summary, policy_text="", log_key=KEY, signer=SIGNER, now=NOON)
    (tmp_path / "meeting.json").write_bytes(data)
    (tmp_path / "bad.json").write_bytes(data.replace(b"meeting.opened", b"meeting.missed"))
    x = base64.urlsafe_b64encode(KEY.raw).rstrip(b"=").decode()
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}))
    return tmp_path


def run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-c", ALONE, "verify_evidence.py", *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.requirement("R119", "R201")
def test_a_copy_of_the_one_file_checks_a_meeting_alone_and_offline(outside: Path) -> None:
    done = run(outside, "meeting.json", "--key", KEY.fingerprint)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("GENUINE. Meeting m_a: 3 entries")
    assert run(outside, "meeting.json", "--jwks", "jwks.json").returncode == 0


@pytest.mark.requirement("R201")
def test_it_exits_with_1_and_names_the_first_bad_entry(outside: Path) -> None:
    done = run(outside, "bad.json")

    assert done.returncode == 1
    assert "First bad: entry 2 (2026-11-24T12:00:00.000Z, meeting.missed)." in done.stdout
    assert run(outside, "meeting.json", "--key", "00" * 32).returncode == 1


@pytest.mark.requirement("R201")
@pytest.mark.parametrize(
    "arguments",
    [("none.json",), (), ("meeting.json", "--key", "short"), ("meeting.json", "--jwks", "meeting.json")],
)
def test_it_exits_with_2_where_it_cannot_begin(outside: Path, arguments: tuple[str, ...]) -> None:
    assert run(outside, *arguments).returncode == 2


def test_its_report_can_be_read_by_a_program(outside: Path) -> None:
    report = json.loads(run(outside, "bad.json", "--json").stdout)

    assert report["genuine"] is False
    assert report["first_bad"] == {
        "number": 2,
        "at": "2026-11-24T12:00:00.000Z",
        "kind": "meeting.missed",
    }


def test_it_imports_the_standard_library_and_cryptography_only() -> None:
    tree = ast.parse(SOURCE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names}

    assert tops - sys.stdlib_module_names == {"cryptography"}

"""The mortgage story, whole: three people in three browsers, from booking to an evidence file that verifies."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Request, sync_playwright

import sidecar.domain.verify_evidence as verifier
from simulators.demo.papers import promissory_note
from simulators.demo.processes import python
from simulators.demo.story import Story, browser_of
from simulators.demo.world import Ports, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"), Ports.free())
    running = world.start(lambda title: None)
    try:
        command = python("-m", "sidecar", "--settings", str(world.settings_file), "import-customers")
        subprocess.run([*command, str(world.folder / "customers.toml")], check=True, capture_output=True)
        yield world
    finally:
        running.stop()


@pytest.fixture(scope="module")
def loaded() -> list[tuple[str, str]]:
    """Everything the three pages loaded: the page's address, and that of what it loaded."""
    return []


def note(loaded: list[tuple[str, str]], request: Request) -> None:
    if not request.is_navigation_request() and not request.url.startswith(("blob:", "data:")):
        loaded.append((request.frame.url, request.url))


@pytest.fixture(scope="module")
def held(
    world: World, loaded: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Story, Path]]:
    pictures = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, browser_of(playwright) as browser:
        story = Story(world, browser, pictures=pictures, told=lambda step: None)
        for person in (story.elin, story.maja, story.samir):
            person.page.on("request", lambda request: note(loaded, request))
        story.hold()
        story.finish()
        yield story, story.evidence()


@pytest.mark.requirement("R001", "R033", "R038", "R039", "R051", "R159", "R216", "R217")
def test_three_browsers_hold_the_mortgage_meeting_and_the_pages_raise_no_error(held: tuple[Story, Path]) -> None:
    story, _ = held

    assert [person.problems for person in (story.elin, story.maja, story.samir)] == [[], [], []]


@pytest.mark.requirement("R055")
def test_the_banks_pages_are_on_its_own_domain_and_load_nothing_from_anywhere_else(
    held: tuple[Story, Path], world: World, loaded: list[tuple[str, str]]
) -> None:
    of_the_bank = [url for page, url in loaded if page.startswith(world.bank)]

    assert any(url.endswith("/room/join") for url in of_the_bank)
    assert {urlsplit(url).netloc for url in of_the_bank} == {urlsplit(world.bank).netloc}


@pytest.mark.requirement("R119", "R201")
def test_the_evidence_verifies_with_the_stand_alone_program_and_the_published_keys(
    held: tuple[Story, Path], world: World, tmp_path: Path
) -> None:
    _, evidence = held
    alone = tmp_path / "verify_evidence.py"
    alone.write_bytes(
        requests.get(f"http://127.0.0.1:{world.ports.web}/evidence/verify_evidence.py", timeout=10).content
    )

    done = subprocess.run(
        [sys.executable, "-I", str(alone), str(evidence)], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "none missing, nothing changed" in done.stdout


@pytest.mark.requirement("R117", "R118", "R120")
def test_the_evidence_tells_who_was_there_by_pseudonym_and_holds_no_personal_data(held: tuple[Story, Path]) -> None:
    _, evidence = held
    text = evidence.read_text()
    kinds = [entry["record"]["kind"] for entry in json.loads(text)["entries"]]

    for kind in (
        "meeting.booked",
        "consent.given",
        "sign_in.completed",
        "participant.joined",
        "media.keys",
        "meeting.ended",
        "calculation.made",
        "calculation.shown",
        "document_room.presented",
        "document_room.page_viewed",
        "document_room.clause_seen",
        "pades_signing.opened",
        "pades_signing.signed",
        "pades_signing.sealed",
    ):
        assert kind in kinds, kind
    assert kinds.count("permission.refused") >= 10
    for personal in (
        "Maja",
        "Granlid",
        "Samir",
        "Haddin",
        "Sjöhage",
        "199002142389",
        "198805071233",
        "@example.org",
        "+4670",
    ):
        assert personal not in text


@pytest.mark.requirement("R053", "R120", "R159")
def test_the_evidence_says_what_was_shown_calculated_and_signed_to_whom_and_in_which_version(
    held: tuple[Story, Path],
) -> None:
    _, evidence = held
    file = json.loads(evidence.read_text())
    (signature,) = file["signatures"]
    (document,) = file["documents"]
    (figures,) = file["figures"]

    assert document["sha256"] == signature["sha256"]
    assert signature["signer"] in document["shown_to"]
    assert signature["signer"] in figures["shown_to"]
    assert signature["document"] == document["document"]
    assert signature["pades_level"] in ("B-B", "B-LTA")
    assert len(signature["container_sha256"]) == 64
    assert (file["summary"]["documents_shown"], file["summary"]["signatures"]) == (1, 1)
    used = {each["record"]["data"]["plugin"] for each in file["entries"] if each["record"]["kind"] == "plugin.used"}
    assert {"document_room", "calculation", "pades_signing", "bankid"} <= used


@pytest.mark.requirement("R068", "R080", "R159")
def test_the_customers_copy_is_one_sealed_file_that_verifies(
    held: tuple[Story, Path], world: World, tmp_path: Path
) -> None:
    story, _ = held
    (file,) = story.copy["attachments"]
    copy = requests.get(f"{world.mailbox}/p/{story.copy['person']}/{story.copy['id']}/files/0", timeout=30).content
    (tmp_path / "copy.pdf").write_bytes(copy)
    roots = ("--roots", str(world.folder / "tsa" / "roots.pem"))
    eid = ("--eid-roots", str(world.folder / "bankid" / "signature-root.pem"))

    said = world.tillit("verify-document", str(tmp_path / "copy.pdf"), *roots, *eid)

    assert (file["media_type"], file["bytes"]) == ("application/pdf", len(copy))
    assert copy.startswith(promissory_note())
    assert "Maja Granlid signed this with their own eID." in said
    assert re.search(r"holds\s+Time-stamp", said), said
    assert "Everything in this file holds, and rests on the roots you named." in said


@pytest.mark.requirement("R119", "R201")
def test_one_changed_byte_is_noticed_and_the_entry_named(held: tuple[Story, Path]) -> None:
    _, evidence = held
    changed = evidence.read_bytes().replace(b'"surface": "monitor"', b'"surface": "windows"', 1)

    report = verifier.verify(changed)

    assert not report.genuine
    assert report.first_bad is not None
    assert report.first_bad.kind == "permission.refused"


@pytest.mark.requirement("R118")
def test_no_log_of_any_process_names_a_person(held: tuple[Story, Path], world: World) -> None:
    logs = [path for path in (world.folder / "logs").iterdir() if path.stem in ("web", "worker", "bridge")]

    assert len(logs) == 3
    for path in logs:
        text = path.read_text(errors="replace")
        for personal in ("Granlid", "Haddin", "Sjöhage", "199002142389", "198805071233", "@example.org"):
            assert personal not in text, (path.name, personal)

"""The guide of the demo: what it shows of processes and story, who may press its buttons, the check of a file."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect

import sidecar.domain.verify_evidence as verifier
from sidecar.adapters.sql.meeting_store import SqlMeetingStore
from sidecar.domain.clock import utc_now
from sidecar.domain.ids import MeetingId, ParticipantId
from sidecar.services.ports import Announcement
from sidecar.testing import pages
from simulators.common.pages import listen, take_port
from simulators.demo.guide.app import Guide, create_guide
from simulators.demo.guide.bank import Bank
from simulators.demo.guide.progress import Event, Progress
from simulators.demo.ports import Ports
from simulators.demo.processes import ROOT, Condition, Process, Processes, Watch, python
from simulators.demo.world import World
from tests.servers.ports import free_port

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FOREVER = "import signal; signal.pause()"


@dataclass
class Stage:
    """A guide over two small processes: a web server as "web", and a "worker" that only lives."""

    processes: Processes
    watch: Watch
    client: FlaskClient
    guide: Guide
    changes: list[Condition] = field(default_factory=list)

    def process(self, name: str) -> Process:
        return {each.name: each for each in self.processes.all}[name]

    def kill(self, name: str) -> None:
        popen = self.process(name).popen
        assert popen is not None
        popen.kill()
        popen.wait()
        self.watch.look()

    def page(self, language: str = "en") -> str:
        return create_guide(self.guide).test_client().get("/", query_string={"lang": language}).text


class OwnBank(Bank):
    """A bank that publishes the verifier of this repository, and one fingerprint nobody has the key of."""

    def verifier(self) -> bytes:
        return Path(verifier.__file__).read_bytes()

    def fingerprints(self) -> list[str]:
        return ["ab" * 32]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    port = free_port()
    processes = Processes(tmp_path / "logs", {})
    try:
        server = python("-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path))
        processes.start(Process("web", "web", server, f"http://127.0.0.1:{port}/"))
        processes.start(Process("worker", "worker", python("-c", FOREVER, str(tmp_path)), ""))
        changes: list[Condition] = []
        watch = Watch(processes, changes.append)
        bank = OwnBank("bank.localhost", free_port())
        progress = Progress(bank, key="", announcements=tmp_path / "none.sqlite", now=utc_now())
        guide = Guide(World(tmp_path / "world", Ports.free()), processes, watch, progress, bank)
        client = create_guide(guide).test_client()
        yield Stage(processes, watch, client, guide, changes)
    finally:
        processes.stop()


# --- the page, with everything running and with one process down ---------------------------------------------


@pytest.mark.parametrize(("language", "sentence"), [("sv", "Allt är igång"), ("en", "Everything is running")])
def test_the_guide_says_that_everything_runs(stage: Stage, language: str, sentence: str) -> None:
    stage.watch.look()

    assert sentence in stage.page(language)
    assert stage.client.get("/state").get_json()["processes"] == {"web": "running", "worker": "running"}
    assert stage.changes == []


def test_a_process_that_died_is_named_with_the_command_that_starts_it(stage: Stage) -> None:
    stage.kill("web")

    page = stage.page()
    assert "Not running: Web" in page
    assert stage.process("web").typed in page
    assert str(stage.processes.log_of(stage.process("web"))) in page
    assert "Everything is running" not in page
    assert stage.client.get("/state").get_json()["processes"] == {"web": "down", "worker": "running"}
    assert [(each.process.name, each.state, each.exit_code) for each in stage.changes] == [("web", "down", -9)]


def test_a_down_process_is_told_of_once(stage: Stage) -> None:
    stage.kill("worker")
    stage.watch.look()

    assert len(stage.changes) == 1


def test_the_button_starts_it_again_and_keeps_the_old_log(stage: Stage) -> None:
    log = stage.processes.log_of(stage.process("web"))
    with log.open("a") as file:
        file.write("the last words\n")
    stage.kill("web")

    assert stage.client.post("/restart/web").status_code == 303

    assert "Everything is running" in stage.page()
    assert "the last words" in log.read_text()
    assert [each.state for each in stage.changes] == ["down", "running"]


def test_a_process_that_starts_is_neither_up_nor_down(stage: Stage) -> None:
    """A process that needs a minute must not look as if the button had done nothing."""
    slow = stage.process("web")
    stage.kill("web")
    address, slow.health = slow.health, "http://127.0.0.1:1/"
    starting = threading.Thread(target=stage.client.post, args=("/restart/web",))
    starting.start()
    while not stage.processes.is_starting("web"):
        starting.join(0.01)

    assert "Starting: Web" in stage.page()
    slow.health = address
    starting.join()
    assert stage.client.get("/state").get_json()["processes"]["web"] == "running"


def test_the_button_on_a_running_process_starts_no_second_one(stage: Stage) -> None:
    before = stage.process("web").popen

    stage.client.post("/restart/web")

    assert stage.process("web").popen is before


def test_a_process_can_be_stopped_to_see_what_happens(stage: Stage) -> None:
    assert stage.client.post("/stop/worker").status_code == 303

    assert "Not running: Worker" in stage.page()


def test_only_the_products_own_processes_can_be_stopped_and_only_known_ones_started(stage: Stage) -> None:
    assert stage.client.post("/stop/post").status_code == 404
    assert stage.client.post("/restart/nobody").status_code == 404


def test_a_process_that_hangs_is_not_called_down_at_the_first_missed_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Process, "answers", lambda process: process.name != "web")

    states = []
    for _ in range(3):
        stage.watch.look()
        states.append(stage.client.get("/state").get_json()["processes"]["web"])

    assert states == ["running", "running", "silent"]
    assert "It runs, but does not answer." in stage.page()


def test_a_process_started_by_hand_counts(stage: Stage) -> None:
    """The guide shows the command; whoever types it must not be told that nothing runs."""
    stage.kill("worker")
    with subprocess.Popen(stage.process("worker").command, cwd=ROOT) as by_hand:
        try:
            stage.watch.look()
            assert stage.client.get("/state").get_json()["processes"]["worker"] == "running"
        finally:
            by_hand.kill()


def test_what_is_shown_is_escaped(stage: Stage) -> None:
    with stage.processes.log_of(stage.process("web")).open("a") as file:
        file.write("<script>alert(1)</script>\n")
    stage.kill("web")

    assert "<script>alert" not in stage.page()
    assert "<script>alert" not in stage.client.get("/live").get_json()["running"]


# --- who may press the buttons ---------------------------------------------------------------------------------


def test_another_sites_page_presses_no_button(stage: Stage) -> None:
    for path in ("/restart/web", "/stop/web", "/check"):
        assert stage.client.post(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert stage.process("web").is_alive


def test_a_foreign_name_that_points_here_is_not_answered(stage: Stage) -> None:
    """DNS rebinding: a page of evil.example, whose name now leads to this machine, is of the same origin."""
    assert stage.client.get("/state", headers={"Host": "evil.example:8088"}).status_code == 400


def test_nothing_inline_and_nothing_foreign_runs_on_the_page(stage: Stage) -> None:
    answer = stage.client.get("/")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)|\son\w+=", answer.text)


# --- the check of an evidence file -----------------------------------------------------------------------------


def test_a_file_that_is_no_evidence_is_refused_by_the_published_verifier(stage: Stage) -> None:
    sent = {"file": (BytesIO(b'{"format": "tillit-evidence/1"}'), "x.json")}

    answer = stage.client.post("/check", data=sent, headers={"X-Part": "result", "Accept-Language": "en"})

    assert "Not genuine" in answer.text
    assert "NOT GENUINE" in answer.text
    assert "--key " + "ab" * 32 in answer.text


def test_without_a_file_the_page_says_where_to_find_one(stage: Stage) -> None:
    answer = stage.client.post("/check", headers={"Accept-Language": "en"})

    assert "Choose an evidence file first." in answer.text


def test_a_bank_that_does_not_answer_does_not_make_the_file_bad(stage: Stage) -> None:
    stage.guide.bank = Bank("bank.localhost", free_port())

    answer = stage.client.post("/check", data={"file": (BytesIO(b"{}"), "x")}, headers={"Accept-Language": "en"})

    assert "The file is unharmed." in answer.text
    assert "Not genuine" not in answer.text


def test_announcements_are_read_as_the_product_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "meetings.sqlite"
    store = SqlMeetingStore(file)
    told = Announcement("share.started", MeetingId("m_1"), utc_now(), ParticipantId("p_1"), {"surface": "window"})
    store.write(lambda tx: tx.announce(told))

    progress = Progress(Bank("x", 1), key="", announcements=file, now=utc_now())

    assert [event for _, event in progress._events()] == [Event("share.started", "m_1", "p_1", {"surface": "window"})]


# --- in a browser ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with pages.chromium(["--no-sandbox", "--disable-gpu"], executable=CHROMIUM) as browser:
        yield browser


@pytest.fixture
def keep_picture(tmp_path: Path) -> Callable[[Any, str], None]:
    """Takes a picture of a page, kept where script/test says."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.fixture
def address(stage: Stage) -> Iterator[str]:
    """The stage's guide on a port of its own."""
    server = listen(create_guide(stage.guide), take_port("127.0.0.1", 0))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    serving.join()


@pytest.mark.e2e
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_is_clean_for_everybody(
    chromium: Browser, stage: Stage, address: str, width: int, scheme: Any, keep_picture: Callable[[Any, str], None]
) -> None:
    stage.kill("web")
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="sv-SE")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    page.goto(address)
    page.get_by_text("Samir ska med som observatör").click()

    found = Axe().run(page).response["violations"]
    assert json.dumps(found) == "[]"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert said == []
    keep_picture(page, f"guide-{width}-{scheme}")
    context.close()


@pytest.mark.e2e
def test_a_tick_comes_by_itself_and_is_said_to_those_who_cannot_see_it(
    chromium: Browser, stage: Stage, address: str
) -> None:
    page = chromium.new_page(locale="en-GB")
    page.goto(address)
    step = page.locator("[data-step=book]")
    expect(step).to_have_attribute("aria-current", "step")

    stage.guide.progress.steps = frozenset({"book"})

    expect(step).to_have_class("done")
    expect(page.locator("#said")).to_have_text("Done: Elin books the mortgage meeting.")
    expect(page.locator("[data-step=open]")).to_have_attribute("aria-current", "step")
    page.close()


@pytest.mark.e2e
def test_by_keyboard_a_process_is_started_again_without_leaving_the_page(
    chromium: Browser, stage: Stage, address: str
) -> None:
    stage.kill("worker")
    page = chromium.new_page(locale="en-GB")
    page.goto(address)
    expect(page.get_by_role("status").filter(has_text="Not running: Worker")).to_be_visible()

    page.get_by_role("button", name=re.compile("Start it again.*Worker")).focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").filter(has_text="Everything is running")).to_be_visible()
    expect(page.get_by_role("heading", name="What is running")).to_be_focused()
    assert page.url == f"{address}/"
    page.close()


@pytest.mark.e2e
def test_the_page_says_so_when_the_demo_is_gone(chromium: Browser, stage: Stage) -> None:
    server = listen(create_guide(stage.guide), take_port("127.0.0.1", 0))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    page = chromium.new_page(locale="en-GB")
    page.goto(f"http://localhost:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    serving.join()

    expect(page.get_by_role("alert")).to_contain_text("The demo was stopped.", timeout=60_000)
    page.close()

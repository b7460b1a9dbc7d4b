"""The demo as one runs it: what it says before it starts, what it does when something dies, how it stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.demo import __main__ as demo
from simulators.demo.guide.bank import Bank
from simulators.demo.ports import Ports
from simulators.demo.processes import ROOT, Process, Processes, StartError, StoppedError, python
from simulators.demo.rehearsal import rehearse
from simulators.demo.story import Story
from simulators.demo.world import FolderError, World
from tests.servers.watching import until

pytestmark = pytest.mark.timeout(900)  # a dozen programs start, which takes a busy machine minutes

FOREVER = "import signal; signal.pause()"


def is_running(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not waited for does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# --- what is said before anything starts -----------------------------------------------------------------------


@pytest.fixture
def signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_taken_port_is_named_with_its_holder_before_anything_starts(
    family: socket.AddressFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server on ::1 alone counts too: browsers ask it first for localhost."""
    ports = Ports.free()
    monkeypatch.setattr(Ports, "free", lambda: ports)
    monkeypatch.setattr(World, "start", lambda *_a, **_k: pytest.fail("something was started"))
    try:
        other = socket.create_server(("127.0.0.1" if family is socket.AF_INET else "::1", ports.web), family=family)
    except OSError:
        pytest.skip("this machine has no ::1")
    with other:
        status = demo.main(["--free-ports", "--dir", str(tmp_path / "demo")])

    said = capsys.readouterr().err
    assert status == 1
    assert f"{ports.web} (the bank's pages) is held by process {os.getpid()}" in said
    assert f"kill {os.getpid()}" in said


def test_a_taken_media_port_is_noticed_though_it_is_udp() -> None:
    ports = Ports.free()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", ports.media))

        assert [each.number for each in ports.taken()] == [ports.media]
    assert ports.taken() == []


def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FolderError, match=r"cannot be written: not a directory\. Name another folder with --dir"):
        World(tmp_path / "file" / "demo").take_folder()


def test_a_folder_with_other_things_is_left_alone_even_when_asked_to_empty_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(FolderError, match="holds other things"):
        World(tmp_path).take_folder(fresh=True)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_data_is_kept_between_runs_unless_fresh(tmp_path: Path) -> None:
    first = World(tmp_path / "demo")
    first.take_folder()
    (first.folder / "data").mkdir()
    first.leave_folder()

    second = World(tmp_path / "demo")
    second.take_folder()
    assert (second.folder / "data").exists()
    second.leave_folder()

    World(tmp_path / "demo").take_folder(fresh=True)
    assert not (second.folder / "data").exists()


def test_a_process_that_does_not_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "logs", {})
    broken = Process("web", "web", python("-c", "print('a reason'); raise SystemExit(3)"), "http://127.0.0.1:1/")

    with pytest.raises(StartError, match=r"web did not start\.[\s\S]*a reason"):
        processes.start(broken)


def test_asked_to_stop_while_starting_it_stops_and_leaves_nothing(tmp_path: Path) -> None:
    stopping = threading.Event()
    processes = Processes(tmp_path / "logs", {}, stopping)
    slow = Process("web", "web", python("-c", FOREVER), f"http://127.0.0.1:{Ports.free().web}/")

    def ask_to_stop() -> None:
        until(lambda: slow.popen is not None)
        stopping.set()

    threading.Thread(target=ask_to_stop).start()
    with pytest.raises(StoppedError):
        processes.start(slow)
    processes.stop()

    assert slow.popen is not None
    assert not is_running(slow.popen.pid)


def test_what_a_killed_demo_left_running_is_stopped_by_the_next_one(tmp_path: Path) -> None:
    """kill -9 on the demo leaves its processes behind; a second worker on the same data would join them."""
    before = Processes(tmp_path / "demo" / "logs", {})
    left = Process("worker", "worker", python("-c", FOREVER), "")
    before.start(left)
    assert left.popen is not None
    threading.Thread(target=left.popen.wait).start()  # as init does for a process whose parent was killed
    (tmp_path / "demo" / "demo.lock").touch()

    World(tmp_path / "demo").take_folder()

    assert not is_running(left.popen.pid)


def test_a_stranger_who_got_the_number_of_an_old_process_is_left_alone(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "logs", {})
    stranger = Process("worker", "worker", python("-c", FOREVER), "")
    processes.start(stranger)
    assert stranger.popen is not None
    (tmp_path / "logs" / "running.json").write_text(json.dumps({stranger.popen.pid: 1}))

    assert Processes(tmp_path / "logs", {}).stop_leftovers() == 0

    assert stranger.is_alive
    processes.stop()


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.demo.processes._STOP_S", 0.3)
    ready = tmp_path / "ready"
    deaf = f"import signal, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); {FOREVER}"
    processes = Processes(tmp_path / "logs", {})
    process = Process("worker", "worker", python("-c", deaf), "", writes=ready)
    processes.start(process)

    processes.stop()

    assert process.exit_code == -signal.SIGKILL


# --- the whole demo --------------------------------------------------------------------------------------------


class Console:
    """A demo that runs, and what it prints."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "simulators.demo", "--free-ports", "--dir", str(folder), "--language", "en"]
        self.folder = folder
        self.command = command
        self.popen = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_without_display()
        )
        self.said = ""
        self.read_until("Ctrl-C stops it all.")
        found = re.search(r"Open the guide: (http://localhost:\d+)/\?lang=en", self.said)
        assert found, self.said
        self.guide = found[1]

    def read_until(self, words: str) -> None:
        """Read lines until one holds the words. The test's own time limit ends a wait that is too long."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.said += line
            if words in line:
                return
        pytest.fail(f"{words!r} was never said:\n{self.said}")

    def children(self) -> dict[int, str]:
        """Return every process below this one, with its command."""
        found: dict[int, str] = {}
        parents = {self.popen.pid}
        while parents:
            below = {
                int(child)
                for parent in parents
                for task in Path(f"/proc/{parent}/task").glob("*/children")
                for child in task.read_text().split()
            }
            found |= {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in below}
            parents = below
        return found

    def all_run(self) -> bool:
        """Say whether the guide says so. A busy machine may be slow to answer it, and then it says that instead."""
        return set(self.state()["processes"].values()) == {"running"}

    def page(self) -> str:
        return requests.get(f"{self.guide}/", timeout=60, headers={"Accept-Language": "en"}).text

    def state(self) -> dict[str, Any]:
        return dict(requests.get(f"{self.guide}/state", timeout=60).json())


def _without_display() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    running = Console(tmp_path_factory.mktemp("demo") / "world")
    try:
        yield running
    finally:
        if running.popen.poll() is None:
            running.popen.terminate()
            running.popen.wait(120)


def test_the_demo_starts_and_tells_each_step(console: Console) -> None:
    steps = re.findall(r"^\[(\d+)/(\d+)\] (.+) \.\.\. ready \d+\.\d s$", console.said, re.MULTILINE)

    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert {int(of) for _, of, _ in steps} == {len(steps)}
    assert "media bridge" in {title for _, _, title in steps}
    until(console.all_run)
    until(lambda: "Everything is running" in console.page())


def test_the_open_api_answers_with_the_key_made_for_the_guide(console: Console) -> None:
    """Without it no step would ever be ticked, and nobody would be told."""
    port = int(re.search(r"exempelbanken\.localhost:(\d+)", console.said)[1])  # type: ignore[index]
    key = (console.folder / "guide-api-key").read_text()
    bank = Bank("exempelbanken.localhost", port)

    assert bank.meetings(key=key, since="2026-01-01T00:00:00Z", until="2026-01-02T00:00:00Z") == []
    assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in bank.fingerprints())
    assert b"def verify(" in bank.verifier()


def test_a_second_demo_on_the_same_folder_is_told_which_one_runs(console: Console) -> None:
    other = subprocess.run(console.command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)

    assert other.returncode == 1
    assert f"process {console.popen.pid}, guide at {console.guide}" in other.stderr
    until(console.all_run)


def test_a_process_that_dies_is_named_on_the_console_and_the_page_starts_it_again(console: Console) -> None:
    bridge = next(pid for pid, command in console.children().items() if "sidecar.bridge" in command)
    os.kill(bridge, signal.SIGKILL)

    console.read_until("-m sidecar.bridge --settings")

    assert "media bridge is down (ended by SIGKILL)" in console.said
    assert console.state()["processes"]["bridge"] == "down"
    assert requests.post(f"{console.guide}/restart/bridge", timeout=200, allow_redirects=False).status_code == 303
    console.read_until("media bridge is running again.")
    assert console.state()["processes"]["bridge"] == "running"


def test_sigterm_stops_everything_in_order_and_leaves_no_process(console: Console) -> None:
    children = console.children()
    assert len(children) >= 7  # six processes, and the web's own worker

    console.popen.send_signal(signal.SIGTERM)
    console.read_until("BankID stand-in and demo phone stopped")

    assert console.popen.wait(120) == 0
    until(lambda: not any(is_running(pid) for pid in children))
    stopped = re.findall(r"^  (.+) stopped$", console.said, re.MULTILINE)
    assert stopped[:3] == ["worker", "web", "media bridge"]
    with pytest.raises(requests.ConnectionError):
        requests.get(console.guide, timeout=60)


# --- the rehearsal ---------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.usefixtures("signals")
def test_a_rehearsal_that_fails_names_the_step_and_leaves_pictures_logs_and_no_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Processes] = []
    start = World.start

    def remembered(*arguments: Any, **named: Any) -> Processes:
        started.append(start(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(World, "start", remembered)

    def hold(story: Story) -> None:
        story.sign_in_at_the_desk(who="Nobody at all")

    monkeypatch.setattr("simulators.demo.story.Story.person", _impatient(Story.person))
    assert rehearse(tmp_path / "results", hold=hold) == 1

    said = capsys.readouterr()
    assert "in the step: sign in at the desk" in said.err
    assert re.search(r'after "\d+ processes run"', said.err)
    assert "The end of web.log" in said.err
    for name in ("pictures/failed-elin.png", "pictures/failed-maja.png", "failure.txt", "logs/web.log"):
        assert (tmp_path / "results" / name).stat().st_size > 0
    (processes,) = started
    assert not any(each.is_alive for each in processes.all)


def _impatient(person: Callable[..., Any]) -> Callable[..., Any]:
    """Let a page wait half as long for what never comes."""

    def quick(*arguments: Any, **named: Any) -> Any:
        made = person(*arguments, **named)
        made.page.set_default_timeout(10_000)
        return made

    return quick

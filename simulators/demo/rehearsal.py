"""script/demo --rehearse: the mortgage meeting from the first click to the checked evidence, by headless browsers.

Everything runs on free ports in a folder of its own and is stopped in the end. What stays is the folder of
results: the evidence file, what the verifier said of it, a picture of every page, and the logs.
"""

import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from playwright.sync_api import sync_playwright

from sidecar.domain.clock import utc_now
from simulators.demo import story as story_module
from simulators.demo.guide.bank import Bank, Checked, check_evidence
from simulators.demo.guide.progress import Progress
from simulators.demo.ports import Ports
from simulators.demo.processes import ROOT, Processes
from simulators.demo.story import CHROMIUM, Story, cast
from simulators.demo.world import BANK_HOST, World

_LOG_LINES = 6
# What the guide must have ticked in the end; the story shows no window, and no file goes through the guide.
_TICKED = frozenset({"book", "open", "identify", "admit", "observe", "calculate", "show", "sign", "end"})


class RehearsalError(Exception):
    """The rehearsal found something that should not be."""


class Clock:
    """Prints each step with the second it was done at."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.last = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def told(self, step: str) -> None:
        self.last = step
        print(f"{self.seconds:7.1f} s  {step}", flush=True)


def rehearse(results: Path | None = None, *, hold: Callable[[Story], None] | None = None) -> int:
    """Hold the meeting and check its evidence. Returns 0, or 1 after saying which step failed.

    results: where evidence, verifier's words, pictures and logs go; build/rehearsal/<time> otherwise.
    hold: what the browsers do; the whole meeting otherwise.
    """
    results = results or ROOT / "build" / "rehearsal" / time.strftime("%Y-%m-%d_%H%M%S")
    if not Path(CHROMIUM).exists():
        print(f"The rehearsal needs Chromium at {CHROMIUM}. script/demo --rehearse installs it.", file=sys.stderr)
        return 1
    try:
        (results / "pictures").mkdir(parents=True, exist_ok=True)
        (results / "failure.txt").unlink(missing_ok=True)
    except OSError as error:
        print(f"{results} cannot be written: {error.strerror}. Name another folder with --dir.", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="tillit-rehearsal-") as folder:
        world = World(Path(folder), Ports.free())
        running: Processes | None = None
        try:
            running = world.start(lambda _title: None)
            clock.told(f"{len(running.all)} processes run")
            _meet(world, results, clock, hold or Story.hold)
        except KeyboardInterrupt:
            print("\nStopped before the end.", flush=True)
            return 1
        except Exception as error:  # the outermost loop of this program: whatever it was, it is told
            _tell_failure(error, clock, running, results)
            return 1
        finally:
            if running is not None:
                running.stop()
                shutil.copytree(running.logs, results / "logs", dirs_exist_ok=True)
    clock.told("everything is stopped")
    print(f"\nThe rehearsal went well. Evidence, verifier's words, pictures and logs: {_short(results)}")
    return 0


def _meet(world: World, results: Path, clock: Clock, hold: Callable[[Story], None]) -> None:
    """Let the browsers meet, then check what is left of it."""
    bank = Bank(BANK_HOST, world.ports.web)
    progress = Progress(bank, key=world.api_key(), announcements=world.announcements, now=utc_now())
    films = world.folder / "films"
    films.mkdir()
    with sync_playwright() as playwright, cast(playwright, films) as browsers:
        story = Story(world, browsers, pictures=results / "pictures", told=clock.told)
        try:
            hold(story)
            story.finish()
            file = story.evidence()
            file = file.rename(results / file.name)
        except BaseException:
            _photograph(story, results / "pictures")
            raise
        people = {"Elin": story.elin, "Maja": story.maja, "Samir": story.samir}
        if problems := [f"{name}: {each}" for name, person in people.items() for each in person.problems]:
            raise RehearsalError("a page had errors of its own: " + "; ".join(problems))
    progress.look(utc_now())
    if not progress.steps >= _TICKED:
        raise RehearsalError(f"the guide did not tick {', '.join(sorted(_TICKED - progress.steps))}")
    clock.told("The guide saw each step and ticked it")
    _check(bank, file, results, clock)


def _check(bank: Bank, file: Path, results: Path, clock: Clock) -> None:
    """Do what an auditor does: fetch the verifier and the fingerprints, check, change one byte, check again."""
    program = results / "verify_evidence.py"
    program.write_bytes(bank.verifier())
    fingerprints = bank.fingerprints()
    whole = check_evidence(file, program, fingerprints)
    (results / "verifier.txt").write_text(_said(whole), "utf-8")
    if not whole.is_genuine:
        raise RehearsalError(f"the verifier does not find the evidence genuine:\n{whole.text}")
    clock.told(f"A separate verifier finds the evidence genuine: {whole.entries} entries, none missing")
    forged = results / f"changed-{file.name}"
    forged.write_bytes(with_one_byte_changed(file.read_bytes()))
    refused = check_evidence(forged, program, fingerprints)
    (results / "verifier-changed.txt").write_text(_said(refused), "utf-8")
    if refused.is_genuine or not refused.first_bad:
        raise RehearsalError("the verifier did not name the entry in which one byte was changed")
    clock.told(f"With one byte changed it refuses the file, and names the first bad: {refused.first_bad}")


def with_one_byte_changed(data: bytes) -> bytes:
    """Return an evidence file in which one letter of the entry in the middle is another."""
    kinds = [at for at in range(len(data)) if data.startswith(b'"kind": "', at)]
    if not kinds:
        raise RehearsalError("the evidence file has no entries")
    at = kinds[len(kinds) // 2] + len(b'"kind": "')
    other = b"b" if data[at : at + 1] == b"a" else b"a"
    return data[:at] + other + data[at + 1 :]


def _said(result: Checked) -> str:
    return f"$ {result.command}\n\n{result.text}\n"


def _photograph(story: Story, pictures: Path) -> None:
    """Keep each person's page as it was when something failed."""
    for name, person in (("elin", story.elin), ("maja", story.maja), ("samir", story.samir)):
        try:
            person.page.screenshot(path=pictures / f"failed-{name}.png", timeout=5_000)
        except Exception as error:  # a browser that died has no picture, and the first failure is what counts
            print(f"No picture of {name}'s page: {type(error).__name__}", file=sys.stderr)


def _tell_failure(error: Exception, clock: Clock, running: Processes | None, results: Path) -> None:
    """Say which step failed, why, what the logs said last, and where the pictures are."""
    (results / "failure.txt").write_text("".join(traceback.format_exception(error)), "utf-8")
    step = failed_step(error.__traceback__) or "set up or look back"
    after = f', after "{clock.last}"' if clock.last else ""
    print(f"\nFAILED at {clock.seconds:.1f} s in the step: {step}{after}", file=sys.stderr)
    print(_indented("\n".join(str(error).strip().splitlines()[:12]) or repr(error)), file=sys.stderr)
    for process in running.all if running else []:
        state = "" if process.is_alive else f", which ended with {process.exit_code}"
        print(f"\nThe end of {process.name}.log{state}:", file=sys.stderr)
        print(_indented("\n".join(running.last_lines(process, _LOG_LINES) if running else [])), file=sys.stderr)
    print(f"\nPictures of each person's page, the whole error and the logs: {_short(results)}", file=sys.stderr)


def failed_step(trace: TracebackType | None) -> str:
    """Return the first step of the story in a traceback, in words: "see_each_other" -> "see each other"."""
    outer = {"hold", "__init__"}
    for frame, _line in traceback.walk_tb(trace):
        code = frame.f_code
        if code.co_filename == story_module.__file__ and code.co_name not in outer:
            return code.co_name.strip("_").replace("_", " ")
        if code.co_name == "_check" and code.co_filename == __file__:
            return "check the evidence"
    return ""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

"""python -m simulators.demo: a whole bank on this computer, with a guide; or its rehearsal (--rehearse)."""

import argparse
import os
import signal
import sys
import threading
import time
import webbrowser
from pathlib import Path

from sidecar.domain.clock import utc_now
from simulators.common.pages import listen, take_port
from simulators.demo.guide.app import Guide, create_guide
from simulators.demo.guide.bank import Bank
from simulators.demo.guide.progress import Progress
from simulators.demo.ports import Ports, TakenPort
from simulators.demo.processes import ROOT, Condition, Processes, StartError, StoppedError, Watch
from simulators.demo.world import BANK_HOST, FolderError, World

_LOOK_S = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Run the demo until it is asked to stop, or the rehearsal to its end. Returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.rehearse:
        from simulators.demo.rehearsal import rehearse  # Playwright, which the demo itself does not need

        return rehearse(options.dir.resolve() if options.dir else None)
    return _Demo(options).run()


class _Demo:
    """One run: what it prints, in which order it starts and stops."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._ports = Ports.free() if options.free_ports else Ports()
        folder = options.dir or ROOT / "var" / "demo"
        self._world = World(folder=folder.resolve(), ports=self._ports)
        self._steps = Steps(self._world.steps + 1)
        self._stopping = threading.Event()
        self._signals = 0
        self._running: Processes | None = None

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._asked_to_stop())
        try:
            self._world.take_folder(fresh=self._options.fresh)
        except FolderError as error:
            return _cannot(str(error))
        if taken := self._ports.taken():
            return _cannot(ports_message(taken))
        try:
            self._running = self._world.start(self._steps.begin, self._steps.ready, stopping=self._stopping)
            self._guide(self._running)
        except StoppedError:
            self._steps.broken()
            print("Stopped before everything was ready.")
        except StartError as error:
            self._steps.broken()
            kept = "" if self._options.fresh else "\nIf the folder is from an older version, start over with --fresh."
            return _cannot(f"{error}{kept}")
        return 0

    def _guide(self, running: Processes) -> None:
        """Serve the guide until somebody asks to stop, then stop everything."""
        try:
            self._steps.begin("guide")
            began = time.monotonic()
            bank = Bank(BANK_HOST, self._ports.web)
            progress = Progress(bank, key=self._world.api_key(), announcements=self._world.announcements, now=utc_now())
            watch = Watch(running, self._told)
            app = create_guide(Guide(self._world, running, watch, progress, bank))
            server = listen(app, take_port("127.0.0.1", self._ports.guide))
            threading.Thread(target=server.serve_forever, name="guide", daemon=True).start()
            watch.start()
            self._steps.ready(time.monotonic() - began)
            self._welcome()
            while not self._stopping.wait(_LOOK_S):
                progress.look(utc_now())
            print("\nStopping everything.", flush=True)
            watch.stop()
            server.shutdown()
        finally:
            running.stop(lambda process: print(f"  {process.title} stopped", flush=True))

    def _asked_to_stop(self) -> None:
        self._signals += 1
        self._stopping.set()
        if self._signals > 1 and self._running is not None:
            self._running.kill()  # twice: this person will not wait

    def _welcome(self) -> None:
        language = f"/?lang={self._options.language}" if self._options.language else ""
        address = self._world.guide + language
        print(f"\nEverything is running. Open the guide: {address}")
        print(f"The bank is at {self._world.bank}, and its data and logs are in {_short(self._world.folder)}.")
        print("Ctrl-C stops it all.", flush=True)
        if sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(address)

    def _told(self, condition: Condition) -> None:
        """Say on the console that a process went down or came back."""
        process = condition.process
        log = self._world.folder / "logs" / f"{process.name}.log"
        if condition.state == "down":
            print(f"\n{process.title} is down{_ending(condition.exit_code)}. Its log: {_short(log)}")
            print(f"Start it again on the guide's page, or with:\n  {process.typed}", flush=True)
        elif condition.state == "silent":
            print(f"\n{process.title} runs and does not answer. Its log: {_short(log)}", flush=True)
        elif condition.state == "running":
            print(f"\n{process.title} is running again.", flush=True)


class Steps:
    """Prints one line a step: [3/8] media bridge ... ready 0.4 s."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._number = 0
        self._is_open = False

    def begin(self, title: str) -> None:
        self._number += 1
        self._is_open = True
        print(f"[{self._number}/{self._count}] {title} ... ", end="", flush=True)

    def ready(self, seconds: float) -> None:
        self._is_open = False
        print(f"ready {seconds:.1f} s", flush=True)

    def broken(self) -> None:
        """End a line whose step did not."""
        if self._is_open:
            print(flush=True)


def ports_message(taken: list[TakenPort]) -> str:
    """Return what is said when other programs hold our ports: which, who, and what to do."""
    lines = [f"  {each.number} ({each.part}) is held by {each.holder or 'another program'}" for each in taken]
    known = sorted({each.process for each in taken if each.process is not None})
    stop = f"Stop that first (kill {' '.join(map(str, known))})" if known else "Stop that first"
    return "\n".join(
        ["The demo needs ports that are taken:", *lines, f"{stop}, or start with --free-ports to use others."]
    )


def _ending(code: int | None) -> str:
    if code is None:
        return ""
    return f" (ended by {signal.Signals(-code).name})" if code < 0 else f" (ended with {code})"


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _cannot(text: str) -> int:
    print(text, file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="headless browsers hold the mortgage meeting")
    parser.add_argument("--dir", type=Path, help="data and logs; var/demo otherwise. For a rehearsal: its results")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--fresh", action="store_true", help="forget earlier runs: empty the folder first")
    kept.add_argument(
        "--keep", action="store_false", dest="fresh", help="go on with the data of earlier runs (default)"
    )
    parser.add_argument("--language", choices=("sv", "en"), help="of the guide; the browser's own otherwise")
    parser.add_argument("--free-ports", action="store_true", help="use any free ports instead of the usual ones")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

"""How long a test's processes waited for a processor: by that, not by its result, a timed run counts or does not."""

from pathlib import Path


def children(process: int) -> list[int]:
    """Return the processes a process has made and that still are."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


class Waiting:
    """Counts from when it is made. Of every thread of these processes and their children.

    Source: Linux, Documentation/scheduler/sched-stats.rst: nanoseconds spent waiting on a run queue.
    """

    def __init__(self, *processes: int) -> None:
        self._processes = processes
        self._before = self._threads()

    def seconds(self) -> float:
        """Return for how long they could have run and something else did."""
        return sum(now - self._before.get(thread, 0) for thread, now in self._threads().items()) / 1e9

    def _threads(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for process in [*self._processes, *(child for each in self._processes for child in children(each))]:
            for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
                try:
                    found[file.parent.name] = int(file.read_text().split()[1])
                except OSError:
                    continue  # it ended just now
        return found

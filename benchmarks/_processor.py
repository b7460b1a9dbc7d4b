"""Processor time of a process and all it started, as the kernel counts it: hardly moved by who else is busy."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family_of(pid: int) -> set[int]:
    """Return a process and every process below it, as of now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            fields = _fields(int(entry.name))
            if fields:
                parents[int(entry.name)] = int(fields[1])
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def seconds_of(pids: set[int]) -> float:
    """Return the processor seconds these processes have used so far, in the kernel and out of it."""
    ticks = 0
    for pid in pids:
        fields = _fields(pid)
        if fields:
            ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks / _TICKS


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat after the name, from the state on; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []

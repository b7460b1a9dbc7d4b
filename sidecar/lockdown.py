"""Shuts the process in that decodes: bounds first, then a list of the few system calls that computing needs.

The list is a seccomp filter. Any other call (open a file, a socket, a program, another process) answers "not
permitted", for good. Source: Linux seccomp(2), linux/filter.h, and the call numbers of x86-64 and arm64.
"""

import ctypes
import platform
import resource
import struct

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_SET_FILTER, _EVERY_THREAD = 1, 1
_LOAD, _EQUAL, _ANSWER = 0x20, 0x15, 0x06  # 32 bits of what was called; jump if equal; end with a verdict
_ALLOWED, _REFUSED, _KILLED = 0x7FFF0000, 0x00050001, 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # bytes into struct seccomp_data

# name: (x86-64, arm64, where poll is ppoll)
_CALLS: dict[str, tuple[int, int]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, 73),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "prlimit64": (302, 261),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, architecture, seccomp itself


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def limit(*, memory_bytes: int, open_files: int) -> None:
    """Bound memory and descriptors; no file is written, and nothing is left behind by a crash."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Give the process this many more seconds of processor time; then the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def shut() -> bool:
    """Install the filter, for good, in every thread there is. Returns False where this machine has none."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return False
    column, architecture, seccomp = known
    numbers = sorted(each[column] for each in _CALLS.values())
    steps = [
        _step(_LOAD, 0, 0, _ARCHITECTURE_AT),  # the same number means another call on another architecture
        _step(_EQUAL, 1, 0, architecture),
        _step(_ANSWER, 0, 0, _KILLED),
        _step(_LOAD, 0, 0, _NUMBER_AT),
        *(_step(_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        _step(_ANSWER, 0, 0, _REFUSED),
        _step(_ANSWER, 0, 0, _ALLOWED),
    ]
    code = ctypes.create_string_buffer(b"".join(steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    number, act, how = (ctypes.c_long(each) for each in (seccomp, _SET_FILTER, _EVERY_THREAD))
    return bool(libc.syscall(number, act, how, ctypes.byref(program)) == 0)


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)

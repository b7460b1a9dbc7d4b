"""Shuts the process in: limits of the system first, then a list of the few calls that computing needs.

The list is a seccomp filter in allow mode. Whatever is not on it (opening a file, a socket, another program,
another process) answers "not permitted", for good. Source: Linux seccomp(2), filter.h and the system call tables
of x86-64 and arm64.
"""

import ctypes
import platform
import resource
import struct

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _SET_DUMPABLE = 38, 22, 4
_MODE_FILTER = 2
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _NOT_PERMITTED, _KILL = 0x7FFF0000, 0x00050001, 0x80000000

# read write close fstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 readv
# writev select sched_yield mremap madvise getpid exit uname getcwd gettimeofday getrusage times sysinfo sigaltstack
# gettid sched_getaffinity futex restart_syscall clock_gettime clock_getres clock_nanosleep exit_group tgkill
# set_robust_list prlimit64 getrandom rseq
_CALLS = {
    "x86_64": (
        0xC000003E,
        frozenset(
            {0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19, 20, 23, 24, 25, 28, 39, 60}
            | {63, 79, 96, 98, 99, 100, 131, 186, 202, 204, 219, 228, 229, 230, 231, 234, 273, 302, 318, 334}
        ),
    ),
    "aarch64": (
        0xC00000B7,
        frozenset(
            {63, 64, 57, 80, 73, 62, 222, 226, 215, 214, 134, 135, 139, 67, 65, 66, 72, 124, 216, 233, 172, 93}
            | {160, 17, 169, 165, 153, 179, 132, 178, 123, 98, 128, 113, 114, 115, 94, 131, 99, 261, 278, 293}
        ),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def limit(*, memory_bytes: int, open_files: int) -> None:
    """Bound memory and descriptors; write no file and leave no core behind."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Give the process this many more seconds of processor time; at the end the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def shut() -> bool:
    """Install the filter. Returns False where this system has none: then only the limits hold."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known
    program = [
        _step(_LOAD_WORD, 0, 0, 4),  # the architecture, since numbers differ: a call in another one's numbers ends it
        _step(_JUMP_EQUAL, 1, 0, architecture),
        _step(_RETURN, 0, 0, _KILL),
        _step(_LOAD_WORD, 0, 0, 0),
    ]
    for left, number in zip(range(len(calls), 0, -1), sorted(calls), strict=True):
        program.append(_step(_JUMP_EQUAL, left, 0, number))
    program += [_step(_RETURN, 0, 0, _NOT_PERMITTED), _step(_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(program))
    libc = ctypes.CDLL(None, use_errno=True)
    told = _Program(len(program), ctypes.cast(code, ctypes.c_void_p))
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)  # nobody of the same user may look into it
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(told), 0, 0) == 0)


def _step(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)

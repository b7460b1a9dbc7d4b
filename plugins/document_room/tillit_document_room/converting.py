"""Office documents become PDF in LibreOffice: a process with its own empty home, bounds on all it uses, and an end.

The document was looked into before (sandbox/office.py): no macros, nothing fetched, nothing carried.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import subprocess
import tempfile
from pathlib import Path

from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

_WALL_S = 90.0
_CPU_S = 60
_MEMORY_BYTES = 4 * 1024**3  # address space of an office suite; what it touches is far less
_SOCKET_CALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_UNIX = 1  # AF_UNIX: the suite talks to itself that way


def convert(data: bytes, kind: str, *, soffice: Path | None, limits: Limits) -> bytes:
    """Return the document as PDF bytes, themselves still to be inspected. Raises UnsafeFileError."""
    if soffice is None:
        raise UnsafeFileError("no_office")
    with tempfile.TemporaryDirectory(prefix="tillit-office-") as folder:
        home, source = Path(folder), Path(folder) / f"in.{kind}"
        source.write_bytes(data)
        command = [
            *(str(soffice), f"-env:UserInstallation=file://{home}/profile", "--headless", "--norestore"),
            *("--nolockcheck", "--nodefault", "--nologo", "--convert-to", "pdf", "--outdir", str(home / "out")),
            str(source),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env={"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            preexec_fn=_Bounds(limits),
        )
        try:
            process.wait(_WALL_S)
        except subprocess.TimeoutExpired as error:
            raise UnsafeFileError("too_heavy", "office") from error
        finally:
            _end(process)
        made = home / "out" / "in.pdf"
        if not made.is_file() or made.stat().st_size > 2 * limits.file_bytes:
            raise UnsafeFileError("broken", "office")
        return made.read_bytes()


class _Bounds:
    """Called in the new process before the suite starts. All it needs is made beforehand: a fork may hold locks."""

    def __init__(self, limits: Limits) -> None:
        self._file_bytes = 4 * limits.file_bytes
        self._program, self._libc = _no_network(), ctypes.CDLL(None)

    def __call__(self) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._file_bytes, self._file_bytes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._program is not None:
            code, told = self._program
            self._libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
            self._libc.prctl(22, 2, told, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            assert code


def _no_network() -> tuple[object, bytes] | None:
    """Return a filter under which only sockets of this machine can be made, or None where none is known."""
    known = _SOCKET_CALL.get(platform.machine())
    if known is None:
        return None
    architecture, number = known
    steps = [
        (0x20, 0, 0, 4),
        (0x15, 1, 0, architecture),
        (0x06, 0, 0, 0x80000000),
        (0x20, 0, 0, 0),
        (0x15, 0, 2, number),  # any other call is allowed
        (0x20, 0, 0, 16),  # the first argument: the family
        (0x15, 0, 1, _UNIX),
        (0x06, 0, 0, 0x7FFF0000),
        (0x06, 0, 0, 0x0005000D),  # permission denied
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    return code, struct.pack("@HxxxxxxP", len(steps), ctypes.addressof(code))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the suite and all it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

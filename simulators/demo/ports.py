"""The demo's ports: which part sits on which, and who holds one that is already taken."""

import errno
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

_LISTENING = "0A"  # the state's number in /proc/net/tcp
_SHOWN_SIGNS = 90  # of another program's command line
_FIRST_FREE, _LAST_FREE = 15_000, 32_000  # the system gives the ones above to any connection that begins meanwhile

_PARTS = {
    "web": "the bank's pages",
    "bridge": "the media bridge's commands",
    "media": "sound and picture, UDP",
    "bankid": "BankID",
    "phone": "the demo phone",
    "identity": "the bank's identity service",
    "smtp": "mail",
    "sms": "text messages",
    "mailbox": "the mailboxes",
    "systems": "the bank's other systems",
    "tsa": "the time-stamp authority",
    "scanner": "the virus scanner",
    "guide": "this guide",
}


@dataclass(frozen=True)
class TakenPort:
    """A port another program holds. part: what we need it for. holder: "process 4711 (nginx ...)", or "" if unknown."""

    number: int
    part: str
    holder: str
    process: int | None = None


@dataclass(frozen=True)
class Ports:
    """Every port the demo uses. Defaults are what the guide and the README name; tests take free ones."""

    web: int = 8080
    bridge: int = 8081
    media: int = 50000
    bankid: int = 8443
    phone: int = 8090
    identity: int = 8091
    smtp: int = 8025
    sms: int = 8026
    mailbox: int = 8092
    systems: int = 8094
    tsa: int = 8095
    scanner: int = 8096
    guide: int = 8088

    @classmethod
    def free(cls) -> "Ports":
        """Return ports nobody uses just now, TCP ones and one UDP port for media, below those of connections."""
        numbers: dict[str, int] = {}
        for each in fields(cls):
            while each.name not in numbers:
                number = _FIRST_FREE + secrets.randbelow(_LAST_FREE - _FIRST_FREE)
                if number not in numbers.values() and _is_free(each.name, number):
                    numbers[each.name] = number
        return cls(**numbers)

    def taken(self) -> list[TakenPort]:
        """Return those of our ports that another program holds, on either loopback address."""
        found = []
        for each in fields(self):
            number = getattr(self, each.name)
            if _is_free(each.name, number):
                continue
            process = _holder(number)
            holder = f"process {process} ({_command_of(process)})" if process else ""
            found.append(TakenPort(number, _PARTS[each.name], holder, process))
        return found


def _socket(name: str, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    return socket.socket(family, socket.SOCK_DGRAM if name == "media" else socket.SOCK_STREAM)


def _is_free(name: str, number: int) -> bool:
    # A browser asks localhost on ::1 first: another program there would answer in our place.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            probe = _socket(name, family)
        except OSError:
            continue  # a machine without IPv6
        with probe:
            if name != "media":  # a datagram socket with this would share a port that is in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
            except OSError as error:
                if family is socket.AF_INET or error.errno == errno.EADDRINUSE:  # ::1 itself may be missing
                    return False
    return True


def _holder(number: int) -> int | None:
    """Return the process that holds a port, where this user may see it (Linux)."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(number)}
    if not wanted:
        return None
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):  # gone by now, or another user's
            for handle in (folder / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(handle) in wanted:
                        return int(folder.name)
    return None


def _inodes(number: int) -> Iterator[str]:
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
                columns = line.split()
                is_bound = columns[3] == _LISTENING or table.startswith("udp")
                if is_bound and int(columns[1].rpartition(":")[2], 16) == number:
                    yield columns[9]


def _command_of(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended just now"
    line = " ".join(word for word in words if word)
    return line if len(line) <= _SHOWN_SIGNS else line[: _SHOWN_SIGNS - 1] + "…"

"""The demo's world: its folder, ports and settings file, and the processes in the order they start."""

import fcntl
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from simulators.common.files import write_private
from simulators.demo.ports import Ports
from simulators.demo.processes import ROOT, Process, Processes, StartError, StoppedError, python

__all__ = ["BANK_HOST", "FolderError", "Ports", "World"]

BANK_HOST = "exempelbanken.localhost"
_MARK = "demo.lock"  # says that a folder is a demo's own, and by its lock that one is running


class FolderError(Exception):
    """The demo's folder cannot be used. The text says why and what helps."""


def _ignore(*_told: object) -> None:
    return None


@dataclass
class World:
    """One demo: where it keeps its data, and how to reach each part."""

    folder: Path
    ports: Ports = field(default_factory=Ports)
    workers: int = 1
    policy_dir: Path | None = None
    _lock: int = field(default=-1, init=False, repr=False)

    @property
    def bank(self) -> str:
        return f"http://{BANK_HOST}:{self.ports.web}"

    @property
    def mailbox(self) -> str:
        return f"http://localhost:{self.ports.mailbox}"

    @property
    def phone(self) -> str:
        return f"http://localhost:{self.ports.phone}"

    @property
    def identity(self) -> str:
        return f"http://localhost:{self.ports.identity}"

    @property
    def guide(self) -> str:
        return f"http://localhost:{self.ports.guide}"

    @property
    def announcements(self) -> Path:
        """The file in which the product keeps what it announced."""
        return self.folder / "data" / "meetings.sqlite"

    @property
    def settings_file(self) -> Path:
        return self.folder / "tillit.toml"

    @property
    def steps(self) -> int:
        """How many steps `start` tells of."""
        return len(self.stand_ins()) + 1 + len(self.product())

    def take_folder(self, *, fresh: bool = False) -> None:
        """Make the folder ours until this process ends; fresh: empty it first. Raises FolderError.

        A folder with other things in it is left alone: its mark says whether it is a demo's.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / _MARK).exists() and any(self.folder.iterdir()):
                raise FolderError(f"{self.folder} holds other things. Name an empty folder, or a new one, with --dir.")
            self._lock = os.open(self.folder / _MARK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                said = os.pread(self._lock, 200, 0).decode(errors="replace").strip()
                raise FolderError(
                    f"A demo already runs with {self.folder}: {said}. Stop it first, or name another folder with --dir."
                ) from None
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"process {os.getpid()}, guide at {self.guide}\n".encode(), 0)
            Processes(self.folder / "logs", {}).stop_leftovers()
            if fresh:
                self._empty()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise FolderError(f"{self.folder} cannot be written: {why}. Name another folder with --dir.") from error

    def leave_folder(self) -> None:
        """Let others take the folder. The end of the process does the same."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def start(
        self,
        on_step: Callable[[str], None],
        on_ready: Callable[[float], None] = _ignore,
        *,
        stopping: threading.Event | None = None,
    ) -> Processes:
        """Start everything in order; return the processes. Whoever calls stops them.

        on_step: called with what is begun. on_ready: with the seconds it took. stopping: set by somebody who
        does not want to wait any longer. Raises StartError, StoppedError, with nothing left running.
        """
        environment = {"TILLIT_SETTINGS": str(self.settings_file), "PYTHONUNBUFFERED": "1"}
        running = Processes(self.folder / "logs", environment, stopping)
        try:
            for process in self.stand_ins():
                on_step(process.title)
                on_ready(running.start(process))
            on_step("settings and customer register")
            began = time.monotonic()
            self.write_settings()
            self.tillit("import-customers", str(self.folder / "customers.toml"))
            on_ready(time.monotonic() - began)
            for process in self.product():
                on_step(process.title)
                on_ready(running.start(process))
        except BaseException:
            running.stop()
            raise
        return running

    def tillit(self, *arguments: str) -> str:
        """Run a command of the product, as an operator would, and return what it printed. Raises StartError."""
        command = python("-m", "sidecar", "--settings", str(self.settings_file), *arguments)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode < 0:
            raise StoppedError  # a Ctrl-C in the terminal reaches this command too
        if done.returncode:
            raise StartError(f"tillit {' '.join(arguments)} did not work:\n{done.stderr.strip() or done.stdout}")
        return done.stdout.strip()

    def api_key(self) -> str:
        """Return a key of the open API that may read; made at first use, as for any connected system."""
        kept = self.folder / "guide-api-key"
        if not kept.exists():
            write_private(kept, self.tillit("api-key", "create", "demo guide", "--rights", "read").encode())
        return kept.read_text("ascii").strip()

    def _empty(self) -> None:
        for each in self.folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            elif each.name != _MARK:
                each.unlink()

    def stand_ins(self) -> list[Process]:
        p, at = self.ports, str(self.folder)
        return [
            Process(
                "bankid",
                "BankID stand-in and demo phone",
                python(
                    *("-m", "simulators.bankid", "--dir", f"{at}/bankid"),
                    *("--port", str(p.bankid), "--phone-port", str(p.phone)),
                ),
                f"http://127.0.0.1:{p.phone}/healthz",
            ),
            Process(
                "identity",
                "the bank's identity service",
                python(
                    *("-m", "simulators.identity_service", "--dir", f"{at}/identity", "--port", str(p.identity)),
                    *("--redirect-uri", f"{self.bank}/staff/callback"),
                ),
                f"http://127.0.0.1:{p.identity}/.well-known/openid-configuration",
                writes=self.folder / "identity" / "settings.toml",
            ),
            Process(
                "post",
                "mail, text messages and the bank's inbox",
                python(
                    *("-m", "simulators.post", "--dir", f"{at}/post", "--smtp-port", str(p.smtp)),
                    *("--sms-port", str(p.sms), "--page-port", str(p.mailbox)),
                ),
                f"http://127.0.0.1:{p.mailbox}/healthz",
                writes=self.folder / "post" / "settings.toml",
            ),
            Process(
                "systems",
                "the bank's other systems",
                python("-m", "simulators.receiver", "--dir", f"{at}/systems", "--port", str(p.systems)),
                f"http://127.0.0.1:{p.systems}/healthz",
                writes=self.folder / "systems" / "settings.toml",
            ),
            Process(
                "tsa",
                "time-stamp authority",
                python("-m", "simulators.tsa", "--dir", f"{at}/tsa", "--port", str(p.tsa)),
                f"http://127.0.0.1:{p.tsa}/healthz",
            ),
            Process(
                "scanner",
                "virus scanner",
                python("-m", "simulators.clamd", "--port", str(p.scanner)),
                f"tcp://127.0.0.1:{p.scanner}",
            ),
        ]

    def product(self) -> list[Process]:
        p, settings = self.ports, str(self.settings_file)
        return [
            Process(
                "bridge",
                "media bridge",
                python("-m", "sidecar.bridge", "--settings", settings),
                f"http://127.0.0.1:{p.bridge}/healthz",
            ),
            Process(
                "web",
                "web",
                python("-m", "sidecar", "--settings", settings, "web"),
                f"http://127.0.0.1:{p.web}/healthz",
            ),
            Process("worker", "worker", python("-m", "sidecar", "--settings", settings, "worker"), ""),
        ]

    def write_settings(self) -> None:
        """Write tillit.toml and the customer register. The stand-ins have left their own tables before."""
        hours = "\n".join(f'{day} = "00:00-24:00"' for day in _WEEK)
        p = self.ports
        policy = f'\n[policy]\ndirectory = "{self.policy_dir}"\n' if self.policy_dir else ""
        text = f"""# The demo's settings, written by script/demo. See docs/settings.md.
[web]
listen = "127.0.0.1:{p.web}"
workers = {self.workers}
threads = 64
secure_cookies = false

[[brands]]
id = "exempelbanken"
name = "Exempelbanken"
url = "{self.bank}"
phone = "08-465 004 12"
colour = "#0c4a5b"
languages = ["sv", "nb", "da", "fi", "nl", "en"]
[brands.opening_hours]
{hours}

[[brands]]
id = "nordlyset"
name = "Sparebanken Nordlyset"
url = "http://nordlyset.localhost:{p.web}"
phone = "+47 23 96 50 12"
colour = "#7a1f5c"
languages = ["nb", "en"]
time_zone = "Europe/Oslo"

[keys]
directory = "{self.folder}/keys"

[bridge]
url = "http://127.0.0.1:{p.bridge}"
listen = "127.0.0.1:{p.bridge}"
events_url = "http://127.0.0.1:{p.web}/internal/bridge/events"
media = ["{_own_address()}:{p.media}"]

[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se"]
data_dir = "{self.folder}/data"
[stores.domiciles]
SE = "eu-north-se"
NO = "eu-north-se"
DK = "eu-north-se"
FI = "eu-north-se"
NL = "eu-north-se"
{policy}
[notifications]
order = ["inbox", "email", "sms"]

[worker]
interval = "1s"

[staff]
provider = "staff_oidc"

[plugins]
enabled = [
  "otp_link", "bankid", "staff_oidc", "notify_smtp", "notify_sms", "notify_inbox",
  "document_room", "pades_signing", "forms", "calculation", "share_firewall",
]
approvals = "{ROOT}/plugins/approvals.toml"

[plugins.otp_link]
channels = ["sms"]

{self._stand_in_tables()}
"""
        self.settings_file.write_text(text)
        (self.folder / "customers.toml").write_text(_CUSTOMERS)

    def _stand_in_tables(self) -> str:
        """Return the plugins' tables: what the stand-ins wrote of themselves, and BankID's."""
        at, p = self.folder / "bankid", self.ports
        bankid = f"""[plugins.bankid]
url = "https://127.0.0.1:{p.bankid}/rp/v6.0/"
client_cert = "{at}/rp.pem"
client_key = "{at}/rp-key.pem"
ca_file = "{at}/server-ca.pem"
signature_root_file = "{at}/signature-root.pem"
policy_oids = ["1.2.3.4.5", "1.2.3.4.10", "1.2.3.4.25"]
app_link = "{self.phone}/"
"""
        tsa = self.folder / "tsa"
        signing = f"""[plugins.pades_signing]
seal_certificate = "{tsa}/seal.pem"
seal_key = "{tsa}/seal-key.pem"
roots = "{tsa}/roots.pem"
tsa_url = "http://127.0.0.1:{p.tsa}/"
crls = ["http://127.0.0.1:{p.tsa}/crl/seal.crl", "http://127.0.0.1:{p.tsa}/crl/tsa.crl"]
"""
        documents = f'[plugins.document_room]\nscanner = "tcp:127.0.0.1:{p.scanner}"\n'
        forms = '[plugins.forms]\npublished = ["gala_order"]\n'
        firewall = "[plugins.share_firewall.systems]\ncustomer-records = 1\ncore-banking = 2\n"
        left = ((self.folder / name / "settings.toml").read_text() for name in ("identity", "post", "systems"))
        return "\n".join([bankid, signing, documents, forms, firewall, *left])


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CUSTOMERS = """# The customer register of the demo. All persons are invented.
[[customers]]
name = "Maja Granlid"
national_id = "199002142389"
email = "maja.granlid@example.org"
phone = "+46701740605"
inbox = "maja.granlid"
locality = "Luleå"

[[customers]]
name = "Ture Almvik"
national_id = "196103182371"
email = "ture.almvik@example.org"
phone = "+46701740607"
locality = "Skellefteå"

[[customers]]
name = "Vera Stensund"
national_id = "197907243823"
email = "vera.stensund@example.org"
phone = "+46701740608"
locality = "Piteå"

[[customers]]
name = "Agnes Rask"
national_id = "198412032396"
email = "ekonomi@rasklera.example.org"
phone = "+46701740609"
locality = "Rask & Lera AB, Umeå"
segment = "corporate"
"""


def _own_address() -> str:
    """Return an address of this machine that browsers here reach; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737: connecting a datagram socket sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"

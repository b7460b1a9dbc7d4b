"""The demo's world: its folder, ports and settings file, and the processes in the order they start."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from simulators.demo.processes import Process, Processes, python

BANK_HOST = "exempelbanken.localhost"


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
    guide: int = 8088

    @classmethod
    def free(cls) -> "Ports":
        """Return ports nobody uses just now: TCP ones, and one UDP port for media."""
        held = [socket.socket() for _ in range(9)]
        media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (*held, media):
            each.bind(("127.0.0.1", 0))
        numbers = [each.getsockname()[1] for each in held]
        udp = media.getsockname()[1]
        for each in (*held, media):
            each.close()
        web, bridge, bankid, phone, identity, smtp, sms, mailbox, guide = numbers
        return cls(web, bridge, udp, bankid, phone, identity, smtp, sms, mailbox, guide)

    def taken(self) -> list[int]:
        """Return those of our TCP ports that another program holds."""
        busy = []
        for name, port in self.__dict__.items():
            if name == "media":
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    busy.append(port)
        return busy


@dataclass
class World:
    """One demo: where it keeps its data, and how to reach each part."""

    folder: Path
    ports: Ports = field(default_factory=Ports)
    workers: int = 1
    policy_dir: Path | None = None

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
    def settings_file(self) -> Path:
        return self.folder / "tillit.toml"

    def start(self, on_step: Callable[[str], None]) -> Processes:
        """Start everything in order; return the processes. Whoever calls stops them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        running = Processes(self.folder / "logs", {"TILLIT_SETTINGS": str(self.settings_file), "PYTHONUNBUFFERED": "1"})
        try:
            for process in self.stand_ins():
                on_step(process.title)
                running.start(process)
            self.write_settings()
            for process in self.product():
                on_step(process.title)
                running.start(process)
        except BaseException:
            running.stop()
            raise
        return running

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
            ),
            Process(
                "post",
                "mail, text messages and the bank's inbox",
                python(
                    *("-m", "simulators.post", "--dir", f"{at}/post", "--smtp-port", str(p.smtp)),
                    *("--sms-port", str(p.sms), "--page-port", str(p.mailbox)),
                ),
                f"http://127.0.0.1:{p.mailbox}/healthz",
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
enabled = ["otp_link", "bankid", "staff_oidc", "notify_smtp", "notify_sms", "notify_inbox"]
approvals = "{_ROOT}/plugins/approvals.toml"

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
        return "\n".join([bankid, *((self.folder / n / "settings.toml").read_text() for n in ("identity", "post"))])


_ROOT = Path(__file__).resolve().parents[2]
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

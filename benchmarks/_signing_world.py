"""A bank for the signing bench: web processes, forms, the BankID stand-in, a seal, as many customers as wanted."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from benchmarks._seeded_bank import SeededBank, Visit, write_settings
from benchmarks.common import free_port, started
from sidecar.bootstrap import Services, build
from sidecar.domain.ids import MeetingId, ParticipantId, new_id
from sidecar.domain.meetings import ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.services.ports import MeetingTx
from sidecar.settings import load_settings
from simulators.bankid.certificates import CertificateStore, Identity
from simulators.bankid.persons import Person as BankIdPerson
from simulators.bankid.remote import RemoteBankId
from simulators.tsa.certificates import TrustService

_POLICY = "1.2.3.4.25"


@dataclass(frozen=True)
class Signer:
    """A customer in a running meeting of their own, and their browser. number: their personal number."""

    meeting: str
    participant: str
    visit: Visit
    number: str


@dataclass
class SigningWorld:
    port: int
    api_key: str
    bankid: RemoteBankId
    signers: list[Signer]


@contextmanager
def signing_world(folder: Path, *, signers: int, workers: int, threads: int) -> Iterator[SigningWorld]:
    """Run everything for the length of the block."""
    numbers = [_number(at) for at in range(signers)]
    with ExitStack() as stack:
        bankid = _bankid(folder / "bankid", numbers)
        stack.callback(bankid.stop)
        TrustService.open(folder / "tsa", bank="Bench")
        port = free_port()
        settings = _write_settings(folder, port=port, workers=workers, threads=threads, bankid=bankid)
        services = build(load_settings(settings))
        seated = _seat(SeededBank(settings), services, numbers)
        key = services.api_keys.create("bench", ["forms.drive", "pades_signing.create"])
        environment = os.environ | {"TILLIT_SETTINGS": str(settings)}
        log = stack.enter_context((folder / "web.log").open("w"))
        command = [
            *(sys.executable, "-m", "gunicorn", "sidecar.web.wsgi:app", "--bind", f"127.0.0.1:{port}"),
            *("--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)),
            *("--timeout", "60", "--keep-alive", "30", "--no-control-socket", "--log-level", "warning"),
        ]
        web = stack.enter_context(started(command, env=environment, stdout=log, stderr=log))
        _wait(port, web)
        bankid.phone("faults", reset=True, everybody_approves=True)
        yield SigningWorld(port, key, bankid, seated)


def _number(at: int) -> str:
    """Return one of 25,000 Swedish personal numbers whose check digit holds, as a form asks for: twelve digits."""
    day, serial = divmod(at, 900)
    digits = f"5001{day + 1:02d}{serial + 100}"
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(digits))
    return f"19{digits}{-sum(each // 10 + each % 10 for each in doubled) % 10}"


def _bankid(directory: Path, numbers: Sequence[str]) -> RemoteBankId:
    """Start the stand-in with a BankID for each number; they share one key, for a key each takes too long."""
    people = [BankIdPerson(f"p{at}", "Maja", f"Granlid {at}", number) for at, number in enumerate(numbers)]
    directory.mkdir(parents=True)
    store = CertificateStore.open(directory, persons=(), hosts=["127.0.0.1"], display_name="Bench")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for person in people:
        certificate = _person_certificate(store.tree.customer_ca, person, key)
        target = directory / "private" / f"person-{person.key}"
        target.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (directory / "private" / f"person-{person.key}-key.pem").write_bytes(pem)
    tables = [
        f'[[person]]\nkey = "{each.key}"\ngiven_name = "{each.given_name}"\nsurname = "{each.surname}"\n'
        f'personal_number = "{each.personal_number}"\n'
        for each in people
    ]
    persons = directory / "persons.toml"
    persons.write_text("\n".join(tables), "utf-8")
    return RemoteBankId.launch(directory, "--persons", str(persons))


def _person_certificate(issuer: Identity, person: BankIdPerson, key: rsa.RSAPrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251, a bench has no clock of the product
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, person.personal_number),
            x509.NameAttribute(NameOID.COMMON_NAME, person.name),
        ]
    )
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(_POLICY), None)])
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(policies, False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
        .sign(issuer.key, hashes.SHA256())
    )


def _seat(bank: SeededBank, services: Services, numbers: Sequence[str]) -> list[Signer]:
    """Put each customer into a running meeting of their own: one is held in earnest, the others are its copies."""
    adviser, customer = bank.admit(bank.meeting())
    first = services.meetings.get(adviser.meeting)
    customer = replace(services.meetings.participant(customer.id), state=ParticipantState.IN_ROOM)
    signers: list[Signer] = []
    copies = []
    for number in numbers:
        person = bank.customer(number)
        meeting = replace(first, id=MeetingId(new_id("m")), room=type(first.room)(secrets.token_hex(16)), version=0)
        places = [
            replace(
                each, id=ParticipantId(new_id("p")), meeting=meeting.id, version=0, link_digest=secrets.token_hex(32)
            )
            for each in (adviser, replace(customer, person=person))
        ]
        copies.append((meeting, places))
        signers.append(Signer(meeting.id, places[1].id, bank.visit(places[1]), number))

    def add(tx: MeetingTx) -> None:
        for meeting, places in copies:
            tx.add_meeting(meeting)
            for place in places:
                tx.add_participant(place)

    services.meetings.write(add)
    assert Capacity.CUSTOMER in {place.capacity for place in copies[0][1]}
    return signers


def _write_settings(folder: Path, *, port: int, workers: int, threads: int, bankid: RemoteBankId) -> Path:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in bankid.plugin_settings().items())
    plugins = f"""enabled = ["bankid", "forms", "pades_signing", "notify_smtp"]
approvals = "{Path(__file__).parents[1]}/plugins/approvals.toml"
[plugins.bankid]
{lines}
[plugins.notify_smtp]
host = "127.0.0.1"
port = 9
security = "none"
sender_address = "bank@example.org"
[plugins.pades_signing]
seal_certificate = "{folder}/tsa/seal.pem"
seal_key = "{folder}/tsa/seal-key.pem"
roots = "{folder}/tsa/roots.pem"
"""
    return write_settings(folder, port=port, workers=workers, threads=threads, plugins=plugins)


def _wait(port: int, web: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if web.poll() is not None:
            raise RuntimeError("the web process ended; see web.log")
        time.sleep(0.05)
    raise RuntimeError("the web process does not answer")

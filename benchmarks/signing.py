"""Signing: complete agreements a second, and how the answers feel with a thousand signers at once.

`python -m benchmarks.signing [--quick]`. The product's web processes, the BankID stand-in and the load share this
machine. An agreement is complete when a system has filled in the form through the API (answers checked, clauses
chosen, the PDF made), its signer has signed it with BankID on the page they were given (order, collect, strict
verification), the file has its page, its evidence and its seal, all of it is stored durably, and the copies are queued.
"""

import base64
import io
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reportlab.pdfgen import canvas

from benchmarks._http_load import Answered, exchange
from benchmarks._seeded_bank import HOST
from benchmarks._signing_world import Signer, SigningWorld, signing_world
from benchmarks.common import arguments, figure, median, percentile, table

_COLLECT_S = 2.1  # BankID's rule: nobody is asked about twice within two seconds
_CONNECTIONS = 16
_PEER_SIGNERS = 50
_FORM = "gala_order"  # the shipped form that a system may fill in; its agreement is one page


def main() -> None:
    given = arguments(__doc__ or "")
    signers, agreements, rounds, polls = (1000, 300, 1, 2) if given.quick else (1000, 600, 3, 8)
    workers = max(1, min(2, os.cpu_count() or 1))
    with (
        tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary,
        signing_world(Path(temporary), signers=signers, workers=workers, threads=8) as world,
    ):
        agreements_per_second(world, count=agreements, rounds=rounds)
        in_flight(world, signers=signers, polls=polls)
    table()


def make_pdf(number: int) -> bytes:
    """Return a paper of two pages, for those who wait in a meeting."""
    buffer = io.BytesIO()
    paper = canvas.Canvas(buffer)
    for page in range(2):
        paper.setFont("Helvetica", 12)
        for line in range(30):
            paper.drawString(72, 760 - 20 * line, f"Agreement {number}, page {page + 1}, clause {line + 1}: the terms.")
        paper.showPage()
    paper.save()
    return buffer.getvalue()


def agreements_per_second(world: SigningWorld, *, count: int, rounds: int) -> None:
    """Print complete agreements a second beside as many bare seals."""
    complete_agreements(world, world.signers[:8])  # warms every process
    paper = agreement(world)
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        world.bankid.phone("forget")
        chosen = [world.signers[at % len(world.signers)] for at in range(count)]
        began = time.perf_counter()
        complete = complete_agreements(world, chosen)
        mine.append(complete / (time.perf_counter() - began))
        theirs.append(bare_seals(paper, count=min(count, 120)))
    figure(
        "agreements_per_s",
        median(mine),
        median(theirs),
        median(mine) / median(theirs),
        "1/s",
        count * rounds,
        f"{rounds} rounds of {count} agreements, each filled in through the forms' API, its PDF made there, signed "
        f"with BankID against the stand-in over mutual TLS, verified, sealed PAdES B-B with page, evidence and events, "
        f"stored with fsync, copy queued; web processes, stand-in and load on {os.cpu_count()} cores; "
        f"rounds {min(mine):.1f} to {max(mine):.1f} a second. Peer: bare pyHanko B-B seals, defaults, P-256, of the "
        f"same form's PDF, one process a core, nothing stored",
        least="24",
        aim="120",
    )


def complete_agreements(world: SigningWorld, signers: Sequence[Signer]) -> int:
    """Take one agreement from the form to the sealed file for each signer; return how many are complete."""
    filled = exchange(world.port, [_fill(world, at, each) for at, each in enumerate(signers)], connections=_CONNECTIONS)
    pages = [urlsplit(str(json.loads(each.body)["sign_at"])).path for each in filled]
    _all(_step(world, pages, {"what": "start"}), "choose")  # puts the papers before the signer
    begun = time.perf_counter()
    _all(_step(world, pages, {"what": "start", "method": "bankid"}), "pending")
    time.sleep(max(0.0, _COLLECT_S - (time.perf_counter() - begun)))
    done: list[Answered] = []
    while pages:
        answers = _step(world, pages, {"what": "poll"})
        # Who began last may be asked about too early: their page asks again, as any page does.
        pending = [json.loads(each.body)["status"] == "pending" for each in answers]
        done += [each for each, waits in zip(answers, pending, strict=True) if not waits]
        pages = [each for each, waits in zip(pages, pending, strict=True) if waits]
        if pages:
            time.sleep(0.1)
    _all(done, "complete")
    # What a process left to the worker (a store that was busy) is not complete yet, and so is not counted.
    return sum(json.loads(each.body)["state"] == "sealed" for each in done)


def agreement(world: SigningWorld) -> bytes:
    """Return the PDF that one filled-in form became, unsigned."""
    headers = {"Authorization": f"Bearer {world.api_key}"}
    [filled] = exchange(world.port, [_fill(world, 0, world.signers[0])], connections=1)
    form = json.loads(filled.body)["form"]
    [paper] = exchange(
        world.port, [_request("GET", f"/api/v1/x/forms/forms/{form}/papers/order", headers)], connections=1
    )
    return paper.body


def _fill(world: SigningWorld, number: int, signer: Signer) -> bytes:
    answers = {
        "name": f"Maja Granlid {number}",
        "email": f"customer{number}@example.org",
        "phone": "070-174 06 05",
        "number": signer.number,
        "tickets": 2,
        "seat": "table",
        "gift": "500",
    }
    headers = {"Authorization": f"Bearer {world.api_key}"}
    return _request("POST", f"/api/v1/x/forms/templates/{_FORM}/forms", headers, {"answers": answers})


def _step(world: SigningWorld, pages: Sequence[str], body: dict[str, Any]) -> list[Answered]:
    """Let every signer's page take this step."""
    asked = [_request("POST", f"{page}/act", {}, body) for page in pages]
    return exchange(world.port, asked, connections=_CONNECTIONS)


def _all(answers: Sequence[Answered], status: str) -> None:
    wrong = [each.body for each in answers if json.loads(each.body)["status"] != status]
    if wrong:
        raise RuntimeError(f"{len(wrong)} answers were not {status}: {wrong[0][:300]!r}")


def _open(world: SigningWorld, number: int, signer: Signer) -> bytes:
    body = {
        "meeting": signer.meeting,
        "brand": "bench",
        "language": "sv",
        "title": f"Avtal {number}",
        "text": "Jag godkänner villkoren.",
        "documents": [{"key": "agreement", "name": "Avtal.pdf", "data": base64.b64encode(make_pdf(number)).decode()}],
        "parties": [{"key": "p1", "participant": signer.participant, "methods": ["eid"]}],
    }
    return _request("POST", "/api/v1/x/pades_signing/signings", {"Authorization": f"Bearer {world.api_key}"}, body)


def _act(signer: Signer, signing: str, what: str, body: dict[str, Any]) -> bytes:
    headers = {"Cookie": f"tillit_visit={signer.visit.cookie}", "X-Tillit-CSRF": signer.visit.csrf}
    return _request("POST", f"/v/{signer.participant}/x/pades_signing/signings/{signing}/{what}", headers, body)


def _request(method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        "Accept: application/json",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
        f"Content-Length: {len(data)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


# The peer


def bare_seals(paper: bytes, *, count: int) -> float:
    """Return how many B-B seals of this PDF a second pyHanko makes with its defaults, one process a core."""
    cores = os.cpu_count() or 1
    share = max(1, count // cores)
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores) as pool:
        pool.starmap(_seal_some, [(paper, 1)] * cores, chunksize=1)  # imports and first use are not counted
        began = time.perf_counter()
        pool.starmap(_seal_some, [(paper, share)] * cores, chunksize=1)
        return share * cores / (time.perf_counter() - began)


_peer: dict[str, Any] = {}


def _seal_some(paper: bytes, count: int) -> int:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers

    if not _peer:
        _peer["signer"] = _peer_signer()
    metadata = signers.PdfSignatureMetadata(field_name="Seal", subfilter=fields.SigSeedSubFilter.PADES)
    for _ in range(count):
        writer = IncrementalPdfFileWriter(io.BytesIO(paper))
        signers.sign_pdf(writer, metadata, signer=_peer["signer"])
    return count


def _peer_signer() -> Any:
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from cryptography.hazmat.primitives import serialization
    from pyhanko.sign import signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    from simulators.tsa.certificates import issue

    root = issue("Peer root", None)
    leaf = issue("Peer", root)
    store = SimpleCertificateStore()
    store.register(asn1_x509.Certificate.load(root.der))
    key = leaf.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(leaf.der),
        signing_key=keys.PrivateKeyInfo.load(key),
        cert_registry=store,
    )


# Many at once


def in_flight(world: SigningWorld, *, signers: int, polls: int) -> None:
    """Print how long a waiting page's question takes with so many signers waiting, beside fifty."""
    world.bankid.phone("forget")
    world.bankid.phone("faults", reset=True)  # nobody approves: all stay in flight
    few = waits(world, world.signers[:_PEER_SIGNERS], polls=polls)
    world.bankid.phone("forget")  # who has an order open can begin no other
    many = waits(world, world.signers[:signers], polls=polls)
    p50, p95, p99 = (percentile(many, share) * 1000 for share in (0.5, 0.95, 0.99))
    peer = percentile(few, 0.99) * 1000
    figure(
        "inflight_1000_p99_ms",
        p99,
        peer,
        peer / p99,
        "ms",
        len(many),
        f"{signers} signers with an open BankID order, each in a meeting of their own; each page asks once every "
        f"{_period(signers):.0f} s at even steps ({polls} times), every question reaches the stand-in and is stored; "
        f"p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms, counted from when a question was due. "
        f"Peer: {_PEER_SIGNERS} signers at the same pace each: p50 {percentile(few, 0.5) * 1000:.1f}, "
        f"p95 {percentile(few, 0.95) * 1000:.1f} ms",
        least="ratio 0.33",
        aim="ratio 0.67",
    )


def _period(signers: int) -> float:
    """Seconds between two questions of one page: BankID's two, more where this machine has no room for that."""
    return max(2.0, signers / 100)


def waits(world: SigningWorld, signers: Sequence[Signer], *, polls: int) -> list[float]:
    """Open an order for each signer, let each page ask so many times, and return what each question took, seconds."""
    opened = exchange(world.port, [_open(world, at, each) for at, each in enumerate(signers)], connections=_CONNECTIONS)
    signings = [str(json.loads(each.body)["id"]) for each in opened]
    starts = [
        _act(each, signing, "start", {"method": "bankid"}) for each, signing in zip(signers, signings, strict=True)
    ]
    _all(exchange(world.port, starts, connections=_CONNECTIONS), "pending")
    asks = [_act(each, signing, "poll", {}) for each, signing in zip(signers, signings, strict=True)]
    rate = len(signers) / _period(1000)
    answers = exchange(world.port, asks * polls, connections=_CONNECTIONS, per_second=rate)
    return [each.took_s for each in answers]


if __name__ == "__main__":
    main()

"""The virus scanner: a process of its own that speaks clamd's protocol, and everything that can be wrong with it."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.testing import ORIGIN, Product
from simulators.clamd.__main__ import EICAR
from simulators.common.running import running
from tillit_document_room.sandbox.refusals import UnsafeFileError
from tillit_document_room.scanner import Clamd, NoScanner, scanner_at


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running("simulators.clamd", "--port", "0") as started:
        yield started.addresses["clamd"]


def reason(scanner: Clamd, data: bytes) -> str:
    with pytest.raises(UnsafeFileError) as refused:
        scanner.check(data)
    return refused.value.reason


@pytest.mark.requirement("R069")
def test_a_harmless_file_passes_and_a_virus_is_named(address: str) -> None:
    scanner = Clamd(address)
    assert scanner.is_ready()
    scanner.check(b"")
    scanner.check(b"%PDF-1.7 " + b"a" * 1_000_000)
    assert reason(scanner, EICAR) == "infected"
    assert reason(scanner, b"x" * 200_000 + EICAR + b"y" * 200_000) == "infected"


def test_the_scanner_is_reached_over_a_unix_socket_too(tmp_path: Path) -> None:
    with running("simulators.clamd", "--socket", str(tmp_path / "clamd")) as started:
        scanner = Clamd(started.addresses["clamd"])
        assert scanner.is_ready()
        assert reason(scanner, EICAR) == "infected"


@pytest.mark.parametrize("fault", ["silent", "garbage", "cut"])
def test_a_scanner_without_a_clear_answer_lets_nothing_through(fault: str) -> None:
    with running("simulators.clamd", "--port", "0", "--fault", fault) as started:
        scanner = Clamd(started.addresses["clamd"], timeout_s=0.5)
        assert not scanner.is_ready()
        assert reason(scanner, b"harmless") == "scanner"


def test_a_scanner_that_is_gone_lets_nothing_through(tmp_path: Path) -> None:
    for gone in ("tcp:127.0.0.1:1", f"unix:{tmp_path}/none"):
        assert reason(Clamd(gone, timeout_s=0.5), b"harmless") == "scanner"


def test_a_file_larger_than_the_scanner_takes_is_refused(address: str) -> None:
    assert reason(Clamd(address), b"\x00" * (65 * 1024 * 1024)) == "scanner"


def test_without_a_setting_there_is_none() -> None:
    assert isinstance(scanner_at(""), NoScanner)
    assert scanner_at("").name == "none"


@pytest.mark.requirement("R069")
def test_an_infected_upload_leaves_a_record_and_no_document(tmp_path: Path, address: str) -> None:
    more = f'[plugins.document_room]\nscanner = "{address}"\n'
    product = Product(tmp_path, with_plugins=["document_room"], more=more)
    meeting = product.book()
    visitor = product.arrives(product.place_of(meeting, Capacity.CUSTOMER))
    objects = product.stores()["objects"]
    sent = visitor.client.post(
        f"/v/{visitor.place}/x/document_room/upload",
        data={"csrf": visitor.csrf(), "file": (io.BytesIO(EICAR), "faktura.pdf")},
        base_url=ORIGIN,
    )
    assert sent.status_code == 409
    assert "Virusskyddet stoppade filen" in sent.text
    [record] = [each for each in product.records(meeting) if each.kind == "document_room.refused"]
    assert (record.data["reason"], record.data["scanner"]) == ("infected", "clamd")
    assert product.stores()["objects"] == objects
    desk = product.signs_in()
    told = desk.get("/desk/x/document_room/readiness").get_json()
    assert told == {
        "office": shutil.which("soffice") is not None,
        "sandbox": "shut",
        "scanner": "clamd",
        "scanner_ready": True,
    }

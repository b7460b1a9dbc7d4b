"""What the tests here share: documents to show, a workshop with small limits, and the files made to hurt."""

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tillit_document_room.processes import Workshop
from tillit_document_room.sandbox.limits import MEGABYTE, Limits

SMALL = Limits(
    file_bytes=8 * MEGABYTE,
    pages=100,
    image_pixels=25_000_000,
    unpacked_bytes=8 * MEGABYTE,
    unpacked_total_bytes=24 * MEGABYTE,
    objects=20_000,
    cpu_s=1,
    wall_s=20.0,  # what spins is ended by its processor time; a busy machine may let anybody wait
    memory_bytes=768 * MEGABYTE,
)


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """Processes with limits small enough that a file that runs into them is noticed quickly."""
    made = Workshop(SMALL, processes=2)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def hostile() -> ModuleType:
    """The files made to hurt, see hostile.py."""
    path = Path(__file__).with_name("hostile.py")
    spec = importlib.util.spec_from_file_location("document_room_hostile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_pdf(*pages: list[str], colour: tuple[float, float, float] = (0, 0, 0)) -> bytes:
    """Return an A4 document with these lines on its pages."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    for lines in pages:
        canvas.setFont("Times-Roman", 12)
        canvas.setFillColorRGB(*colour)
        for place, line in enumerate(lines):
            canvas.drawString(72, 760 - 24 * place, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.fixture(scope="session")
def written() -> Callable[..., bytes]:
    return make_pdf

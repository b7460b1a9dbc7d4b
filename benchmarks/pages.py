"""Pages for one viewer: drawn, marked and packed without loss, beside pypdfium2 with a plain PNG.

`python -m benchmarks.pages [--quick]`. Ours is the document room's own process, shut in as in the product, and the
way to it and back: each page is drawn anew, carries the viewer's mark and comes back as PNG. The peer draws the same
pages with pypdfium2 and packs them with Pillow at level 1, in a process of its own, without any mark. Both are
counted in processor time of every process involved, which hardly moves with who else is busy.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from benchmarks._first_page import first_pages
from benchmarks._processor import family_of, seconds_of
from benchmarks._sample_pages import sample
from benchmarks.common import alternate, arguments, figure, median, percentile, table
from tillit_document_room.processes import Keeper, Workshop
from tillit_document_room.sandbox.limits import Limits

DPI = 150.0
MARK = "Maja Granlid  2026-11-24 14:26  Bolån K7QX2"
_SAMPLE = "A4 at 150 dpi; of eight pages five are black text, two have colour, one is a photograph of a paper"


def main() -> None:
    given = arguments(__doc__ or "")
    pages, rounds, shown = (24, 3, 12) if given.quick else (48, 7, 60)
    data = sample(pages)
    with tempfile.TemporaryDirectory(prefix="tillit-bench-") as folder:
        file = Path(folder) / "sample.pdf"
        file.write_bytes(data)
        rates(data, file, pages=pages, rounds=rounds)
    first_page(shown)
    table()


def rates(data: bytes, file: Path, *, pages: int, rounds: int) -> None:
    """Print pages per second of one core, and what a further viewer of a page costs."""
    with _room(data) as (keeper, key):
        _check(keeper, key)

        def ours() -> float:
            return pages / _processor_s(lambda: [_page(keeper, key, number + 1) for number in range(pages)])

        def peer() -> float:
            command = [sys.executable, "-m", "benchmarks._bare_pages", str(file), str(DPI)]
            return pages / float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        mine, theirs = alternate(ours, peer, rounds=rounds)
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        figure(
            "pages_per_s_core",
            median(mine),
            median(theirs),
            median(ratios),
            "pages/s",
            rounds * pages,
            f"{_SAMPLE}; {pages} pages, none drawn before, {rounds} rounds in turn; pages by processor seconds of all "
            f"processes. Ours: drawn, marked for one viewer, PNG, through the shut-in process. Peer: pypdfium2 and "
            f"Pillow's PNG at level 1, no mark. Ratio of each pair: {min(ratios):.2f} to {max(ratios):.2f}.",
            least="6/s",
            aim="10/s",
        )
        _page(keeper, key, 1)
        viewers = 24
        cost = _processor_s(lambda: [_page(keeper, key, 1, f"{MARK} {n}") for n in range(viewers)])
        figure(
            "further_viewer_ms",
            cost / viewers * 1000,
            unit="ms",
            n=viewers,
            load="processor time of a page that was drawn before, for a viewer who has not seen it: mark and PNG",
        )


def first_page(shown: int) -> None:
    """Print how long the customer waits for the first page of a document just presented."""
    documents = [(f"Avtal {number}", sample(3 + number % 5, title=f"{number}:")) for number in range(shown)]
    took = [seconds * 1000 for seconds in first_pages(documents)]
    figure(
        "first_page_p95_ms",
        percentile(took, 0.95),
        unit="ms",
        n=shown,
        load=f"from the adviser's request to the decoded page in the customer's Chromium, {shown} documents shown one "
        f"after the other, none opened before; audit log in files, synced; the web server, the adviser and the "
        f"browser share this machine; median {median(took):.0f}, {min(took):.0f} to {max(took):.0f}; "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}",
    )


@contextmanager
def _room(data: bytes) -> Iterator[tuple[Keeper, str]]:
    workshop, key = Workshop(Limits(), processes=1), hashlib.sha256(data).hexdigest()
    with workshop.room("m_bench") as keeper:
        keeper.do({"do": "open", "key": key}, data)
        yield keeper, key
    workshop.stop()


def _page(keeper: Keeper, key: str, number: int, mark: str = MARK) -> bytes:
    _, png = keeper.do({"do": "page", "key": key, "page": number, "dpi": DPI, "masks": [], "mark": mark})
    return png


def _processor_s(work: Callable[[], object]) -> float:
    """Return the processor seconds of this process and all below it while the work was done."""
    family = family_of(os.getpid())
    before = seconds_of(family)
    work()
    return max(seconds_of(family) - before, 1e-6)


def _check(keeper: Keeper, key: str) -> None:
    """Fast and wrong is not fast: the page has the right size, carries a mark, and the mark is the viewer's own."""
    one, other = _page(keeper, key, 1), _page(keeper, key, 1, "Samir Haddin")
    assert Image.open(io.BytesIO(one)).size == (1241, 1754), Image.open(io.BytesIO(one)).size
    assert one != other
    assert one != _page(keeper, key, 1, "")


if __name__ == "__main__":
    main()

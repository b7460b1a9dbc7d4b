"""The peer of `benchmarks.pages`: each page drawn by pypdfium2 and packed by Pillow as PNG at level 1, nothing else.

`python -m benchmarks._bare_pages FILE DPI` prints the processor seconds it took, the libraries loaded before.
"""

import io
import sys
import time
from pathlib import Path

import pypdfium2 as pdfium


def main() -> None:
    document = pdfium.PdfDocument(Path(sys.argv[1]).read_bytes())
    scale = float(sys.argv[2]) / 72
    _pack(document[0], scale)  # loads what packing needs
    began = time.process_time()
    for page in document:
        _pack(page, scale)
    print(time.process_time() - began)


def _pack(page: pdfium.PdfPage, scale: float) -> None:
    page.render(scale=scale, rev_byteorder=True).to_pil().save(io.BytesIO(), "PNG", compress_level=1)


if __name__ == "__main__":
    main()

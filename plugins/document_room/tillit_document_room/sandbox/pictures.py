"""Makes a PDF of a picture: what the camera and the scanner wrote into it about place and person is left behind."""

import io
import zlib

from PIL import Image, ImageOps, ImageSequence

from tillit_document_room.sandbox.limits import POINTS_PER_INCH, Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

_A4 = (595.0, 842.0)
_MARGIN = 24.0
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "tiff": "TIFF"}
_JPEG_QUALITY = 90  # a photograph of a paper stays readable at a sixth of the size


def to_pdf(data: bytes, kind: str, limits: Limits) -> bytes:
    """Return a PDF with one A4 page for each frame. Raises UnsafeFileError."""
    Image.MAX_IMAGE_PIXELS = None  # the check below is ours, before a pixel is unpacked
    try:
        with Image.open(io.BytesIO(data), formats=[_FORMATS[kind]]) as opened:
            if opened.width * opened.height > limits.image_pixels:
                raise UnsafeFileError("pixels", kind)
            frames = getattr(opened, "n_frames", 1) if kind == "tiff" else 1
            if frames > limits.pages:
                raise UnsafeFileError("pages", kind)
            pages = []
            for place, frame in enumerate(ImageSequence.Iterator(opened)):
                if place >= frames:
                    break
                if frame.width * frame.height > limits.image_pixels:
                    raise UnsafeFileError("pixels", kind)
                pages.append(_page(frame, lossless=kind != "jpeg"))
                if sum(len(page[1]) for page in pages) > limits.unpacked_bytes:
                    raise UnsafeFileError("size", "pictures")
    except UnsafeFileError:
        raise
    except MemoryError as error:
        raise UnsafeFileError("bomb", "memory") from error
    except Exception as error:  # Pillow's decoders raise whatever the bytes lead them to
        raise UnsafeFileError("broken", type(error).__name__) from error
    return _document(pages)


def _page(frame: Image.Image, *, lossless: bool) -> tuple[str, bytes, int, int]:
    """Return the entries of an image dictionary, its data, and its size in pixels."""
    upright = ImageOps.exif_transpose(frame)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        paper = Image.new("RGBA", upright.size, "white")
        paper.alpha_composite(upright.convert("RGBA"))
        upright = paper
    grey = upright.mode in ("1", "L", "I;16", "I", "F")
    flat = upright.convert("L" if grey else "RGB")
    colours = "/DeviceGray" if grey else "/DeviceRGB"
    if lossless:
        return f"/ColorSpace {colours} /Filter /FlateDecode", zlib.compress(flat.tobytes(), 6), *flat.size
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=_JPEG_QUALITY)
    return f"/ColorSpace {colours} /Filter /DCTDecode", out.getvalue(), *flat.size


def _document(pages: list[tuple[str, bytes, int, int]]) -> bytes:
    kids = " ".join(f"{3 + 3 * place} 0 R" for place in range(len(pages)))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()]
    for place, (entries, data, width, height) in enumerate(pages):
        page, content, picture = (3 + 3 * place + step for step in range(3))
        paper = _A4 if height >= width else (_A4[1], _A4[0])
        scale = min(
            (paper[0] - 2 * _MARGIN) / width,
            (paper[1] - 2 * _MARGIN) / height,
            POINTS_PER_INCH / 96 if width < 600 else 9,
        )
        wide, high = width * scale, height * scale
        left, low = (paper[0] - wide) / 2, (paper[1] - high) / 2
        assert page
        drawing = f"q {wide:.3f} 0 0 {high:.3f} {left:.3f} {low:.3f} cm /P Do Q".encode()
        resources = f"<< /XObject << /P {picture} 0 R >> >>"
        box = f"[0 0 {paper[0]:g} {paper[1]:g}]"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Resources {resources} /Contents {content} 0 R >>".encode()
        )
        objects.append(_stream("", drawing))
        size = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8"
        objects.append(_stream(f"{size} {entries}", data))
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _stream(entries: str, data: bytes) -> bytes:
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"

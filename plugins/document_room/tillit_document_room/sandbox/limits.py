"""How much one file may ask for. The same values on both sides of the border."""

from dataclasses import dataclass

MEGABYTE = 1024 * 1024
POINTS_PER_INCH = 72.0


@dataclass(frozen=True)
class Limits:
    """What a file may cost before it is refused.

    *_bytes: sizes. pages: of one document. page_points: longest side of a page (1/72 inch; 14,400 is the most a
    PDF may have). image_pixels: of one picture, whether a file of its own or within a PDF. unpacked_bytes: of one
    packed stream; unpacked_total_bytes: of all in a file. nesting: of objects, of filters on one stream and of
    files in files. cpu_s, wall_s, memory_bytes: of the process that reads it. page_pixels: longest side of a page
    as drawn, in pixels.
    """

    file_bytes: int = 50 * MEGABYTE
    pages: int = 500
    page_points: float = 14_400.0
    image_pixels: int = 100_000_000
    unpacked_bytes: int = 160 * MEGABYTE
    unpacked_total_bytes: int = 320 * MEGABYTE
    objects: int = 200_000
    nesting: int = 60
    filters: int = 4
    cpu_s: int = 20
    wall_s: float = 30.0
    memory_bytes: int = 1024 * MEGABYTE
    page_pixels: int = 3_600

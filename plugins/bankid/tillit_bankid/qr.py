"""The animated QR code: its text, new every second, and its picture."""

import hashlib
import hmac
from html import escape

import segno

_QUIET_ZONE = 4  # modules on each side, ISO/IEC 18004
_MASK = 3


def qr_text(*, token: str, secret: str, seconds: int) -> str:
    """Return what the code says. seconds: whole seconds since our service received the order.

    Source: BankID Relying Party API v6.0, animated QR code.
    """
    code = hmac.new(secret.encode("ascii"), str(seconds).encode("ascii"), hashlib.sha256).hexdigest()
    return f"bankid.{token}.{seconds}.{code}"


def qr_svg(text: str, *, label: str) -> str:
    """Return the code as one svg element, black on white with its quiet zone, whatever the page's theme.

    Only presentation attributes: a strict Content-Security-Policy refuses style attributes.
    label: read aloud instead of the picture.
    """
    # One mask for all: finding the fairest of eight takes ten times as long, each second for each open page, and
    # a code of random signs has no large areas that another mask would break up. Any reader takes any mask.
    matrix = segno.make(text, micro=False, error="l", boost_error=False, mask=_MASK).matrix
    side = len(matrix) + 2 * _QUIET_ZONE
    origin = -_QUIET_ZONE
    return (
        f'<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="{origin} {origin} {side} {side}"'
        f' role="img" aria-label="{escape(label)}">'
        f'<rect x="{origin}" y="{origin}" width="{side}" height="{side}" fill="#fff"/>'
        f'<path fill="#000" shape-rendering="crispEdges" d="{_path(matrix)}"/></svg>'
    )


def _path(matrix: tuple[bytearray, ...]) -> str:
    """Return one rectangle for each run of dark modules in a row."""
    runs = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            x += 1
    return "".join(runs)

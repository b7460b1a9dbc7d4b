"""The animated code says what BankID's rule says, and can be drawn under a strict page policy."""

import re

import pytest
import segno

from tillit_bankid.qr import qr_svg, qr_text

TOKEN = "67df3917-fa0d-44e5-b327-edcc928297f8"
SECRET = "d28db9a7-4cde-429e-a983-359be676944c"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (0, "dc69358e712458a66a7525beef148ae8526b1c71610eff2c16cdffb4cdac9bf8"),
        (1, "949d559bf23403952a94d103e67743126381eda00f0b3cbddbf7c96b1adcbce2"),
        (2, "a9e5ec59cb4eee4ef4117150abc58fad7a85439a6a96ccbecc3668b41795b3f3"),
    ],
)
def test_text_equals_the_published_vectors(seconds: int, code: str) -> None:
    assert qr_text(token=TOKEN, secret=SECRET, seconds=seconds) == f"bankid.{TOKEN}.{seconds}.{code}"


def test_picture_holds_the_text_with_four_modules_of_quiet_zone() -> None:
    text = qr_text(token=TOKEN, secret=SECRET, seconds=7)
    svg = qr_svg(text, label="QR")
    expected = segno.make(text, micro=False, error="l", boost_error=False, mask=3).matrix

    drawn = [bytearray(len(expected)) for _ in expected]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", svg):
        drawn[int(y)][int(x) : int(x) + int(width)] = b"\1" * int(width)

    assert tuple(drawn) == expected
    assert f'viewBox="-4 -4 {len(expected) + 8} {len(expected) + 8}"' in svg
    assert 'fill="#fff"' in svg
    assert 'fill="#000"' in svg


def test_picture_needs_no_style_and_escapes_its_label() -> None:
    svg = qr_svg("bankid.x", label='"><script>')

    assert "style" not in svg
    assert "<script" not in svg
    assert 'aria-label="&quot;&gt;&lt;script&gt;"' in svg

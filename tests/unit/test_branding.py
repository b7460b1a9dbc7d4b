"""A bank's own look reads for everybody, and its logo cannot do anything but be seen."""

import itertools

import pytest

from sidecar.domain.branding import (
    LOGO_LIMIT,
    Brand,
    brand_css,
    contrast,
    derive,
    logo_findings,
    measure,
    normal_hex,
    offer_fill,
)
from sidecar.domain.errors import InvalidInputError

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z" fill="#0c4a5b"/></svg>'


@pytest.mark.requirement("R054")
@pytest.mark.parametrize("red", ["00", "33", "80", "cc", "ff"])
def test_every_pair_of_colours_reads_whatever_colour_a_bank_picks(red: str) -> None:
    steps = ("00", "33", "80", "cc", "ff")
    for green, blue in itertools.product(steps, steps):
        colours = derive(f"#{red}{green}{blue}")
        failing = [(one.name, round(one.ratio, 2)) for one in measure(colours) if not one.holds]
        assert failing == [], f"#{red}{green}{blue}"


def test_contrast_is_the_one_wcag_defines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


@pytest.mark.requirement("R054")
def test_a_colour_that_reads_is_kept_and_a_pale_one_is_offered_darker() -> None:
    kept, pale = offer_fill("#0c4a5b"), offer_fill("#FFCC00")

    assert (kept.fill, kept.changed) == ("#0c4a5b", False)
    assert pale.changed
    assert pale.ratio < 4.5 <= pale.fill_ratio < 5  # the nearest that reads, not simply black


def test_the_hover_of_a_button_can_be_told_from_the_button() -> None:
    for colour in ("#000000", "#0c4a5b", "#ff5500"):
        colours = derive(colour)
        assert colours.brand_fill != colours.brand_fill_hover


@pytest.mark.requirement("R054")
def test_style_sheet_sets_the_names_of_tokens_css_in_plain_hex_and_nothing_else() -> None:
    lines = brand_css("#0c4a5b").splitlines()

    assert lines[0] == ":root {"
    assert lines[-1] == "}"
    assert len(lines) == 13
    for line in lines[1:-1]:
        name, value = line.strip().removesuffix(";").split(": ")
        assert name.startswith(("--brand", "--on-brand"))
        assert normal_hex(value) == value


@pytest.mark.parametrize("colour", ["red", "#12", "#0c4a5b;}body{display:none", "rgb(0,0,0)", "#ggg", ""])
def test_what_is_no_hex_colour_never_reaches_the_style_sheet(colour: str) -> None:
    with pytest.raises(InvalidInputError):
        brand_css(colour)


def test_short_hex_is_written_out() -> None:
    assert normal_hex("#AbC") == "#aabbcc"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"host": "Bank.Example"}, "host"),
        ({"host": "bank.example/path"}, "host"),
        ({"colour": "teal"}, "colour"),
        ({"phone": "javascript:alert(1)"}, "phone"),
        ({"logo": "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"}, "logo"),
    ],
)
def test_a_brand_that_cannot_be_shown_is_refused_by_its_field(changed: dict[str, str], field: str) -> None:
    given = {"name": "Exempelbanken", "host": "bank.example", "colour": "#0c4a5b", "phone": "08-465 004 12", **changed}

    with pytest.raises(InvalidInputError) as refused:
        Brand(**given)
    assert refused.value.params["field"] == field


def test_a_number_becomes_an_address_to_press() -> None:
    brand = Brand(name="Exempelbanken", host="bank.example", colour="#0c4a5b", phone="+46 (8) 465 004 12")

    assert brand.phone_href == "tel:+46846500412"


def test_a_plain_drawing_is_a_logo() -> None:
    assert logo_findings(DRAWING) == ()
    assert logo_findings(b'<?xml version="1.0" encoding="UTF-8"?>\n' + DRAWING) == ()


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (b"<script>alert(1)</script>", "element script"),
        (b'<path onload="x()"/>', "attribute onload"),
        (b'<g ONCLICK="x()"/>', "attribute onclick"),
        (b'<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>', "element foreignObject"),
        (b'<image href="https://elsewhere.example/a.png"/>', "outside"),
        (b'<use href="https://elsewhere.example/a.svg#x"/>', "outside"),
        (b'<use xmlns:x="http://www.w3.org/1999/xlink" x:href="data:image/svg+xml;base64,AA"/>', "outside"),
        (b'<a href="javascript:alert(1)"/>', "element a"),
        (b'<set attributeName="onmouseover" to="x()"/>', "element set"),
        (b"<style>@import url(//elsewhere.example)</style>", "element style"),
        (b'<path style="fill:red"/>', "attribute style"),
        (b'<path fill="url( https://elsewhere.example/x )"/>', "outside"),
        (b'<path d="java\nscript:x"/>', "outside"),
    ],
)
def test_a_logo_that_runs_or_fetches_anything_is_refused(inside: bytes, told: str) -> None:
    svg = DRAWING.replace(b"</svg>", inside + b"</svg>")

    assert any(told in finding for finding in logo_findings(svg))


@pytest.mark.parametrize(
    "svg",
    [
        b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + DRAWING,
        b'<?xml-stylesheet href="a.css"?>' + DRAWING,
        b'<?xml version="1.0" encoding="utf-16"?>' + DRAWING,
        DRAWING.decode().encode("utf-16"),
        DRAWING.replace(b"</svg>", b""),
        b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
        DRAWING + b" " * LOGO_LIMIT,
        b"",
    ],
)
def test_a_logo_that_hides_what_it_is_is_refused(svg: bytes) -> None:
    assert logo_findings(svg) != ()


def test_a_reference_inside_the_drawing_is_fine() -> None:
    inside = b'<defs><linearGradient id="g"/></defs><rect fill="url(#g)"/><use href="#g"/>'

    assert logo_findings(DRAWING.replace(b"</svg>", inside + b"</svg>")) == ()

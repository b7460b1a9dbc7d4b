"""A bank's own look: one colour in, every derived colour out and measured; a logo only if it is just drawing.

The colours are worked out in OKLCH, where equal steps look equal, as static/css/tokens.css describes them;
here they are also measured (WCAG 2.2) and moved until text reads, so that no bank can pick a colour its
customers cannot see. Sources: OKLab by Björn Ottosson (2020), CSS Color 4 section 10, WCAG 2.2 success
criteria 1.4.3 and 1.4.11.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.domain.errors import InvalidInputError

TEXT_FLOOR = 4.5  # WCAG 1.4.3: text
EDGE_FLOOR = 3.0  # WCAG 1.4.11: a control's edge
LOGO_LIMIT = 64 * 1024  # bytes; a drawn mark needs a tenth of it

# The grounds of tokens.css that brand-coloured text may lie on.
_LIGHT_GROUNDS = ("#ffffff", "#f3f6f7", "#e9eef0")
_DARK_GROUNDS = ("#0d1518", "#162126", "#202d33")
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_PHONE = re.compile(r"\+?[0-9][0-9 ()\-]{3,24}")

Rgb = tuple[float, float, float]  # 0 to 1, sRGB
Oklch = tuple[float, float, float]  # lightness 0 to 1, chroma, hue in radians


@dataclass(frozen=True)
class Brand:
    """One bank, or one brand of a bank, as its customers meet it.

    host: the domain the pages are served on, lower case, without port. colour: "#rrggbb". phone: as people
    read it. logo: an SVG text that passed logo_findings, or "". language: spoken where nothing else is
    known. zone: a name of the time zone database. Raises InvalidInputError (field) for what cannot be used.
    """

    name: str
    host: str
    colour: str
    phone: str = ""
    language: str = "sv"
    zone: str = "Europe/Stockholm"
    logo: str = ""
    privacy_contact: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.name.strip()) <= 60:
            raise InvalidInputError("a brand needs a name of at most 60 characters", field="name")
        if not _HOST.fullmatch(self.host):
            raise InvalidInputError("a brand's host is a lower-case domain name", field="host")
        if self.phone and not _PHONE.fullmatch(self.phone):
            raise InvalidInputError("a brand's phone number has digits, spaces and dashes only", field="phone")
        if self.logo and logo_findings(self.logo.encode()):
            raise InvalidInputError("a brand's logo may hold nothing but drawing", field="logo")
        object.__setattr__(self, "colour", normal_hex(self.colour))

    @property
    def phone_href(self) -> str:
        """The number as an address to press: tel:0846500412."""
        return f"tel:{re.sub('[^0-9+]', '', self.phone)}" if self.phone else ""


@dataclass(frozen=True)
class BrandColours:
    """The brand's colours as plain hex, in the names of tokens.css."""

    brand: str
    on_brand: str
    brand_fill: str
    brand_fill_hover: str
    on_brand_fill: str
    brand_ink_light: str
    brand_wash_light: str
    brand_ink_dark: str
    brand_wash_dark: str
    brand_ink_dark_hover: str
    on_brand_ink_dark: str


@dataclass(frozen=True)
class Measured:
    """One pair of colours that meets on a page. ratio: WCAG contrast, 1 to 21."""

    name: str
    front: str
    ground: str
    ratio: float
    floor: float

    @property
    def holds(self) -> bool:
        return self.ratio >= self.floor


@dataclass(frozen=True)
class FillOffer:
    """What a bank is told about its colour as a button: does white read on it, and what is used if not."""

    given: str
    ratio: float
    fill: str
    fill_ratio: float

    @property
    def changed(self) -> bool:
        return self.fill != self.given


def normal_hex(colour: str) -> str:
    """Return "#rrggbb" in lower case. Raises InvalidInputError (field: colour) for what is no hex colour."""
    if not _HEX.fullmatch(colour):
        raise InvalidInputError("a colour is written #rrggbb", field="colour")
    digits = colour[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two hex colours, 1 to 21. Source: WCAG 2.2, relative luminance."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def offer_fill(colour: str) -> FillOffer:
    """Return the fill a colour gives: itself where white text reads on it, else the nearest darker one."""
    given = normal_hex(colour)
    fill = _until(given, step=-0.01, grounds=("#ffffff",), floor=TEXT_FLOOR)
    return FillOffer(given, contrast(given, "#ffffff"), fill, contrast(fill, "#ffffff"))


def derive(colour: str) -> BrandColours:
    """Return every colour a page needs from the bank's one. Each text pair measures at least 4.5:1."""
    brand = normal_hex(colour)
    lightness, chroma, hue = _oklch(_rgb(brand))
    fill = offer_fill(brand).fill
    wash_light = _hex((0.945, min(chroma, 0.014), hue))
    wash_dark = _hex((0.30, min(chroma, 0.035), hue))
    ink_dark = _until(
        _hex((max(lightness, 0.81), min(chroma, 0.09), hue)),
        step=0.01,
        grounds=(*_DARK_GROUNDS, wash_dark),
        floor=TEXT_FLOOR,
    )
    return BrandColours(
        brand=brand,
        on_brand=max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, brand)),
        brand_fill=fill,
        brand_fill_hover=_pointed_at(fill),
        on_brand_fill="#ffffff",
        brand_ink_light=_until(
            _hex((min(lightness, 0.45), chroma, hue)),
            step=-0.01,
            grounds=(*_LIGHT_GROUNDS, wash_light),
            floor=TEXT_FLOOR,
        ),
        brand_wash_light=wash_light,
        brand_ink_dark=ink_dark,
        brand_wash_dark=wash_dark,
        brand_ink_dark_hover=_hex((max(lightness, 0.88), min(chroma, 0.06), hue)),
        on_brand_ink_dark=_until(
            _hex((0.23, min(chroma, 0.045), hue)), step=-0.01, grounds=(ink_dark,), floor=TEXT_FLOOR
        ),
    )


def measure(colours: BrandColours) -> tuple[Measured, ...]:
    """Return every pair of colours that meets on a page, with its contrast and the floor it must reach."""
    pairs: list[tuple[str, str, str, float]] = [
        ("text on the brand", colours.on_brand, colours.brand, TEXT_FLOOR),
        ("text on the main button", colours.on_brand_fill, colours.brand_fill, TEXT_FLOOR),
        ("text on the main button, pointed at", colours.on_brand_fill, colours.brand_fill_hover, TEXT_FLOOR),
        ("main button, dark", colours.on_brand_ink_dark, colours.brand_ink_dark, TEXT_FLOOR),
        (
            "main button, dark, pointed at",
            colours.on_brand_ink_dark,
            colours.brand_ink_dark_hover,
            TEXT_FLOOR,
        ),
    ]
    for ground in (*_LIGHT_GROUNDS, colours.brand_wash_light):
        pairs.append(("brand as text", colours.brand_ink_light, ground, TEXT_FLOOR))
        pairs.append(("edge of the main button", colours.brand_fill, ground, EDGE_FLOOR))
    pairs += [
        ("brand as text, dark", colours.brand_ink_dark, ground, TEXT_FLOOR)
        for ground in (*_DARK_GROUNDS, colours.brand_wash_dark)
    ]
    return tuple(Measured(name, front, ground, contrast(front, ground), floor) for name, front, ground, floor in pairs)


def brand_css(colour: str) -> str:
    """Return the style sheet served as /brand.css, after tokens.css: its names, in plain hex."""
    colours = derive(colour)
    lines = [f"  --{name.replace('_', '-')}: {getattr(colours, name)};" for name in BrandColours.__dataclass_fields__]
    return ":root {\n" + "\n".join(lines) + "\n}\n"


# A logo ----------------------------------------------------------------------------------

_SVG = "{http://www.w3.org/2000/svg}"
_DRAWING = frozenset({
    "svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon",
    "linearGradient", "radialGradient", "stop", "clipPath", "mask", "symbol", "use",
})  # fmt: skip
_REFERENCE = re.compile(r"#[\w.-]+")
_PAINT_URL = re.compile(r"url\(\s*['\"]?(?!#)", re.IGNORECASE)


def logo_findings(svg: bytes) -> tuple[str, ...]:
    """Return why a logo cannot be used, in plain English; nothing when it holds only drawing.

    Refused: anything that runs (script, on... attributes, animation), brings in something from elsewhere
    (image, foreignObject, links, style sheets, url(...)), or hides itself (document types, entities, other
    encodings).
    """
    if len(svg) > LOGO_LIMIT:
        return (f"larger than {LOGO_LIMIT // 1024} kB",)
    try:
        text = svg.decode("utf-8")
    except UnicodeDecodeError:
        return ("not UTF-8",)
    # Before any parsing: a document type can name other files, or grow without end.
    if re.search(r"<!\s*(?:doctype|entity)|<\?(?!xml\s)", text, re.IGNORECASE) or "\0" in text:
        return ("has a document type or processing instruction",)
    if re.search(r"<\?xml[^>]*encoding\s*=\s*['\"](?!utf-8)", text, re.IGNORECASE):
        return ("says it is not UTF-8",)
    try:
        root = ET.fromstring(text.lstrip("\ufeff \r\n\t"))  # noqa: S314 - no document type, hence no entities
    except (ET.ParseError, ValueError):
        return ("not well-formed XML",)
    if root.tag != f"{_SVG}svg":
        return ("not an SVG drawing",)
    return tuple(dict.fromkeys(finding for element in root.iter() for finding in _element_findings(element)))


def _element_findings(element: ET.Element) -> list[str]:
    name = element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else "a comment"
    findings = [] if name in _DRAWING else [f"has the element {name.split('}')[-1]}"]
    for key, value in element.attrib.items():
        attribute = key.split("}")[-1].lower()
        if attribute.startswith("on") or attribute == "style":
            findings.append(f"has the attribute {attribute}")
        elif _leads_away(attribute, value):
            findings.append("points outside itself")
    return findings


def _leads_away(attribute: str, value: str) -> bool:
    if attribute in ("href", "src") and not _REFERENCE.fullmatch(value.strip()):
        return True
    return bool(_PAINT_URL.search(value)) or "javascript:" in re.sub(r"\s", "", value).lower()


# Colour spaces ---------------------------------------------------------------------------


def _rgb(colour: str) -> Rgb:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _gamma(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (_linear(channel) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _oklch(rgb: Rgb) -> Oklch:
    red, green, blue = (_linear(channel) for channel in rgb)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return (lightness, math.hypot(a, b), math.atan2(b, a))


def _linear_rgb(colour: Oklch) -> Rgb:
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _hex(colour: Oklch) -> str:
    """Return the nearest colour a screen has: same lightness and hue, less chroma where it must be."""
    lightness, chroma, hue = colour
    while chroma > 0 and not _in_gamut(_linear_rgb((lightness, chroma, hue))):
        chroma = max(0.0, chroma - 0.002)
    channels = (_gamma(min(1.0, max(0.0, channel))) for channel in _linear_rgb((lightness, chroma, hue)))
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _in_gamut(rgb: Rgb) -> bool:
    return all(-0.0005 <= channel <= 1.0005 for channel in rgb)


def _pointed_at(fill: str) -> str:
    """Return a fill a little darker, or a little lighter where it is almost black already."""
    lightness, chroma, hue = _oklch(_rgb(fill))
    return _hex((lightness - 0.06 if lightness > 0.14 else lightness + 0.14, chroma, hue))


def _until(colour: str, *, step: float, grounds: Sequence[str], floor: float) -> str:
    """Return the colour, moved in lightness by steps until it reads on every ground."""
    lightness, chroma, hue = _oklch(_rgb(colour))
    moved = colour
    while any(contrast(moved, ground) < floor for ground in grounds) and 0 < lightness < 1:
        lightness = min(1.0, max(0.0, lightness + step))
        moved = _hex((lightness, chroma, hue))
    return moved

"""The fonts of an agreement. A sign no font has would be an empty box in a contract, so it is refused instead."""

import threading
from functools import lru_cache
from pathlib import Path

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from sidecar.plugin_api import ConfigurationError

# DejaVu has every letter of the Nordic and Sámi languages; Bitstream Vera, which comes with reportlab, most of them.
SYSTEM = Path("/usr/share/fonts/truetype/dejavu")
_PAIRS = (("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"), ("Vera.ttf", "VeraBd.ttf"))
_LOCK = threading.Lock()


class UnprintableError(ValueError):
    """A text holds a sign the fonts lack. sign: that one."""

    def __init__(self, sign: str) -> None:
        super().__init__(f"no font here has U+{ord(sign):04X}")
        self.sign = sign


class Fonts:
    """A regular and a bold face, registered with reportlab once. regular, bold: their names there."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: where the two files are; None takes the system's DejaVu, else reportlab's own Vera."""
        regular, bold = _find(folder)
        self.regular, self.bold = f"tillit-{regular.stem}", f"tillit-{bold.stem}"
        with _LOCK:
            for name, path in ((self.regular, regular), (self.bold, bold)):
                if name not in pdfmetrics.getRegisteredFontNames():
                    try:
                        pdfmetrics.registerFont(TTFont(name, str(path)))
                    except (TTFError, OSError) as error:
                        raise ConfigurationError(f"the font {path.name} cannot be read") from error
        self._known = frozenset(pdfmetrics.getFont(self.regular).face.charToGlyph) & frozenset(
            pdfmetrics.getFont(self.bold).face.charToGlyph
        )

    def check(self, text: str) -> None:
        """Raise UnprintableError for the first sign that cannot be printed."""
        for sign in text:
            if ord(sign) not in self._known and sign != "\n":
                raise UnprintableError(sign)

    def width(self, text: str, *, bold: bool, size: float) -> float:
        """Return the width of a text in points."""
        return _width(text, self.bold if bold else self.regular) * size


@lru_cache(maxsize=8192)
def _width(text: str, font: str) -> float:
    return float(pdfmetrics.stringWidth(text, font, 1))


def _find(folder: Path | None) -> tuple[Path, Path]:
    own = Path(reportlab.__file__).parent / "fonts"
    for place in (folder,) if folder else (SYSTEM, own):
        for regular, bold in _PAIRS:
            if (place / regular).is_file() and (place / bold).is_file():
                return place / regular, place / bold
    wanted = " or ".join(" and ".join(pair) for pair in _PAIRS)
    raise ConfigurationError(f"plugins.forms.font_folder holds neither {wanted}")

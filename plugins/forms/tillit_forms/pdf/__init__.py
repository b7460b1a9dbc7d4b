"""A paper as PDF: embedded fonts, tagged for screen readers, the same bytes for the same paper."""

from tillit_forms.pdf.drawing import draw
from tillit_forms.pdf.fonts import Fonts, UnprintableError
from tillit_forms.pdf.layout import Placed

__all__ = ["Fonts", "Placed", "UnprintableError", "draw"]

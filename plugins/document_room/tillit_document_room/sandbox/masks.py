"""What is hidden on a page. No library here: the product itself imports this module too."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mask:
    """A part of a page a reader must not see. left..bottom: 0 to 1 from the upper left. instead: words shown there."""

    page: int
    left: float
    top: float
    right: float
    bottom: float
    instead: str = ""

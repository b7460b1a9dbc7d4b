"""Signing on the screen: drawn with a finger or a mouse, or, by keyboard, one's own name typed."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

from sidecar.plugin_api import LoA, SigningRequest, SignStep
from tillit_pades_signing.methods.bound import STARTED, binding, completed, failed, is_of

MOST_POINTS, MOST_STROKES = 2_000, 60
FEWEST_POINTS = 8  # a dot is no signature, and a slip of the finger is not one either
SHORTEST_PATH = 0.25  # of the box's width, all strokes together
LONGEST_NAME = 120


class TouchSigning:
    """Implements SigningMethod. Who the person is rests on how they came into the meeting."""

    name = "touch"
    loa = LoA.LOW
    kind: Literal["touch", "sms", "eid"] = "touch"

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def start(self, request: SigningRequest) -> SignStep:
        return self._waiting(request)

    def poll(self, request: SigningRequest, state: Mapping[str, Any]) -> SignStep:
        return self._waiting(request) if is_of(request, state) else failed("failed.start_again")

    def submit(self, request: SigningRequest, state: Mapping[str, Any], answer: Mapping[str, str]) -> SignStep:
        """Take {"strokes": JSON [[[x, y], ...], ...] with points from 0 to 1} or {"typed": name}."""
        if not is_of(request, state):
            return failed("failed.start_again")
        proof = _drawn(answer.get("strokes", "")) or _typed(answer.get("typed", ""))
        if proof is None:
            return self._waiting(request, "touch.too_little")
        return completed(request, method=self.name, loa=self.loa, at=self._clock(), proof=proof)

    def cancel(self, request: SigningRequest, state: Mapping[str, Any]) -> None:
        return None

    @staticmethod
    def _waiting(request: SigningRequest, message: str = "touch.draw") -> SignStep:
        return SignStep(
            "pending", f"pades_signing.{message}", view={"field": "drawing"}, state={STARTED: binding(request)}
        )


def read_strokes(text: str) -> list[list[tuple[float, float]]] | None:
    """Return strokes of points from 0 to 1, or None for anything else."""
    try:
        strokes = json.loads(text) if 0 < len(text) <= 60_000 else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(strokes, list) or not 1 <= len(strokes) <= MOST_STROKES:
        return None
    found: list[list[tuple[float, float]]] = []
    for stroke in strokes:
        if not isinstance(stroke, list) or not all(_is_point(point) for point in stroke):
            return None
        found.append([(round(float(x), 4), round(float(y), 4)) for x, y in stroke])
    return found if sum(map(len, found)) <= MOST_POINTS else None


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(type(value) in (int, float) and 0 <= value <= 1 for value in point)
    )


def _drawn(text: str) -> dict[str, Any] | None:
    strokes = read_strokes(text)
    if strokes is None or sum(map(len, strokes)) < FEWEST_POINTS:
        return None
    path = sum(math.dist(one, other) for stroke in strokes for one, other in pairwise(stroke))
    return {"drawn": strokes} if path >= SHORTEST_PATH else None


def _typed(text: str) -> dict[str, Any] | None:
    typed = " ".join(text.split())
    if not 2 <= len(typed) <= LONGEST_NAME or not typed.isprintable() or not any(map(str.isalpha, typed)):
        return None
    return {"typed": typed}

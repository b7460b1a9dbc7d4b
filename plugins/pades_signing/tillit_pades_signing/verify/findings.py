"""What is found out about one part of a file, in plain words."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"  # nothing contradicts it, and nothing that was named supports it


@dataclass(frozen=True)
class Finding:
    """part: what was looked at. sentences: why, and what it rests on."""

    part: str
    verdict: Verdict
    sentences: tuple[str, ...] = ()


def judged(part: str, holds: bool, *sentences: str) -> Finding:
    return Finding(part, Verdict.HOLDS if holds else Verdict.FAILS, sentences)

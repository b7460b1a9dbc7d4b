"""What a meeting ran under, as a digest, and which types are due for review."""

import hashlib
import json
import tomllib
from datetime import date

from sidecar.domain.policy.model import MeetingType, Policy


def policy_digest(meeting_type: MeetingType) -> str:
    """Return the SHA-256, hex, of a type's content: comments, order and spacing do not count.

    Canonical form: the file's TOML values as JSON, UTF-8, keys sorted, no spaces, dates as YYYY-MM-DD.
    """
    return _digest(meeting_type.source_text)


def rules_digest(policy: Policy) -> str:
    """Return the SHA-256, hex, of the whole rule book: the name and content digest of every file."""
    lines = [f"{name} {_digest(text)}\n" for name, text in sorted(policy.sources.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def overdue(policy: Policy, today: date) -> tuple[MeetingType, ...]:
    """Return the types in force whose review date has passed, the longest waiting first."""
    late = [each for each in policy.current_types(today=today) if each.next_review < today]
    return tuple(sorted(late, key=lambda each: (each.next_review, each.ref)))


def _digest(toml_text: str) -> str:
    values = tomllib.loads(toml_text)
    canonical = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=date.isoformat)
    return hashlib.sha256(canonical.encode()).hexdigest()

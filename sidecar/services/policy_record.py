"""Which versions of the meeting types came into force here, and when, each recorded once with its review dates."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sidecar.domain.policy import MeetingType
from sidecar.services.acts import Act, Acts


def record_versions(types: Iterable[MeetingType], acts: Acts, *, recorded: Path, now: datetime) -> int:
    """Record what `recorded` does not name yet, and return how many that were (R029).

    recorded: a file with the digest of each version on a line of its own. Raises AuditUnavailableError.
    """
    known = set(recorded.read_text("ascii").split()) if recorded.exists() else set()
    fresh = [each for each in sorted(types, key=lambda each: each.ref) if each.source_sha256 not in known]
    for each in fresh:
        data = {
            "type": each.ref,
            "policy_sha256": each.source_sha256,
            "owner": each.owner,
            "reviewed_on": each.reviewed_on.isoformat(),
            "next_review": each.next_review.isoformat(),
            "in_force_from": each.in_force_from.isoformat(),
        }
        acts.record(Act("policy.loaded", "system", now, data=data))
        with recorded.open("a", encoding="ascii") as file:
            file.write(f"{each.source_sha256}\n")
    return len(fresh)

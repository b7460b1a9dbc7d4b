"""Which versions of the meeting types came into force here, and when, each recorded once with its review dates."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from sidecar.domain.policy import MeetingType
from sidecar.services.acts import Act, Acts


def record_versions(
    types: Iterable[MeetingType], acts: Acts, *, known: Collection[str], remember: Callable[[str], None], now: datetime
) -> int:
    """Record what is not known yet, and return how many that were (R029).

    known: digests of the versions recorded before. remember: keeps one more. Raises AuditUnavailableError.
    """
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
        remember(each.source_sha256)
    return len(fresh)

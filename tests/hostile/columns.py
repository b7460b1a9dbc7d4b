"""The columns of the hostile client's table: every band and capacity, with what the shipped policy grants there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sidecar.adapters.policy_files import SHIPPED, load_policy
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Policy, Segment, Situation, permissions_for


@dataclass(frozen=True)
class Column:
    """One capacity in one meeting type. places: whether such a meeting has a place of this capacity at all."""

    band: str
    type_ref: str
    segment: Segment
    capacity: Capacity
    permissions: frozenset[str]
    places: bool

    @property
    def section(self) -> str:
        return f"Band {self.band}: {self.type_ref}, {self.segment} customer"


@dataclass(frozen=True)
class Cell:
    """What became of one act. wanted: whether the policy allows it; done: whether it happened; rule: who refused."""

    wanted: bool
    done: bool
    rule: str = ""

    @property
    def fault(self) -> str:
        """What is wrong here, "" when the server did as the policy says."""
        if self.done and not self.wanted:
            return "happened although the policy forbids it"
        if self.wanted and not self.done:
            return f"did not happen although the policy allows it ({self.rule or 'no answer'})"
        if not self.done and not self.rule:
            return "was refused without a rule"
        return ""

    def __str__(self) -> str:
        return "**done**" if self.done else self.rule.replace("|", " or ")


@cache
def shipped_policy() -> Policy:
    return load_policy(SHIPPED)


def columns() -> Iterator[Column]:
    """Yield each band, its types with their segments, and each capacity, from the weakest band up."""
    policy = shipped_policy()
    for meeting_type in sorted(policy.types.values(), key=lambda each: (each.band.order, each.ref)):
        for segment in sorted(meeting_type.segments):
            for capacity in Capacity:
                where = Situation(meeting_type, segment, frozenset(policy.packages), capacity)
                yield Column(
                    meeting_type.band.value,
                    meeting_type.ref,
                    segment,
                    capacity,
                    permissions_for(policy, where),
                    capacity in meeting_type.capacities,
                )


def representative() -> list[Column]:
    """Return one adviser, customer and observer of each band: what a quick run tries."""
    chosen = {Capacity.ADVISER, Capacity.CUSTOMER, Capacity.OBSERVER}
    found: dict[tuple[str, Capacity], Column] = {}
    for each in columns():
        if each.capacity in chosen:
            found.setdefault((each.band, each.capacity), each)
    return list(found.values())

"""Who somebody must show to be: customers and guests by eID or code, staff by the bank's identity service."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sidecar.domain.identity import LoA
from sidecar.domain.permissions import STAFF_CAPACITIES, Capacity
from sidecar.domain.policy.floors import floors_of, plugins_in_force
from sidecar.domain.policy.model import MeetingType, Policy, SignInDemand, Situation
from sidecar.domain.policy.values import Decision, Eid, Raise

STAFF_KIND = "staff"
_NO_METHOD = frozenset({"-"})  # a list no sign-in can satisfy: RFC 8176 has no such value
_CLOCK_SKEW = timedelta(seconds=30)

# RFC 8176 section 2, sorted by kind of factor. Two values of one kind are still one factor.
_FACTORS: Mapping[str, str] = {
    **dict.fromkeys(("pwd", "pin", "kba"), "known"),
    **dict.fromkeys(("hwk", "swk", "sc", "pop", "otp", "sms", "tel", "mca"), "held"),
    **dict.fromkeys(("face", "fpt", "iris", "retina", "vbm"), "being"),
}


@dataclass(frozen=True)
class SignInRule:
    """What a person must show to come in.

    min_loa: the least that any accepted method may reach; required: method name -> its own least level
    (a country whose eIDs reach high must reach it). kinds: "eid", "code" or "staff". providers: accepted
    method names. rule: what decided, for the record.
    """

    min_loa: LoA
    kinds: frozenset[str]
    factors: int
    step_up_each_act: bool
    providers: frozenset[str]
    required: Mapping[str, LoA]
    rule: str
    params: Mapping[str, str]

    def judge(self, *, provider: str, kind: str, loa: LoA, factors: int) -> Decision:
        """Hold a completed sign-in against the rule."""
        if kind not in self.kinds:
            return Decision(False, self.rule, "level-too-low", self.params)
        if provider not in self.providers:
            return Decision(False, self.rule, "eid-not-accepted", self.params)
        if loa < self.required[provider]:
            return Decision(False, self.rule, "eid-too-weak", self.params)
        if factors < self.factors:
            return Decision(False, self.rule, "two-factors-missing", self.params)
        return Decision(True, self.rule, "may.enter", self.params)


@dataclass(frozen=True)
class StaffRule:
    """What staff must show: desk_factors for the dashboard, and for a call a check of its own.

    call_fresh_seconds: how old that check may be. strong_methods: amr values of which the call needs one.
    """

    desk_factors: int
    call_fresh_seconds: int
    strong_methods: frozenset[str]
    rule: str

    @property
    def call_fresh(self) -> timedelta:
        return timedelta(seconds=self.call_fresh_seconds)

    def judge_desk(self, *, amr: Collection[str]) -> Decision:
        """Say whether these methods open the dashboard."""
        if count_factors(amr) < self.desk_factors:
            return Decision(False, self.rule, "staff-two-factors-missing")
        return Decision(True, self.rule, "may.desk")

    def judge_call(self, *, amr: Collection[str], authenticated_at: datetime, now: datetime) -> Decision:
        """Say whether this sign-in starts a call: two factors, strong, fresh. Times aware UTC."""
        desk = self.judge_desk(amr=amr)
        if not desk.allowed:
            return desk
        if self.strong_methods and self.strong_methods.isdisjoint(amr):
            return Decision(False, self.rule, "staff-key-missing")
        age = now - authenticated_at
        if not -_CLOCK_SKEW <= age <= timedelta(seconds=self.call_fresh_seconds):
            return Decision(False, self.rule, "staff-check-too-old")
        return Decision(True, self.rule, "may.call")


def count_factors(amr: Collection[str]) -> int:
    """Return how many different kinds of factor these methods are; the service's own "mfa" counts as two."""
    kinds = {_FACTORS[method] for method in amr if method in _FACTORS}
    return max(len(kinds), 2 if "mfa" in amr else 0)


def sign_in_for(policy: Policy, situation: Situation) -> SignInRule:
    """Return what this person must show, the strictest of type, band and raises.

    Staff come in through the bank's own identity service, and a recorder through none.
    """
    meeting_type = situation.type
    rule = f"{meeting_type.ref}/sign_in"
    params = {"type": meeting_type.ref}
    if situation.capacity in STAFF_CAPACITIES or situation.capacity is Capacity.RECORDER:
        kinds = frozenset({STAFF_KIND}) if situation.capacity in STAFF_CAPACITIES else frozenset[str]()
        return SignInRule(LoA.HIGH, kinds, 2, False, frozenset(), {}, rule, params)
    demand = meeting_type.sign_in
    for floor in floors_of(policy, meeting_type, situation.raises):
        stricter = strictest(demand, floor.sign_in)
        if stricter != demand:
            rule = f"band.{floor.band}/sign_in"
        demand = stricter
    required = {
        eid.name: needed
        for eid in policy.eids.values()
        if _counts(eid, demand, meeting_type) and eid.loa >= (needed := demand.level.required_of(eid))
    }
    return SignInRule(
        min_loa=min(required.values(), default=LoA.HIGH),
        kinds=demand.kinds,
        factors=demand.factors,
        step_up_each_act=demand.step_up_each_act,
        providers=frozenset(required),
        required=required,
        rule=rule,
        params=params,
    )


def staff_sign_in_for(policy: Policy, meeting_type: MeetingType, raises: tuple[Raise, ...] = ()) -> StaffRule:
    """Return what staff must show at the desk and before a call of this type."""
    rule = f"{meeting_type.ref}/staff"
    demand = meeting_type.staff
    factors, fresh, strong = demand.desk_factors, demand.call_fresh_seconds, demand.strong_methods
    for floor in floors_of(policy, meeting_type, raises):
        least = floor.staff
        factors = max(factors, least.desk_factors)
        fresh = min(fresh, least.call_fresh_seconds)
        strong = narrower(strong, least.strong_methods)
    return StaffRule(factors, fresh, strong, rule)


def integrations_for(policy: Policy, situation: Situation) -> frozenset[str]:
    """Return the plugins that may be called in this meeting now: the accepted sign-ins, and the integrations.

    A sign-in stands under its own name and its plugin's. Message channels are not among them: they carry
    what the booking says, before and after the meeting.
    """
    accepted = sign_in_for(policy, situation).providers
    plugins = frozenset(policy.eids[name].plugin for name in accepted)
    return plugins_in_force(policy, situation) | accepted | plugins


def strictest(one: SignInDemand, other: SignInDemand) -> SignInDemand:
    """Return a demand that meets both."""
    return SignInDemand(
        level=max(one.level, other.level, key=lambda level: level.order),
        kinds=one.kinds & other.kinds,
        factors=max(one.factors, other.factors),
        step_up_each_act=one.step_up_each_act or other.step_up_each_act,
    )


def narrower(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """Return the methods both accept. An empty list accepts any method, so nothing in common is not empty."""
    if not one or not other:
        return one | other
    return one & other or _NO_METHOD


def _counts(eid: Eid, demand: SignInDemand, meeting_type: MeetingType) -> bool:
    if eid.kind not in demand.kinds:
        return False
    return eid.kind == "code" or eid.country in meeting_type.countries

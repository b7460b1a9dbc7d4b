"""Which floors hold in a meeting now: its type's band, and each band it was raised to."""

from sidecar.domain.policy.model import Floor, MeetingType, Policy, Situation
from sidecar.domain.policy.values import Band, Encryption, LogLevel, Raise, RecordingRule

STRICT_TARGET = f"encryption:{Encryption.STRICT}"


def floors_of(policy: Policy, meeting_type: MeetingType, raises: tuple[Raise, ...]) -> tuple[Floor, ...]:
    """Return the floors that hold, the type's own band first."""
    raised = {raised_band(each.target) for each in raises}
    return (
        policy.bands[meeting_type.band],
        *(policy.bands[band] for band in Band if band in raised and band is not meeting_type.band),
    )


def raised_band(target: str) -> Band | None:
    """Return the band a raise names, or None if it raises something else."""
    kind, _, value = target.partition(":")
    return Band(value) if kind == "band" and value in set(Band) else None


def band_for(situation: Situation) -> Band:
    """Return the band a meeting is in now, raises counted."""
    raised = (raised_band(each.target) for each in situation.raises)
    return max((situation.type.band, *(band for band in raised if band)), key=lambda band: band.order)


def encryption_for(policy: Policy, situation: Situation) -> Encryption:
    """Return how the media is protected now: the strictest of type, floors and raises."""
    if any(each.target == STRICT_TARGET for each in situation.raises):
        return Encryption.STRICT
    floors = floors_of(policy, situation.type, situation.raises)
    modes = (situation.type.encryption, *(floor.encryption for floor in floors))
    return max(modes, key=lambda mode: mode.order)


def log_for(policy: Policy, situation: Situation) -> LogLevel:
    """Return what the journal keeps now: the most of type and floors."""
    floors = floors_of(policy, situation.type, situation.raises)
    return max((situation.type.log, *(floor.log for floor in floors)), key=lambda level: level.order)


def recording_for(policy: Policy, situation: Situation) -> RecordingRule:
    """Return when a recording may be started now: the strictest of type and floors, never under strict."""
    if encryption_for(policy, situation) is Encryption.STRICT:
        return RecordingRule.NEVER
    floors = floors_of(policy, situation.type, situation.raises)
    rules = (situation.type.recording, *(floor.recording for floor in floors))
    return max(rules, key=lambda rule: rule.order)


def signing_for(policy: Policy, situation: Situation) -> frozenset[str]:
    """Return the signing methods a form may ask for now: those that type and every floor accept."""
    methods = situation.type.signing
    for floor in floors_of(policy, situation.type, situation.raises):
        methods &= floor.signing
    return methods


def integrations_after(policy: Policy, situation: Situation) -> frozenset[str]:
    """Return the plugins that may hear of this meeting once it is over, a CRM's for instance."""
    plugins = situation.type.integrations_afterwards
    if encryption_for(policy, situation) is Encryption.STRICT:
        plugins &= policy.strict.plugins
    return plugins


def plugins_in_force(policy: Policy, situation: Situation) -> frozenset[str]:
    """Return the type's integrations that are left now: by every floor, and under strict by its list."""
    plugins = situation.type.integrations
    for floor in floors_of(policy, situation.type, situation.raises):
        if floor.plugins is not None:
            plugins &= floor.plugins
    if encryption_for(policy, situation) is Encryption.STRICT:
        plugins &= policy.strict.plugins
    return plugins

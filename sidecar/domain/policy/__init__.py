"""The policy: what a band is a floor for, what a meeting type grants, and the decision that follows.

A band is a floor, a meeting type may be stricter, a raise goes up only, and deny wins: docs/policy.md.
"""

from sidecar.domain.policy.checking import Fault, faults
from sidecar.domain.policy.deciding import (
    decide,
    may_book,
    may_hold,
    may_raise,
    may_staff,
    permissions_for,
    raises_left,
)
from sidecar.domain.policy.explaining import consequences, duration_text, promise
from sidecar.domain.policy.features import jitsi_features
from sidecar.domain.policy.floors import (
    band_for,
    encryption_for,
    integrations_after,
    log_for,
    plugins_in_force,
    recording_for,
    signing_for,
)
from sidecar.domain.policy.keys import REQUIRED_SENTENCES, purpose_key
from sidecar.domain.policy.model import (
    Floor,
    LegalReference,
    MeetingType,
    NeverEvent,
    Policy,
    RolePackage,
    SignInDemand,
    Situation,
    StaffDemand,
    StrictRules,
)
from sidecar.domain.policy.proof import Proof, prove, reachable_raises, situations
from sidecar.domain.policy.review import overdue, policy_digest, rules_digest
from sidecar.domain.policy.sentences import Sentences, placeholders, sentence
from sidecar.domain.policy.sign_in import (
    SignInRule,
    StaffRule,
    count_factors,
    integrations_for,
    sign_in_for,
    staff_sign_in_for,
)
from sidecar.domain.policy.values import (
    LANGUAGES,
    RAISE_TARGETS,
    Band,
    Decision,
    Eid,
    Encryption,
    LogLevel,
    Raise,
    RecordingRule,
    Right,
    Segment,
    SignInLevel,
)

__all__ = [
    "LANGUAGES",
    "RAISE_TARGETS",
    "REQUIRED_SENTENCES",
    "Band",
    "Decision",
    "Eid",
    "Encryption",
    "Fault",
    "Floor",
    "LegalReference",
    "LogLevel",
    "MeetingType",
    "NeverEvent",
    "Policy",
    "Proof",
    "Raise",
    "RecordingRule",
    "Right",
    "RolePackage",
    "Segment",
    "Sentences",
    "SignInDemand",
    "SignInLevel",
    "SignInRule",
    "Situation",
    "StaffDemand",
    "StaffRule",
    "StrictRules",
    "band_for",
    "consequences",
    "count_factors",
    "decide",
    "duration_text",
    "encryption_for",
    "faults",
    "integrations_after",
    "integrations_for",
    "jitsi_features",
    "log_for",
    "may_book",
    "may_hold",
    "may_raise",
    "may_staff",
    "overdue",
    "permissions_for",
    "placeholders",
    "plugins_in_force",
    "policy_digest",
    "promise",
    "prove",
    "purpose_key",
    "raises_left",
    "reachable_raises",
    "recording_for",
    "rules_digest",
    "sentence",
    "sign_in_for",
    "signing_for",
    "situations",
    "staff_sign_in_for",
]

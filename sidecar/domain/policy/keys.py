"""Which plain sentence explains what: the keys that sentences/<lang>.toml must hold, all of them."""

from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy.values import RAISE_TARGETS, RecordingRule

GRANTED = {permission.value: f"may.{permission.value}" for permission in Permission}
GRANTED_PLUGIN = "may.plugin"

REFUSED = {
    Permission.SPEAK: "sound-off",
    Permission.SHOW_CAMERA: "camera-off",
    Permission.SHARE_WINDOW: "share-not-for-you",
    Permission.SHARE_SCREEN: "whole-screen-refused",
    Permission.CHAT: "chat-off",
    Permission.PRIVATE_CHAT: "private-chat-off",
    Permission.REACT: "reactions-off",
    Permission.RAISE_HAND: "raise-hand-off",
    Permission.POLL: "polls-not-for-you",
    Permission.WHITEBOARD: "whiteboard-off",
    Permission.WHITEBOARD_IMPORT: "whiteboard-import-off",
    Permission.COBROWSE: "cobrowsing-off",
    Permission.SEND_FILE: "file-transfer-off",
    Permission.UPLOAD_DOCUMENT: "upload-off",
    Permission.PRESENT_DOCUMENT: "present-not-for-you",
    Permission.VIEW_DOCUMENT: "documents-not-for-you",
    Permission.DOWNLOAD_DOCUMENT: "download-off",
    Permission.SIGN: "signing-not-for-you",
    Permission.APPROVE_TRANSACTION: "approval-not-for-you",
    Permission.CALCULATE: "calculation-not-for-you",
    Permission.SEE_UNMASKED: "masked-for-you",
    Permission.RECORD: "recording-refused",
    Permission.TRANSCRIBE: "transcript-refused",
    Permission.ADMIT: "admit-not-for-you",
    Permission.INVITE_GUEST: "invite-not-for-you",
    Permission.MUTE_OTHERS: "mute-not-for-you",
    Permission.EXPEL: "expel-not-for-you",
    Permission.END_MEETING: "end-not-for-you",
    Permission.RAISE_SECURITY: "raise-not-for-you",
}

DOCUMENTS = frozenset(
    {
        Permission.UPLOAD_DOCUMENT,
        Permission.PRESENT_DOCUMENT,
        Permission.VIEW_DOCUMENT,
        Permission.DOWNLOAD_DOCUMENT,
    }
)


# What the decisions of this package say besides, and what it says to nobody in particular.
_DECIDING = (
    "refused", "not-granted", "not-in-your-role", "type-not-in-your-role", "not-for-segment",
    "documents-not-for-observers", "plugin-not-allowed", "turned-off-by-raise", "closed-by-strict",
    "share-turned-off", "chat-turned-off", "cannot-lower", "raise-already", "raise-not-offered", "raise-unknown",
    "share-not-watched",
    "level-too-low", "eid-too-weak", "eid-not-accepted", "two-factors-missing", "staff-two-factors-missing",
    "staff-key-missing", "staff-check-too-old",
    "may.enter", "may.desk", "may.call", "may.book", "may.staff", "may.raise",
    "not-recorded", "recorded-only-by-law", "recorded-only-if-asked", "recording-on", "recording-on-by-consent",
    "follows.eid", "follows.eid.again", "follows.eid.once", "follows.code", "follows.code.text",
    "follows.share.adviser", "follows.share.adviser.text", "follows.share.both", "follows.share.both.text",
    "follows.share.nobody", "follows.share.nobody.text", "follows.observer.one", "follows.observer.many",
    "follows.observer.text", "follows.kept", "follows.kept.private", "follows.kept.corporate",
    "and", "duration.days", "duration.year", "duration.years",
    "recording-purpose-missing", "recording-reference-missing", "recording-date-missing", "recording-date-past",
    "recording-date-too-late", "recording-consent-missing", "recording-consent-declined", "recording-already",
    "recording-over", "recording-held", "recording-kept", "recording-damaged",
    "not-recordable",
)  # fmt: skip

# What the door, the desk and the stores refuse with.
_AROUND = (
    "wrong-person", "not-invited", "link-spent", "expired", "too-early", "cancelled", "ended", "missed",
    "outside-hours", "outside-region", "meeting-full", "not-your-case", "consent-missing", "identify-first",
    "not-admitted", "denied", "expelled", "session-ended", "no-role", "call-check-missing", "call-taken",
    "staff-sign-in-failed", "same-address", "address-apart", "address-same-channel", "address-same-mailbox",
    "address-unreadable", "plugin-not-approved", "share-cut", "audit-unavailable", "store-unavailable",
    "conference-unavailable", "delivery-failed", "not-found", "invalid-input", "conflict", "internal",
    "customers-full",
)  # fmt: skip

REQUIRED_SENTENCES = frozenset(
    {
        *GRANTED.values(),
        GRANTED_PLUGIN,
        *REFUSED.values(),
        *_DECIDING,
        *_AROUND,
        *(f"follows.recording.{rule}" for rule in RecordingRule),
        *(f"follows.recording.{rule}.text" for rule in RecordingRule),
        *(f"raise.{target}" for target in RAISE_TARGETS),
        *(f"raise.{target}.text" for target in RAISE_TARGETS),
        *(f"capacity.{capacity}" for capacity in Capacity),
    }
)


def refusal_of(permission: str, capacity: Capacity) -> str:
    """Return the key of the sentence that refuses a permission to a capacity."""
    if permission not in set(Permission):
        return "not-granted"
    if capacity is Capacity.OBSERVER and permission in DOCUMENTS:
        return "documents-not-for-observers"
    return REFUSED[Permission(permission)]


def purpose_key(purpose: str) -> str:
    """Return the key of the words for what a recording is for."""
    return f"recording-purpose.{purpose}"

"""The closed list of what a person can be allowed to do in a meeting. What is not granted is refused."""

from enum import StrEnum


class Permission(StrEnum):
    """One right. Plugins declare theirs as "<plugin>.<name>" beside this list."""

    SPEAK = "speak"
    SHOW_CAMERA = "show_camera"
    SHARE_WINDOW = "share_window"
    SHARE_SCREEN = "share_screen"
    CHAT = "chat"
    PRIVATE_CHAT = "private_chat"
    REACT = "react"
    RAISE_HAND = "raise_hand"
    POLL = "poll"
    WHITEBOARD = "whiteboard"
    WHITEBOARD_IMPORT = "whiteboard_import"
    COBROWSE = "cobrowse"
    SEND_FILE = "send_file"
    UPLOAD_DOCUMENT = "upload_document"
    PRESENT_DOCUMENT = "present_document"
    VIEW_DOCUMENT = "view_document"
    DOWNLOAD_DOCUMENT = "download_document"
    SIGN = "sign"
    APPROVE_TRANSACTION = "approve_transaction"
    CALCULATE = "calculate"
    SEE_UNMASKED = "see_unmasked"
    RECORD = "record"
    TRANSCRIBE = "transcribe"
    ADMIT = "admit"
    INVITE_GUEST = "invite_guest"
    MUTE_OTHERS = "mute_others"
    EXPEL = "expel"
    END_MEETING = "end_meeting"
    RAISE_SECURITY = "raise_security"


# No page and no plugin of ours lets anybody do these. On Jitsi the gate judges by the first what other clients do.
ONLY_ON_JITSI = frozenset(
    {
        Permission.PRIVATE_CHAT,
        Permission.REACT,
        Permission.POLL,
        Permission.WHITEBOARD,
        Permission.SEND_FILE,
        Permission.TRANSCRIBE,
    }
)
NOWHERE = frozenset({Permission.WHITEBOARD_IMPORT, Permission.COBROWSE})
SHARING = frozenset({Permission.SHARE_WINDOW.value, Permission.SHARE_SCREEN.value})


class Capacity(StrEnum):
    """A person's part in one meeting, in the bank's sense. Not an XMPP role."""

    ADVISER = "adviser"
    SPECIALIST = "specialist"
    CUSTOMER = "customer"
    REPRESENTATIVE = "representative"
    OBSERVER = "observer"
    RECORDER = "recorder"


STAFF_CAPACITIES = frozenset({Capacity.ADVISER, Capacity.SPECIALIST})
GUEST_CAPACITIES = frozenset({Capacity.REPRESENTATIVE, Capacity.OBSERVER})
INVITED_CAPACITIES = GUEST_CAPACITIES | {Capacity.CUSTOMER}  # a further customer, where the meeting's type has room

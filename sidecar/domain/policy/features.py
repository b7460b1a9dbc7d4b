"""Our permissions as Jitsi's feature flags: the full map, each flag true or false.

A token without the map, or with a part of it, falls back to the rights of a moderator in parts of Jitsi.
"""

from collections.abc import Callable, Collection

from sidecar.domain.permissions import Permission

_Rule = Callable[[Collection[str]], bool]


def _any(*permissions: Permission) -> _Rule:
    return lambda held: any(permission in held for permission in permissions)


def _never(_held: Collection[str]) -> bool:
    return False


_FEATURES: dict[str, _Rule] = {
    "branding": _never,
    "calendar": _never,
    "create-polls": _any(Permission.POLL),
    "file-upload": _any(Permission.SEND_FILE),
    "flip": _never,  # moving to another device is a new identification here
    "inbound-call": _never,
    "list-visitors": _never,
    "live-translation": _never,
    "live-translation-subscribe": _never,
    "livestreaming": _never,
    "lobby": _any(Permission.ADMIT),
    "moderation": _any(Permission.MUTE_OTHERS, Permission.EXPEL),
    "outbound-call": _never,
    "recording": _any(Permission.RECORD),
    "room": _never,  # breakout rooms and room settings: the meeting type decides those
    "screen-sharing": _any(Permission.SHARE_WINDOW, Permission.SHARE_SCREEN),
    "send-groupchat": _any(Permission.CHAT),
    "send-private-message": _any(Permission.PRIVATE_CHAT),
    "sip-inbound-call": _never,
    "sip-outbound-call": _never,
    "transcription": _any(Permission.TRANSCRIBE),
}


def jitsi_features(permissions: Collection[str]) -> dict[str, bool]:
    """Return every Jitsi feature flag for a person with these permissions."""
    return {flag: rule(permissions) for flag, rule in _FEATURES.items()}

"""What Jitsi Meet is told about how to look and behave inside our page. Presentation, never a control.

Whatever stands here a client can override; what may be done is decided by the join token and enforced by Prosody.
Key names: config.js and interface_config.js of Jitsi Meet, and the JSON of its dynamic branding.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Our page has its own buttons, panels and lobby; Jitsi shows the people, and nothing that leads elsewhere.
CONFIG: Mapping[str, Any] = MappingProxyType(
    {
        "analytics": {"disabled": True},
        "breakoutRooms": {"hideAddRoomButton": True, "hideAutoAssignButton": True, "hideJoinRoomButton": True},
        "channelLastN": -1,
        "constraints": {"video": {"height": {"ideal": 1080, "max": 1080, "min": 180}}},  # R144; it adapts downwards
        "disableDeepLinking": True,
        "disableInviteFunctions": True,
        "disablePolls": True,
        "disableProfile": True,
        "disableReactions": True,
        "disableRemoteMute": True,  # our own button asks the sidecar, which records it
        "disableShortcuts": True,  # single keys are our page's
        "disableThirdPartyRequests": True,
        "doNotStoreRoom": True,
        "enableClosePage": False,
        "enableInsecureRoomNameWarning": False,
        "fileSharing": {"enabled": False},
        "giphy": {"enabled": False},
        "gravatar": {"disabled": True},
        "hiddenDomain": "hidden.meet.jitsi",  # the recorder is nobody's tile: the strip says that it is there
        "hideConferenceSubject": True,
        "hideConferenceTimer": True,
        "lobby": {"autoKnock": False, "enableChat": False},
        "localRecording": {"disable": True},
        "notifications": [],  # what is worth saying our page says, in the reader's language
        "p2p": {"enabled": False},  # media between two clients would pass every gate by
        "participantsPane": {"enabled": False},
        "prejoinConfig": {"enabled": False},  # devices were checked before the lobby
        "readOnlyName": True,
        "recordingService": {"enabled": False},
        "remoteVideoMenu": {"disabled": True},
        "requireDisplayName": False,
        "resolution": 1080,
        "screenShareSettings": {
            "desktopDisplaySurface": "window",
            "desktopPreferCurrentTab": False,
            "desktopSelfBrowserSurface": "exclude",
            "desktopSurfaceSwitching": "exclude",
            "desktopSystemAudio": "exclude",
        },
        "securityUi": {"disableLobbyPassword": True, "hideLobbyButton": True},
        "toolbarButtons": [],
        "transcription": {"enabled": False},
        "welcomePage": {"disabled": True},
        "whiteboard": {"enabled": False},
    }
)
INTERFACE: Mapping[str, Any] = MappingProxyType(
    {
        "DISABLE_JOIN_LEAVE_NOTIFICATIONS": True,
        "HIDE_INVITE_MORE_HEADER": True,
        "MOBILE_APP_PROMO": False,
        "SHOW_BRAND_WATERMARK": False,
        "SHOW_JITSI_WATERMARK": False,
        "SHOW_POWERED_BY": False,
        "SHOW_PROMOTIONAL_CLOSE_PAGE": False,
    }
)


def config_for(permissions: frozenset[str]) -> dict[str, Any]:
    """Return the overrides for one person: what they may not send does not even ask for a device."""
    config = dict(CONFIG)
    if "speak" not in permissions:
        config["startWithAudioMuted"] = True
    if "show_camera" not in permissions:
        config["startWithVideoMuted"] = True
    return config


def branding(*, colour: str, logo_url: str) -> dict[str, Any]:
    """Return the JSON Jitsi Meet reads as its dynamic branding. colour: #rrggbb. logo_url: "" for none."""
    return {
        "backgroundColor": "#101418",  # the room is dark, whatever the system says
        "backgroundImageUrl": "",
        "customTheme": {"palette": {"action01": colour}},
        "defaultBranding": False,
        "didPageUrl": "",
        "inviteDomain": "",
        "logoClickUrl": "",
        "logoImageUrl": logo_url,
        "premeetingBackground": "#101418",
        "requireRecordingConsent": True,
        "sharedVideoAllowedURLDomains": [],
        "showGiphyIntegration": False,
        "skipRecordingConsentInMeeting": False,
        "supportUrl": "",
        "virtualBackgrounds": [],
    }

"""All a plugin may import from the product: the shapes that cross the border, and nothing deeper.

A change here that breaks a plugin raises API_VERSION; a plugin's manifest names the version it was written for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pluggy

from sidecar.domain.clock import from_text, to_text, utc_now
from sidecar.domain.errors import ConfigurationError, InvalidInputError, TillitError
from sidecar.domain.identity import EvidencePart, IdentityAssertion, LoA, StaffAssertion, Subject
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import Band, Decision
from sidecar.services.ports import (
    DeliveryFailedError,
    IdentityMethod,
    JoinQuestion,
    MeetingFact,
    NotificationChannel,
    OutboundMessage,
    SignInRequest,
    SignInStep,
    StaffRedirect,
    StaffSignIn,
    StaffSignInError,
)

API_VERSION = 1
LANGUAGES = ("sv", "nb", "da", "fi", "nl", "en")

hookimpl = pluggy.HookimplMarker("tillit")


@dataclass(frozen=True)
class PluginContext:
    """What a plugin is given when it is loaded, once, before any hook is called.

    settings: the plugin's own table [plugins.<name>] of the settings, unchecked; the plugin checks its keys
    and raises ConfigurationError. clock: returns aware UTC now. secret(purpose): 32 bytes that stay the same
    across restarts, derived for this plugin and purpose alone.
    """

    name: str
    settings: Mapping[str, Any]
    clock: Callable[[], datetime]
    secret: Callable[[str], bytes]


__all__ = [
    "API_VERSION",
    "LANGUAGES",
    "Band",
    "Capacity",
    "ConfigurationError",
    "Decision",
    "DeliveryFailedError",
    "EvidencePart",
    "IdentityAssertion",
    "IdentityMethod",
    "InvalidInputError",
    "JoinQuestion",
    "LoA",
    "MeetingFact",
    "NotificationChannel",
    "OutboundMessage",
    "Permission",
    "PluginContext",
    "SignInRequest",
    "SignInStep",
    "StaffAssertion",
    "StaffRedirect",
    "StaffSignIn",
    "StaffSignInError",
    "Subject",
    "TillitError",
    "from_text",
    "hookimpl",
    "to_text",
    "utc_now",
]

"""All a plugin may import from the product: the shapes that cross the border, and nothing deeper.

A change here that breaks a plugin raises API_VERSION; a plugin's manifest names the version it was written for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pluggy

from sidecar.domain.addresses import normal_email, normal_phone
from sidecar.domain.canary import CELL_PX as CANARY_CELL_PX
from sidecar.domain.canary import COLUMNS as CANARY_COLUMNS
from sidecar.domain.canary import DARK_PAGE as CANARY_DARK
from sidecar.domain.canary import LIGHT_PAGE as CANARY_LIGHT
from sidecar.domain.canary import MOST as CANARY_MOST
from sidecar.domain.canary import css as canary_css
from sidecar.domain.canary import png as canary_png
from sidecar.domain.canary import svg as canary_svg
from sidecar.domain.clock import from_text, to_text, utc_now
from sidecar.domain.errors import (
    AuditUnavailableError,
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    StoreUnavailableError,
    TillitError,
)
from sidecar.domain.identity import EvidencePart, IdentityAssertion, LoA, StaffAssertion, Subject
from sidecar.domain.ids import new_id
from sidecar.domain.national_ids import NationalIdError
from sidecar.domain.national_ids import normalise as normalise_national_id
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import Band, Decision
from sidecar.services.plugin_pages import (
    DeskSection,
    Panel,
    PluginRequest,
    PluginResponse,
    Route,
    UploadedFile,
)
from sidecar.services.plugin_ports import (
    Attachment,
    AuditEntryView,
    BrandView,
    Core,
    ErrandView,
    MeetingView,
    PersonView,
    PlaceView,
    PluginAct,
    PluginObjects,
    PluginRefusedError,
    Record,
    Records,
    StaffView,
)
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
from sidecar.services.signing_ports import (
    ClauseView,
    ClientView,
    DocumentsService,
    DocumentView,
    SeenView,
    SignCompletion,
    SigningMethod,
    SigningRequest,
    SignQuestion,
    SignStep,
)

API_VERSION = 1
LANGUAGES = ("sv", "nb", "da", "fi", "nl", "en")

hookimpl = pluggy.HookimplMarker("tillit")


class LateCore:
    """Stands in for the core until the product is wired; the plugin manager binds it after the start."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._core: Core | None = None

    def bind(self, core: Core) -> None:
        self._core = core

    def __getattr__(self, name: str) -> Any:
        if self._core is None:
            raise ConfigurationError(f"Plugin {self._plugin} asked the core for {name!r} before the start was over.")
        return getattr(self._core, name)


@dataclass(frozen=True)
class PluginContext:
    """What a plugin is given when it is loaded, once, before any hook is called.

    settings: the plugin's own table [plugins.<name>] of the settings, unchecked; the plugin checks its keys
    and raises ConfigurationError. clock: returns aware UTC now. secret(purpose): 32 bytes that stay the same
    across restarts, derived for this plugin and purpose alone. core: what the plugin may ask of the product, once
    the start is over.
    """

    name: str
    settings: Mapping[str, Any]
    clock: Callable[[], datetime]
    secret: Callable[[str], bytes]
    core: Core = field(default_factory=lambda: cast(Core, LateCore("?")))


__all__ = [
    "API_VERSION",
    "CANARY_CELL_PX",
    "CANARY_COLUMNS",
    "CANARY_DARK",
    "CANARY_LIGHT",
    "CANARY_MOST",
    "LANGUAGES",
    "Attachment",
    "AuditEntryView",
    "AuditUnavailableError",
    "Band",
    "BrandView",
    "Capacity",
    "ClauseView",
    "ClientView",
    "ConfigurationError",
    "ConflictError",
    "Core",
    "Decision",
    "DeliveryFailedError",
    "DeskSection",
    "DocumentView",
    "DocumentsService",
    "ErrandView",
    "EvidencePart",
    "IdentityAssertion",
    "IdentityMethod",
    "InvalidInputError",
    "JoinQuestion",
    "LoA",
    "MeetingFact",
    "MeetingView",
    "NationalIdError",
    "NotFoundError",
    "NotificationChannel",
    "OutboundMessage",
    "Panel",
    "Permission",
    "PersonView",
    "PlaceView",
    "PluginAct",
    "PluginContext",
    "PluginObjects",
    "PluginRefusedError",
    "PluginRequest",
    "PluginResponse",
    "Record",
    "Records",
    "RefusedError",
    "Route",
    "SeenView",
    "SignCompletion",
    "SignInRequest",
    "SignInStep",
    "SignQuestion",
    "SignStep",
    "SigningMethod",
    "SigningRequest",
    "StaffAssertion",
    "StaffRedirect",
    "StaffSignIn",
    "StaffSignInError",
    "StaffView",
    "StoreUnavailableError",
    "Subject",
    "TillitError",
    "UploadedFile",
    "canary_css",
    "canary_png",
    "canary_svg",
    "from_text",
    "hookimpl",
    "new_id",
    "normal_email",
    "normal_phone",
    "normalise_national_id",
    "to_text",
    "utc_now",
]

"""What the room page needs on a Jitsi shard: where Jitsi Meet is, how it looks, and a policy that lets in just that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sidecar.bootstrap import Services
from sidecar.domain.jitsi_page import INTERFACE, config_for
from sidecar.domain.meetings import Meeting


@dataclass(frozen=True)
class JitsiRoom:
    """view: for the template and the page's script. policy: further directives of the Content-Security-Policy."""

    view: Mapping[str, Any]
    policy: tuple[str, ...]
    permissions_policy: str


def jitsi_room(services: Services, meeting: Meeting, permissions: frozenset[str]) -> JitsiRoom | None:
    """Return it, None where this meeting's shard is no Jitsi."""
    shard = services.placement.shard_of(meeting.room)
    if shard.kind != "jitsi":
        return None
    brand = services.brands[meeting.brand]
    origin = services.web_url(brand, shard.id)
    script = f"{origin}/external_api.js"
    parts = urlsplit(origin)
    config = config_for(permissions) | {"dynamicBrandingUrl": f"{brand.url.rstrip('/')}/jitsi/branding.json"}
    view = {
        "script": script,
        "domain": parts.netloc,
        "room": meeting.room,
        "plain": parts.scheme == "http",
        "config": config,
        "interface": dict(INTERFACE) | {"APP_NAME": brand.name},
    }
    devices = ", ".join(f'{name}=(self "{origin}")' for name in ("camera", "microphone", "display-capture"))
    return JitsiRoom(
        view=view,
        policy=(f"script-src 'self' {script}", f"frame-src {origin}"),
        permissions_policy=f"{devices}, screen-wake-lock=(self), geolocation=()",
    )

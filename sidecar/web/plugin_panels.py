"""Which panels of plugins one person sees in the room, and which of the plugins' facts their page hears."""

from collections.abc import Sequence
from typing import Any

from sidecar.adapters.i18n import Translator
from sidecar.bootstrap import Services
from sidecar.domain.clock import to_text
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.policy import decide
from sidecar.services.arrival import situation
from sidecar.services.plugin_pages import Panel
from sidecar.services.plugin_views import let_in
from sidecar.services.ports import Announcement
from sidecar.web import plugin_files

FACT = "fact"  # the event's name on the room's stream


def panels_of(services: Services, meeting: Meeting, place: Participant) -> list[Panel]:
    """Return the panels this person may see now: of plugins the meeting lets in, under permissions they have."""
    where = situation(services.policy, meeting, place)
    offered = services.plugins.panels(let_in(services.policy, meeting))
    return [each for _, each in sorted(offered.items()) if decide(services.policy, where, each.permission).allowed]


def shown_panels(services: Services, meeting: Meeting, place: Participant, t: Translator) -> list[dict[str, Any]]:
    """Return them as the page's state has them."""
    return [
        {
            "name": each.name,
            "plugin": each.plugin,
            "icon": each.icon,
            "title": t(each.title),
            "module": _address(each.plugin, each.module),
            "style": _address(each.plugin, each.style) if each.style else None,
        }
        for each in panels_of(services, meeting, place)
    ]


def panel_texts(services: Services, t: Translator) -> dict[str, str]:
    """Return the sentences panels may show: those below "<plugin>.panel"."""
    plugins = {each.plugin for each in services.plugins.panels().values()}
    return {key: text for plugin in sorted(plugins) for key, text in t.texts_under(f"{plugin}.panel").items()}


def is_plugins(services: Services, told: Announcement) -> bool:
    """Say whether a fact is a plugin's own, so that the product's picture of the room stays as it is."""
    return told.kind in services.plugins.audit_kinds()


def heard(services: Services, told: Sequence[Announcement], place: Participant) -> list[dict[str, Any]]:
    """Return what this person's page hears of these facts: of plugins whose panel they see, and meant for them."""
    public = [each for each in told if each.public is not None and (not each.told or place.id in each.told)]
    if not public:
        return []
    now = services.meetings.participant(place.id)
    meeting = services.meetings.get(now.meeting)
    if not services.admission.is_inside(meeting, now):
        return []
    plugins = {each.plugin for each in panels_of(services, meeting, now)}
    return [
        {"kind": each.kind, "at": to_text(each.at), "data": dict(each.public or {})}
        for each in public
        if each.kind.partition(".")[0] in plugins
    ]


def _address(plugin: str, name: str) -> str:
    return f"/static/x/{plugin}/{name}?v={plugin_files.version(plugin)}"

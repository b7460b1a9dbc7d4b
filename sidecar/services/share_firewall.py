"""The share firewall as the product sees it: whose shares are watched, and none where nobody can watch.

The pictures are looked at on the media side (docs/share-firewall.md). Here is decided for which meetings, what a share
that nobody could look at is answered with, and what is recorded of one that was cut.
"""

from collections.abc import Mapping
from typing import Protocol

from sidecar.domain.canary import SHARE_FIREWALL
from sidecar.domain.meetings import Meeting
from sidecar.domain.policy import Decision, Policy
from sidecar.services.acts import Act, Acts
from sidecar.services.plugin_use import PluginUse
from sidecar.services.plugin_views import let_in
from sidecar.services.ports import Conference, ConferenceUnavailableError, Extensions

_NOBODY_LOOKS = Decision(False, "share_firewall/down", "share-not-watched")


class InternalSystems(Protocol):
    """What the plugin offers under the name "share_firewall"."""

    @property
    def systems(self) -> Mapping[int, str]:
        """The bank's systems that show a canary, by its number."""


class ShareFirewall:
    """Asked before anybody is let in, before a share begins, and when one was cut."""

    def __init__(
        self, *, acts: Acts, policy: Policy, extensions: Extensions, conference: Conference, use: PluginUse
    ) -> None:
        self._acts = acts
        self._policy = policy
        self._extensions = extensions
        self._conference = conference
        self._use = use

    def watches(self, meeting: Meeting) -> bool:
        """Say whether shares are watched here: the plugin is loaded, and type, band and encryption let it in."""
        return self._systems() is not None and SHARE_FIREWALL in let_in(self._policy, meeting)

    def begin(self, meeting: Meeting) -> bool:
        """Say the same of somebody who comes in now. Recorded as used in this meeting, the first time."""
        watched = self.watches(meeting)
        if watched:
            self._use.note(meeting.id, SHARE_FIREWALL)
        return watched

    def require(self, act: Act, meeting: Meeting) -> None:
        """Refuse a share, recorded, where it would have to be watched and nobody can."""
        if not self.watches(meeting):
            return
        try:
            looked_at = self._conference.watches_shares(meeting.room)
        except ConferenceUnavailableError:
            looked_at = False
        if not looked_at:
            self._acts.refuse(act, _NOBODY_LOOKS)

    def name_of(self, canary: int) -> str:
        """Return what the bank calls the system with this number, "" where it says nothing."""
        offered = self._systems()
        return offered.systems.get(canary, "") if offered is not None else ""

    def _systems(self) -> InternalSystems | None:
        return self._extensions.service(SHARE_FIREWALL)  # type: ignore[return-value]  # of a plugin: its own promise

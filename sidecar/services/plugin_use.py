"""Which plugins each meeting really used: recorded once for each, before the plugin is called (R106)."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sidecar.domain.errors import ConflictError
from sidecar.domain.ids import MeetingId
from sidecar.domain.meetings import Meeting
from sidecar.domain.policy import Decision, Policy
from sidecar.services.acts import Act, Acts
from sidecar.services.plugin_views import let_in
from sidecar.services.ports import MeetingStore, MeetingTx
from sidecar.services.record_ports import SealedRecord

_OURS, _USED = "tillit", "used"  # no plugin can have this name: its records are the core's own
_REMEMBERED = 50_000  # pairs of meeting and plugin; forgetting costs one read


class PluginUse:
    """Lets a meeting's plugin be called, or refuses it."""

    def __init__(self, *, acts: Acts, meetings: MeetingStore, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._acts = acts
        self._meetings = meetings
        self._policy = policy
        self._clock = clock
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def may_call(self, meeting: Meeting, plugin: str) -> Decision:
        """Say whether the meeting's type and band let this plugin in now."""
        params = {"type": meeting.type_ref}
        if plugin in let_in(self._policy, meeting):
            return Decision(True, f"{meeting.type_ref}/integrations", "may.plugin", params)
        return Decision(False, f"{meeting.type_ref}/integrations", "plugin-not-allowed", params)

    def note(self, meeting: MeetingId, plugin: str) -> None:
        """Record that this meeting uses the plugin, the first time. Raises AuditUnavailableError."""
        pair = (meeting, plugin)
        if pair in self._known:
            return
        with self._lock:
            if pair not in self._known:
                self._record(meeting, plugin)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known.add(pair)

    def _record(self, meeting: MeetingId, plugin: str) -> None:
        name = f"{meeting}:{plugin}"
        if self._meetings.find_record(_OURS, _USED, name) is None:
            now = self._clock()
            row = SealedRecord(_OURS, _USED, name, meeting, 1, now, b"")

            def effect(tx: MeetingTx) -> None:
                if tx.find_record(_OURS, _USED, name) is not None:
                    raise ConflictError("Another request was first.")
                tx.add_record(row)

            with suppress(ConflictError):  # another process was as fast: this entry is marked as void
                self._acts.perform(Act("plugin.used", "system", now, meeting, data={"plugin": plugin}), effect=effect)

"""Work the worker does for plugins: at least once, tried again, given up in sight of the desk, started anew there."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sidecar.domain.errors import (
    AuditUnavailableError,
    ConflictError,
    NotFoundError,
    StoreUnavailableError,
    TillitError,
)
from sidecar.domain.ids import MeetingId
from sidecar.domain.meetings import FINAL_STATES
from sidecar.domain.policy import Policy, plugins_in_force
from sidecar.services.acts import Act, Acts
from sidecar.services.plugin_messages import PluginMessages
from sidecar.services.plugin_ports import ErrandView
from sidecar.services.plugin_records import MESSAGE, Sealer, open_body
from sidecar.services.plugin_views import as_customer, let_in
from sidecar.services.ports import DeliveryFailedError, Errand, Extensions, MeetingStore

log = logging.getLogger("tillit.worker")

_TRIES = 12
_FIRST_PAUSE = timedelta(seconds=2)  # doubled after each failure: the last try comes about an hour later
_LONGEST_PAUSE = timedelta(minutes=30)


class PluginErrands:
    """Runs a plugin's errand, or its message."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        policy: Policy,
        extensions: Extensions,
        messages: PluginMessages,
        sealer: Callable[[str], Sealer],
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._policy = policy
        self._extensions = extensions
        self._messages = messages
        self._sealer = sealer
        self._clock = clock

    def takes(self, errand: Errand) -> bool:
        """Say whether this errand is a plugin's."""
        return errand.kind == MESSAGE or "plugin" in errand.body

    def run(self, errand: Errand) -> None:
        """Do one due errand. Raises AuditUnavailableError and StoreUnavailableError, our own outage."""
        if errand.kind == MESSAGE:
            self._messages.deliver(errand)
            return
        plugin = str(errand.body["plugin"])
        work = self._extensions.errand(errand.kind)
        if work is None or not self._let_in(plugin, errand.meeting):
            self._give_up(errand, "plugin-not-allowed")  # it can be started anew once the plugin is back
            return
        view = ErrandView(
            id=errand.id,
            kind=errand.kind,
            meeting=errand.meeting,
            body=open_body(self._sealer(plugin), errand),
            attempts=errand.attempts,
            due_at=errand.due_at,
        )
        try:
            work(view)
        except (AuditUnavailableError, StoreUnavailableError):
            raise
        except Exception as error:  # whatever a plugin's work runs into stays with this errand
            self._failed(errand, plugin, error)
            return
        done = replace(errand, state="done", attempts=errand.attempts + 1, last_problem="")
        self._meetings.write(lambda tx: tx.save_errand(done))

    def again(self, errand_id: str, *, actor: str) -> None:
        """Put work or a message that was given up back in line. Raises ConflictError where it was not."""
        errand = self._meetings.get_errand(errand_id)
        if errand.state != "failed" or not self.takes(errand):
            raise ConflictError("This work has not been given up.")
        anew = replace(errand, state="waiting", attempts=0, due_at=self._clock())
        act = Act("errand.again", actor, self._clock(), errand.meeting, data=_data(errand))
        self._acts.perform(act, effect=lambda tx: tx.save_errand(anew))

    def _let_in(self, plugin: str, meeting: MeetingId | None) -> bool:
        """Say whether the meeting lets the plugin in; work begun during it may be finished after it."""
        if meeting is None:
            return True
        try:
            found = self._meetings.get(meeting)
        except NotFoundError:
            return False
        allowed = let_in(self._policy, found)
        if found.state in FINAL_STATES:
            allowed |= plugins_in_force(self._policy, as_customer(self._policy, found))
        return plugin in allowed

    def _failed(self, errand: Errand, plugin: str, error: Exception) -> None:
        slug = error.slug if isinstance(error, TillitError) else TillitError.slug
        log.warning("errand failed", extra={"errand": errand.id, "plugin": plugin, "problem": slug}, exc_info=error)
        attempts = errand.attempts + 1
        hopeless = isinstance(error, DeliveryFailedError) and not error.params.get("retry", False)
        if hopeless or attempts >= _TRIES:
            self._give_up(errand, slug)
            return
        pause = min(_FIRST_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE)
        later = replace(errand, attempts=attempts, due_at=self._clock() + pause, last_problem=slug)
        self._meetings.write(lambda tx: tx.save_errand(later))

    def _give_up(self, errand: Errand, slug: str) -> None:
        attempts = errand.attempts + 1
        given_up = replace(errand, attempts=attempts, state="failed", last_problem=slug)
        data = _data(errand) | {"attempts": attempts, "problem": slug}
        act = Act("errand.failed", "system", self._clock(), errand.meeting, data=data)
        self._acts.perform(act, effect=lambda tx: tx.save_errand(given_up))


def _data(errand: Errand) -> dict[str, object]:
    what = errand.body.get("template", errand.kind)
    return {"errand": errand.id, "plugin": errand.body["plugin"], "work": what}

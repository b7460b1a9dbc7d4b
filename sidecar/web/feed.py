"""Server-sent events from the announcements: one watcher a process, one waiting thread an open page."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sidecar.adapters.process_state import ProcessState
from sidecar.domain.errors import TillitError
from sidecar.services.ports import Announcement, MeetingStore
from sidecar.services.sharing import News, SharedState

log = logging.getLogger("tillit.feed")

_HEARTBEAT_S = 15.0  # proxies close a silent line after 30 to 60 seconds
_AT_ONCE = 500
_KEPT = 2000


class Feed:
    """Tells open pages what was announced, by whichever process."""

    def __init__(
        self,
        meetings: MeetingStore,
        shared: SharedState | None = None,
        *,
        heartbeat_s: float = _HEARTBEAT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meetings = meetings
        self._shared = shared or ProcessState()
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._news = threading.Condition()
        self._recent: list[tuple[int, Announcement]] = []
        self._listeners = 0
        self._last = 0
        self._forgotten = 0  # up to this number nothing is kept; numbers may have gaps
        self._running = False

    def listen(self, wanted: Callable[[Announcement], bool]) -> Iterator[list[Announcement]]:
        """Yield an empty list at once, then what is announced and wanted; empty again at each heartbeat.

        Nothing announced after the first yield is missed, so a reader takes its picture of the state then.
        Ends by itself for a listener that fell so far behind that something would be.
        """
        with self._news:
            if not self._running:
                self._start()
            self._listeners += 1
            seen = self._last
        try:
            yield []
            spoke = self._monotonic()
            while True:
                with self._news:
                    silence = spoke + self._heartbeat_s - self._monotonic()
                    if self._last == seen and silence > 0:
                        self._news.wait(timeout=silence)
                    if seen < self._forgotten:
                        return  # too far behind to know what was missed: the page connects anew
                    fresh = [told for number, told in self._recent if number > seen]
                    seen = self._last
                found = [told for told in fresh if wanted(told)]
                if found or self._monotonic() >= spoke + self._heartbeat_s:
                    yield found
                    spoke = self._monotonic()
        finally:
            with self._news:
                self._listeners -= 1

    def _start(self) -> None:
        self._last = self._forgotten = self._meetings.last_announcement()
        self._recent.clear()
        self._running = True
        threading.Thread(target=self._watch, name="feed", daemon=True).start()

    def _watch(self) -> None:
        line = self._shared.news()
        try:
            self._follow(line)
        finally:
            line.close()

    def _follow(self, line: News) -> None:
        told: list[tuple[int, Announcement]] = []
        is_blind = False
        while True:
            if len(told) < _AT_ONCE:  # else there is more already
                line.wait()
            try:
                told = self._meetings.announcements_after(self._last, limit=_AT_ONCE)
            except Exception as error:  # this thread's outermost loop: without it every page would fall silent
                if not is_blind:  # once, not at each of the looks while the store is down
                    slug = error.slug if isinstance(error, TillitError) else TillitError.slug
                    log.warning("feed cannot read", extra={"problem": slug}, exc_info=error)
                told, is_blind = [], True
                continue
            is_blind = False
            with self._news:
                if told:
                    kept = self._recent + told
                    self._recent = kept[-_KEPT:]
                    self._forgotten = kept[-_KEPT - 1][0] if len(kept) > _KEPT else self._forgotten
                    self._last = told[-1][0]
                    self._news.notify_all()
                elif not self._listeners:
                    self._running = False
                    return


def event(name: str, data: Any) -> str:
    """Return one server-sent event. Source: WHATWG HTML, section 9.2."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


HEARTBEAT = ": still here\n\n"

"""What happened at the bridge, on its way to the web process: in order, until it was taken."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp

from sidecar.domain import clock
from sidecar.domain.ids import new_id

log = logging.getLogger(__name__)

_MAX_WAITING = 20_000  # an hour of a busy bridge without its web process
_BATCH = 100
_TIMEOUT_S = 5.0
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_FAREWELL_S = 0.6  # how long a stopping bridge waits for its last report


class Reporter(Protocol):
    """Signs a report to the web process."""

    def token_for(self, *, method: str, path: str, body: bytes) -> str:
        """Return the control token for this very request."""


class EventOutbox:
    """Events wait here until the web process has answered 2xx. Nothing is skipped, nothing overtakes."""

    def __init__(self, url: str, reporter: Reporter | None) -> None:
        self._url = url
        self._reporter = reporter
        self._waiting: deque[dict[str, Any]] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.on_event: list[Callable[[dict[str, Any]], None]] = []
        self.lost = 0

    def start(self) -> None:
        """Begin to deliver."""
        if self._url and self._reporter is not None:
            self._task = asyncio.get_running_loop().create_task(self._deliver_forever())

    def put(self, kind: str, *, room: str, participant: str, data: dict[str, Any]) -> None:
        """Queue one event."""
        event = {
            "id": new_id("ev"),
            "kind": kind,
            "room": room,
            "participant": participant,
            "at": clock.to_text(clock.utc_now()),
            "data": data,
        }
        for listener in self.on_event:
            listener(event)
        if not self._url:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(event)
        self._arrived.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def stop(self) -> None:
        """Give the last events a moment, then stop."""
        if self._task is None:
            return
        if self._waiting:
            try:
                await asyncio.wait_for(self._drained(), _FAREWELL_S)
            except TimeoutError:
                log.warning("events left undelivered", extra={"count": len(self._waiting)})
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _drained(self) -> None:
        while self._waiting:
            await asyncio.sleep(0.01)

    async def _deliver_forever(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            failures = 0
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                    if await self._deliver(http, batch):
                        failures = 0
                        for event in batch:
                            # A full queue may have lost its head meanwhile.
                            if self._waiting and self._waiting[0] is event:
                                self._waiting.popleft()
                    else:
                        await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                        failures += 1

    async def _deliver(self, http: aiohttp.ClientSession, batch: list[dict[str, Any]]) -> bool:
        assert self._reporter is not None
        body = json.dumps({"events": batch}, separators=(",", ":")).encode()
        try:
            path = _target(self._url)
            token = self._reporter.token_for(method="POST", path=path, body=body)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            async with http.post(self._url, data=body, headers=headers) as answer:
                if answer.status < 300:
                    return True
                log.warning("the web process did not take the events", extra={"status": answer.status})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the web process is out of reach", extra={"error": type(error).__name__})
        return False


def _target(url: str) -> str:
    """Return path and query of a URL: what a control token is bound to."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

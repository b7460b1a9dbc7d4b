"""Two cookies, two server-side sessions: a visit (customers and guests) and a staff session.

The cookie holds a random id and nothing else. The id changes when the rights change (sign-in).
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, request

from sidecar.domain.clock import from_text, to_text
from sidecar.domain.errors import TillitError
from sidecar.services.ports import SessionStore

_ID_BYTES = 32


class CsrfError(TillitError):
    """The request did not come from our own page, or the page is too old."""

    slug = "csrf"


@dataclass
class WebSession:
    """One browser's session. `body` is saved at the end of the request when `changed` is set.

    stored: the store knew it when the request began.
    """

    id: str
    body: dict[str, Any]
    cookie: str
    stored: bool = False
    changed: bool = False
    dropped: bool = False
    old_ids: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.body.get(name, default)

    def set(self, name: str, value: Any) -> None:
        self.body[name] = value
        self.changed = True

    def remove(self, name: str) -> None:
        if name in self.body:
            del self.body[name]
            self.changed = True

    def rotate(self) -> None:
        """Take a new id: whoever learned the old one before the sign-in gains nothing (session fixation).

        A browser that has identified before keeps its csrf value, so that a page it has open goes on working.
        """
        self.old_ids.append(self.id)
        self.id = secrets.token_urlsafe(_ID_BYTES)
        if not self.body.get("identified"):
            self.body["csrf"] = secrets.token_urlsafe(24)
        self.changed = True

    def drop(self) -> None:
        self.dropped = True


class WebSessions:
    """Loads and saves the two sessions of a request."""

    def __init__(
        self,
        store: SessionStore,
        *,
        visit_ttl: timedelta,
        staff_ttl: timedelta,
        secure: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._ttl = {"tillit_visit": visit_ttl, "tillit_staff": staff_ttl}
        self._secure = secure
        self._clock = clock

    def visit(self) -> WebSession:
        return self._load("tillit_visit")

    def staff(self) -> WebSession:
        return self._load("tillit_staff")

    def save(self, response: Response) -> Response:
        """Store what changed and set the cookies."""
        loaded: dict[str, WebSession] = getattr(g, "web_sessions", {})
        for name, session in loaded.items():
            if session.dropped:
                for each in (session.id, *session.old_ids):
                    self._store.drop(each)
                response.delete_cookie(name, path="/")
            elif session.changed and self._keep(session) and not (session.stored and not session.old_ids):
                response.set_cookie(
                    name,
                    session.id,
                    max_age=int(self._ttl[name].total_seconds()),
                    httponly=True,
                    secure=self._secure,
                    samesite="Lax",  # Strict would lose the session on the way back from an eID app
                    path="/",
                )
        return response

    def _keep(self, session: WebSession) -> bool:
        """Store a session. False where another request ended it, or gave it a new id, while this one ran.

        Stored anyway, a session that was signed out would be back, and a sign-in that just completed lost.
        """
        if session.stored and not session.old_ids:
            # Its end stays where it was: a session lasts so long at most, however busy the browser is.
            return self._store.update(session.id, session.body, expires_at=from_text(session["until"]))
        expires_at = self._clock() + self._ttl[session.cookie]
        session.body["until"] = to_text(expires_at)
        if session.old_ids and not self._store.drop(session.old_ids[0]) and session.stored:
            return False
        self._store.put(session.id, session.body, expires_at=expires_at)
        return True

    def check_csrf(self, session: WebSession) -> None:
        """Raise CsrfError unless the request carries this session's value, in the header or in the form."""
        sent = request.headers.get("X-Tillit-CSRF") or request.form.get("csrf", "")
        known = str(session.get("csrf", ""))
        if not known or not hmac.compare_digest(sent.encode(), known.encode()):
            raise CsrfError

    def _load(self, name: str) -> WebSession:
        loaded: dict[str, WebSession] = g.setdefault("web_sessions", {})
        if name not in loaded:
            sent = request.cookies.get(name, "")
            body = self._store.get(sent, now=self._clock()) if 20 < len(sent) < 100 else None
            stored = body is not None
            if body is None:
                sent, body = secrets.token_urlsafe(_ID_BYTES), {"csrf": secrets.token_urlsafe(24)}
            loaded[name] = WebSession(sent, body, name, stored)
        return loaded[name]

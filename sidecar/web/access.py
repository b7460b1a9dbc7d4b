"""Who may call a route. A route that does not say so stops the start: nothing is open by being forgotten."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Flask

from sidecar.domain.errors import ConfigurationError

Caller = Literal[
    "anyone",  # no session: the door, the keys, the health
    "visitor",  # a browser that opened the invitation of this place
    "occupant",  # a visitor identified in this browser, or the staff member whose place it is
    "staff",  # signed in to the desk
    "system",  # a connected system with a key of its own
    "bridge",  # the media process, by control token
]
View = TypeVar("View", bound=Callable[..., Any])

_MARK = "_tillit_caller"


def access(caller: Caller) -> Callable[[View], View]:
    """Declare who may call a view; the guard of its blueprint enforces it."""

    def mark(view: View) -> View:
        setattr(view, _MARK, caller)
        return view

    return mark


def caller_of(app: Flask, endpoint: str) -> Caller | None:
    """Return what the route declared, None where it declared nothing."""
    found: Caller | None = getattr(app.view_functions.get(endpoint), _MARK, None)
    return found


def check_declared(app: Flask) -> None:
    """Raise ConfigurationError naming every route that does not say who may call it."""
    silent = sorted({r.rule for r in app.url_map.iter_rules() if caller_of(app, r.endpoint) is None})
    if silent:
        raise ConfigurationError(f"These routes do not declare who may call them: {', '.join(silent)}")

"""What the bridge tells us: media came and went, something was dropped. Recorded; retried by the bridge until it is."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from sidecar.domain.clock import from_text
from sidecar.domain.errors import InvalidInputError, NotFoundError
from sidecar.domain.ids import ParticipantId
from sidecar.services.acts import Act
from sidecar.web.access import access
from sidecar.web.forms import json_body
from sidecar.web.guard import services

bridge_events = Blueprint("bridge_events", __name__)

_MOST = 500
_KINDS = {
    "media.joined": "media.keys",
    "media.left": "media.left",
    "track.dropped": "track.dropped",
    "message.dropped": "message.dropped",
    "session.ended": "media.left",
}
_DATA = frozenset({"fingerprint_client", "fingerprint_bridge", "srtp_profile", "reason", "kind", "rule", "type"})


@bridge_events.post("/internal/bridge/events")
@access("bridge")
def take_in() -> Response:
    """Take in a batch. An event that was taken in before, or whose place is gone, is passed over."""
    product = services()
    product.verify_bridge(
        unverified_token=request.headers.get("Authorization", "").removeprefix("Bearer "),
        method=request.method,
        path=request.full_path.rstrip("?"),
        body=request.get_data(cache=True),
    )
    events = json_body().get("events")
    if not isinstance(events, list) or len(events) > _MOST:
        raise InvalidInputError(f"A batch has at most {_MOST} events.", field="events")
    for told in events:
        if isinstance(told, dict) and product.is_new_event(str(told.get("id", ""))):
            _one(told)
    return jsonify(taken=len(events))


def _one(told: dict[str, Any]) -> None:
    product = services()
    kind = _KINDS.get(str(told.get("kind")))
    if kind is None:
        return
    try:
        place = product.meetings.participant(ParticipantId(str(told.get("participant"))))
    except NotFoundError:
        return
    at = from_text(str(told.get("at")))
    sent = told.get("data")
    data = {k: str(v)[:200] for k, v in sent.items() if k in _DATA} if isinstance(sent, dict) else {}
    product.acts.note(
        Act(kind, str(place.person or place.staff or place.id), product.clock(), place.meeting, place.id, data)
    )
    if told["kind"] in ("media.left", "session.ended"):
        reason = "session-ended" if told["kind"] == "session.ended" else data.get("reason", "lost")
        product.room.media_left(place, at=at, reason=reason)

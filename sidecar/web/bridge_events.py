"""What the bridge tells us: media came and went, something was dropped. Recorded; retried by the bridge until it is."""

import logging
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sidecar.domain.audit import InvalidRecordError, PersonalDataError
from sidecar.domain.clock import from_text
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError
from sidecar.domain.ids import ParticipantId
from sidecar.services.acts import Act
from sidecar.web.access import access
from sidecar.web.forms import json_body
from sidecar.web.guard import services

log = logging.getLogger("tillit.web")

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
    """Take in a batch. An event that was taken in before, cannot be read, or whose place is gone is passed over.

    Passed over, not refused: the bridge sends in order and repeats a refused batch, so one event that can
    never be recorded would hold up every other one.
    """
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
        if not isinstance(told, dict) or not product.is_new_event(event_id := str(told.get("id", ""))):
            continue
        try:
            try:
                _one(told)
            except ConflictError:
                _one(told)  # the person did something at that very moment: once more, on what is true now
        except NotFoundError:
            continue
        except (InvalidRecordError, PersonalDataError, ValueError, OverflowError) as error:
            log.warning("event of the bridge cannot be recorded", extra={"kind": str(told.get("kind"))}, exc_info=error)
        except BaseException:
            product.seen_bridge_events.forget(event_id)  # it comes again, and is then new
            raise
    return jsonify(taken=len(events))


def _one(told: dict[str, Any]) -> None:
    product = services()
    kind = _KINDS.get(str(told.get("kind")))
    if kind is None:
        return
    place = product.meetings.participant(ParticipantId(str(told.get("participant"))))
    at = min(from_text(str(told.get("at"))), product.clock())
    sent = told.get("data")
    data = {k: str(v)[:200] for k, v in sent.items() if k in _DATA} if isinstance(sent, dict) else {}
    if told["kind"] in ("media.left", "session.ended"):
        # The state first: when the record below fails and all of it comes again, this half does nothing twice.
        reason = "session-ended" if told["kind"] == "session.ended" else data.get("reason", "lost")
        product.room.media_left(place, at=at, reason=reason)
    product.acts.note(
        Act(kind, str(place.person or place.staff or place.id), product.clock(), place.meeting, place.id, data)
    )

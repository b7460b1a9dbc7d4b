"""What the media side tells us, our bridge or a Prosody. Recorded; repeated by it until it is."""

import logging
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from sidecar.adapters.reporters import Reporter
from sidecar.domain.audit import InvalidRecordError, PersonalDataError
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError
from sidecar.domain.ids import RecordingId
from sidecar.domain.placement import shard_id_of
from sidecar.services.reports import read_report
from sidecar.web.access import access
from sidecar.web.forms import json_body
from sidecar.web.guard import services

log = logging.getLogger("tillit.web")

bridge_events = Blueprint("bridge_events", __name__)

_MOST = 500
_RECORDING = frozenset({"recording.paused", "recording.resumed", "recording.stopped"})


@bridge_events.post("/internal/bridge/events")
@access("bridge")
def take_in() -> Response:
    """Take in a batch. An event that was taken in before, cannot be read, or whose place is gone is passed over.

    Passed over, not refused: the media side sends in order and repeats a refused batch, so one event that can
    never be recorded would hold up every other one.
    """
    reporter = verified_reporter()
    events = json_body().get("events")
    if not isinstance(events, list) or len(events) > _MOST:
        raise InvalidInputError(f"A batch has at most {_MOST} events.", field="events")
    # In turn: a media side that has waited too long for an answer sends the same batch beside the first.
    turns, turn = current_app.extensions["tillit_turns"], f"reports.{reporter.shard}"
    turns.take(turn)
    try:
        for told in events:
            if isinstance(told, dict):
                _one(told, reporter)
    finally:
        turns.give_back(turn)
    return jsonify(taken=len(events))


def verified_reporter() -> Reporter:
    """Return the media side that sent this very request. Raises TokenRefusedError."""
    return services().reporters.verify(
        unverified_token=request.headers.get("Authorization", "").removeprefix("Bearer "),
        method=request.method,
        path=request.full_path.rstrip("?"),
        body=request.get_data(cache=True),
    )


def _one(told: dict[str, Any], reporter: Reporter) -> None:
    try:
        if str(told.get("kind")) in _RECORDING:
            if reporter.kind != "jitsi":  # Prosody records nothing, so it ends nothing either
                _of_recording(told, reporter)
            return
        if reporter.kind == "recorder":
            return  # of recordings, and of nothing else
        report = read_report(told, shard=reporter.shard, side=reporter.kind)
        if report is not None:
            services().reports.take(report)
    except NotFoundError:
        pass
    except (InvalidRecordError, PersonalDataError, ValueError, OverflowError) as error:
        log.warning("event of the media side cannot be recorded", extra={"kind": str(told.get("kind"))}, exc_info=error)


def _of_recording(told: dict[str, Any], reporter: Reporter) -> None:
    """Take in what the recorder says of itself. Told twice it changes nothing the second time."""
    data = told.get("data")
    if not isinstance(data, dict):
        raise ValueError("an event of a recording names it")
    product = services()
    recording = product.meetings.recording(RecordingId(str(data.get("recording"))))
    room = product.meetings.get(recording.meeting).room
    if room != told.get("room") or shard_id_of(room) != reporter.shard:
        raise NotFoundError("There is no such recording on this media side.")
    kind, participant, reason = (
        str(told["kind"]),
        str(told.get("participant", ""))[:60],
        str(data.get("reason", ""))[:40],
    )
    position_ms = max(0, int(data.get("position_ms", 0)))
    for last in (False, True):
        try:
            product.recordings.told(kind, recording.id, participant=participant, reason=reason, position_ms=position_ms)
            return
        except ConflictError:
            if last:
                raise  # somebody answered at that very moment; the second try sees what is true now

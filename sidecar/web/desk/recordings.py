"""Recordings at the desk: which there are, the viewer, and what suspends their end. Nothing is watched outside it."""

import re
from typing import Any

from flask import Response, jsonify, render_template, request, stream_with_context

from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import RecordingId
from sidecar.domain.journal import describe
from sidecar.domain.meetings import Meeting
from sidecar.domain.policy import Right
from sidecar.domain.recordings import HoldReason, Recording, RecordingState
from sidecar.services.playback import PAGE, PART_MS, Opened, Playback
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk
from sidecar.web.desk.rows import row
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services, sessions, staff, translator
from sidecar.web.recording_state import in_words

_NUMBER = re.compile(r"[0-9]{1,6}")
_KEPT_VIEWINGS = 8  # of one session: several pages may be open


@desk.get("/recordings")
@access("staff")
def recordings() -> str:
    """List the recordings the reader may know of, each labelled with its purpose, its law and its end.

    before: the last recording of the page before this one.
    """
    before = request.args.get("before", "")
    found = services().playbacks.listed(staff(), before=RecordingId(before) if before else None)
    shown = found[:PAGE]
    return render_template(
        "staff/recordings.html",
        rows=[_row(recording, meeting) for recording, meeting in shown],
        before=before,
        older=shown[-1][0].id if len(found) > PAGE else "",
    )


@desk.get("/recordings/<rid>")
@access("staff")
def recording(rid: str) -> str:
    """Show one recording. Nothing of its media: watching begins with a press, and is in the log from there."""
    product, me = services(), staff()
    found = product.playbacks.get(RecordingId(rid), me)
    meeting = product.meetings.get(found.meeting)
    owner = product.people.find(found.hold.owner) if found.hold else None
    return render_template(
        "staff/recording.html",
        each=_row(found, meeting),
        row=row(meeting),
        watchable=found.state is RecordingState.STOPPED,
        may_hold=product.staff.may(me, Right.HOLD_RECORDINGS),
        may_download=product.staff.may(me, Right.DOWNLOAD_RECORDINGS),
        hold=found.hold,
        hold_owner=owner.shown_name if owner else "",
        reasons=[reason.value for reason in HoldReason],
    )


@desk.post("/recordings/<rid>/open")
@access("staff")
def open_recording(rid: str) -> Response:
    """Begin to watch. {parts, part_ms, duration_ms, complete, left_out, chapters: [{at_ms, text}], url}

    left_out: a sentence on the streams that found no room in it, "" where all did.
    """
    product = services()
    opened = product.playbacks.open(RecordingId(rid), staff())
    session = sessions().staff()
    kept = dict(session.get("viewings", {}))
    kept[opened.playback.id] = opened.playback.values()
    session.set("viewings", dict(list(kept.items())[-_KEPT_VIEWINGS:]))
    duration = opened.outline.duration_ms
    return jsonify(
        url=f"/desk/recordings/{rid}/viewings/{opened.playback.id}/parts/",
        parts=-(-duration // PART_MS),
        part_ms=PART_MS,
        duration_ms=duration,
        complete=opened.outline.complete,
        left_out=_left_out(opened),
        chapters=_chapters(opened),
    )


@desk.get("/recordings/<rid>/viewings/<viewing>/parts/<number>")
@access("staff")
def part(rid: str, viewing: str, number: str) -> Response:
    """Hand out some seconds, watermarked for this viewing. They are in the log before they leave."""
    product, me = services(), staff()
    kept = sessions().staff().get("viewings", {}).get(viewing)
    if kept is None or kept.get("recording") != rid or not _NUMBER.fullmatch(number):
        raise NotFoundError("There is no such viewing, or it is a colleague's.")
    playback = Playback.of(kept)
    data = product.playbacks.part(playback, me, int(number), mark=_mark(playback.code))
    return Response(data, mimetype="video/webm", headers={"Cache-Control": "no-store"})


@desk.get("/recordings/<rid>/file")
@access("staff")
def recording_file(rid: str) -> Response:
    """Hand out the whole recording as a watermarked file, where the policy gives somebody that right."""
    parts = services().playbacks.export(RecordingId(rid), staff(), mark=_mark(""))
    return Response(
        stream_with_context(parts),
        mimetype="video/webm",
        headers={"Content-Disposition": f'attachment; filename="{rid}.webm"', "Cache-Control": "no-store"},
    )


@desk.post("/recordings/<rid>/hold")
@access("staff")
def hold_recording(rid: str) -> Response:
    services().playbacks.hold(RecordingId(rid), staff(), text_of(json_body(), "reason", longest=40))
    return jsonify({})


@desk.post("/recordings/<rid>/release")
@access("staff")
def release_recording(rid: str) -> Response:
    services().playbacks.release(RecordingId(rid), staff())
    return jsonify({})


def _row(found: Recording, meeting: Meeting) -> dict[str, Any]:
    """Return a recording's label: what it is for, under which law, who may watch it, when it ends."""
    product, t = services(), translator()
    meeting_type = product.policy.type(meeting.type_ref)
    return {
        "id": found.id,
        "meeting": row(meeting),
        "type": meeting_type.title[t.language],
        "state": found.state.value,
        "started": found.started_at,
        "minutes": max(1, round(found.length_ms / 60000)) if found.length_ms else None,
        "reason": found.stop_reason,
        "held": found.hold is not None,
        "delete_at": found.delete_at,
        "deleted_at": found.deleted_at,
        "roles": [
            package.title[t.language]
            for package in product.policy.packages.values()
            if Right.PLAY_RECORDINGS in package.rights
        ],
        **in_words(product, meeting, found, t),
    }


def _chapters(opened: Opened) -> list[dict[str, Any]]:
    t = translator()
    return [{"at_ms": at, "text": describe(entry, t.language, opened.names, rules={})} for at, entry in opened.chapters]


def _left_out(opened: Opened) -> str:
    t, streams = translator(), opened.outline.left_out
    names = sorted({opened.names.get(each.participant, "") or t("desk.unknown") for each in streams})
    return t.plural("desk.recording.left_out", len(streams), names=t.listing(names)) if streams else ""


def _mark(code: str) -> str:
    """Return the words burnt into the picture: who watches, and when."""
    t, now = translator(), services().clock()
    return " ".join(part for part in (staff().name, now.astimezone(t.zone).strftime("%Y-%m-%d %H:%M"), code) if part)

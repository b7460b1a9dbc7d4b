"""What the internal interfaces of our media processes share: who may command, how errors look, recordings.

The bridge and the recorder on Jitsi take the same commands for a recording, so one client speaks to both.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from aiohttp import web

from sidecar.bridge.gate import CommandGate
from sidecar.bridge.recording import RecordedRoom, RecorderHost, get_recording
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError, TillitError
from sidecar.domain.jws import TokenRefusedError

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_REASON = re.compile(r"[a-z_-]{1,64}")
_STATUS: tuple[tuple[type[TillitError], int, str], ...] = (
    (TokenRefusedError, 401, "The token was refused"),
    (NotFoundError, 404, "Not here"),
    (ConflictError, 409, "No room for more"),
    (InvalidInputError, 400, "The request cannot be used"),
)
GATE = web.AppKey("gate", CommandGate)


class RecordingSide(Protocol):
    """A process that records rooms: server.Bridge, jitsi.host.JitsiRecorder."""

    recorder: RecorderHost

    def get_room(self, name: str) -> RecordedRoom:
        """Raises NotFoundError."""

    async def record(self, name: str, begin: Callable[[RecordedRoom], None]) -> RecordedRoom:
        """Begin to record a room by calling `begin`. Raises NotFoundError, and whatever that raises."""


_SIDE = web.AppKey("side", RecordingSide)


def add_recording_commands(application: web.Application, side: RecordingSide) -> None:
    """Add the commands of recordings to an internal interface."""
    application[_SIDE] = side
    recording = "/v1/rooms/{room}/recording"
    application.router.add_post("/v1/recorder/keys", _offer_key)
    application.router.add_post(recording, _start_recording)
    application.router.add_put(recording, _allow_recording)
    application.router.add_get(recording, _show_recording)
    application.router.add_delete(recording, _stop_recording)


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn errors into problem+json. What is unknown says nothing of its inside."""
    try:
        return await handler(request)
    except TillitError as error:
        status, title = next(
            ((s, t) for kind, s, t in _STATUS if isinstance(error, kind)), (500, "Something went wrong")
        )
        return _problem(status, error.slug, title, error.detail)
    except web.HTTPRequestEntityTooLarge:
        return _problem(413, "invalid-input", "The request is too large", "The body is larger than 512 KiB.")
    except web.HTTPException as error:
        return _problem(error.status, "not-found" if error.status == 404 else "invalid-input", error.reason, "")
    except Exception:
        log.exception("a request could not be handled")
        return _problem(500, "internal", "Something went wrong", "")


def _problem(status: int, slug: str, title: str, detail: str) -> web.Response:
    problem = {"type": f"/problems#{slug}", "title": title, "status": status, "detail": detail}
    return web.json_response(problem, status=status, content_type="application/problem+json")


@web.middleware
async def authenticated(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let through who has a control token for this very request. Two paths say nothing about anybody."""
    if request.path in ("/healthz", "/metrics"):
        return await handler(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise TokenRefusedError
    await request.app[GATE].check_command(
        token, method=request.method, path=request.raw_path, body=await request.read()
    )
    return await handler(request)


async def _offer_key(request: web.Request) -> web.Response:
    name, public = request.app[_SIDE].recorder.keys.offer()
    return web.json_response({"offer": name, "key": public.hex()}, status=201)


async def _start_recording(request: web.Request) -> web.Response:
    side = request.app[_SIDE]
    body = await body_of(request)
    recording, offer, sealed = body.get("recording"), body.get("offer"), body.get("sealed_dek")
    if not isinstance(recording, str) or not _NAME.fullmatch(recording):
        raise InvalidInputError("recording must be a name", field="recording")
    if not isinstance(offer, str) or not isinstance(sealed, str) or not re.fullmatch(r"[0-9a-f]{66,512}", sealed):
        raise InvalidInputError("offer and sealed_dek are needed", field="sealed_dek")
    begin = begin_recording(
        side.recorder, recording, offer=offer, sealed_dek=bytes.fromhex(sealed), consented=_consented(body)
    )
    made = get_recording(await side.record(part(request, "room"), begin))
    await made.begun()
    return web.json_response(made.asked(), status=201)


def begin_recording(
    recorder: RecorderHost, recording: str, *, offer: str, sealed_dek: bytes, consented: Sequence[str]
) -> Callable[[RecordedRoom], None]:
    """Return what begins this recording in whichever room it is called with."""

    def begin(room: RecordedRoom) -> None:
        recorder.start(room, recording, offer=offer, sealed_dek=sealed_dek, consented=consented)

    return begin


async def _allow_recording(request: web.Request) -> web.Response:
    body = await body_of(request)
    recording = get_recording(request.app[_SIDE].get_room(part(request, "room")), str(body.get("recording", "")))
    recording.allow(_consented(body))
    return web.json_response(recording.asked())


async def _show_recording(request: web.Request) -> web.Response:
    return web.json_response(get_recording(request.app[_SIDE].get_room(part(request, "room"))).asked())


async def _stop_recording(request: web.Request) -> web.Response:
    room = request.app[_SIDE].get_room(part(request, "room"))
    get_recording(room, request.query.get("recording", "")).stop(reason_of(request, "stopped"))
    return web.Response(status=204)


def _consented(body: dict[str, Any]) -> list[str]:
    names = body.get("consented")
    if (
        not isinstance(names, list)
        or len(names) > 64
        or not all(isinstance(n, str) and _NAME.fullmatch(n) for n in names)
    ):
        raise InvalidInputError("consented must be a list of participants", field="consented")
    return names


def part(request: web.Request, name: str) -> str:
    """Return a part of the path. Raises NotFoundError for what is no name."""
    value = request.match_info[name]
    if not _NAME.fullmatch(value):
        raise NotFoundError
    return value


def reason_of(request: web.Request, otherwise: str) -> str:
    """Return the reason a command names. Raises InvalidInputError."""
    reason = request.query.get("reason", "") or otherwise
    if not _REASON.fullmatch(reason):
        raise InvalidInputError("reason must be a short word of lower case letters", field="reason")
    return reason


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return the body, a JSON object. Raises InvalidInputError."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is not JSON", field="body") from None
    if not isinstance(body, dict):
        raise InvalidInputError("the body is not a JSON object", field="body")
    return body

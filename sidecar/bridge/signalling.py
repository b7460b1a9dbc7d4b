"""The bridge's internal interface: commands from the web process, JSON over HTTP, never seen from outside.

Every call carries a control token for this very request, except the two that tell nothing about anybody:
/healthz and /metrics. Errors are problem+json (RFC 9457).
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sidecar.bridge.gate import Gate
from sidecar.bridge.grant import Grant
from sidecar.bridge.recording import get_recording
from sidecar.bridge.sdp import MAX_OFFER_BYTES
from sidecar.bridge.server import Bridge
from sidecar.domain import clock
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError, TillitError
from sidecar.domain.jws import TokenRefusedError

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 2 * MAX_OFFER_BYTES
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_PERMISSION = re.compile(r"[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64})?")
_REASON = re.compile(r"[a-z_-]{1,64}")
_KINDS = {"audio": "microphone", "video": "camera", "share": "share"}
_STATUS: tuple[tuple[type[TillitError], int, str], ...] = (
    (TokenRefusedError, 401, "The token was refused"),
    (NotFoundError, 404, "Not here"),
    (ConflictError, 409, "No room for more"),
    (InvalidInputError, 400, "The request cannot be used"),
)
_gate_key = web.AppKey("gate", Gate)
_bridge_key = web.AppKey("bridge", Bridge)


def create_application(bridge: Bridge, gate: Gate) -> web.Application:
    """Return the internal interface of this bridge."""
    application = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_problems, _authenticated])
    application[_bridge_key] = bridge
    application[_gate_key] = gate
    application.router.add_get("/healthz", _health)
    application.router.add_get("/metrics", _metrics)
    room = "/v1/rooms/{room}"
    person = room + "/participants/{participant}"
    application.router.add_get(room, _show_room)
    application.router.add_delete(room, _end_room)
    application.router.add_post(room + "/participants", _join)
    application.router.add_delete(person, _expel)
    application.router.add_put(person + "/permissions", _set_permissions)
    application.router.add_post(person + "/mute", _mute)
    application.router.add_post("/v1/recorder/keys", _offer_key)
    application.router.add_post(room + "/recording", _start_recording)
    application.router.add_put(room + "/recording", _allow_recording)
    application.router.add_get(room + "/recording", _show_recording)
    application.router.add_delete(room + "/recording", _stop_recording)
    return application


@web.middleware
async def _problems(
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
async def _authenticated(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if request.path in ("/healthz", "/metrics"):
        return await handler(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise TokenRefusedError
    await request.app[_gate_key].check_command(
        token, method=request.method, path=request.raw_path, body=await request.read()
    )
    return await handler(request)


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "rooms": len(request.app[_bridge_key].rooms)})


async def _metrics(request: web.Request) -> web.Response:
    bridge = request.app[_bridge_key]
    plane = bridge.plane
    return web.json_response(
        {
            "rooms": len(bridge.rooms),
            "participants": sum(len(room.peers) for room in bridge.rooms.values()),
            "datagrams_in": sum(batch.received for batch in plane.batches),
            "datagrams_out": sum(batch.sent for batch in plane.batches),
            "datagrams_dropped": plane.dropped,
            "datagrams_unsent": sum(batch.unsent for batch in plane.batches),
            "events_waiting": len(bridge.events),
            "events_lost": bridge.events.lost,
        }
    )


async def _join(request: web.Request) -> web.Response:
    body = await _body(request)
    token, sdp = body.get("token"), body.get("sdp")
    if not isinstance(token, str) or not isinstance(sdp, str):
        raise InvalidInputError("token and sdp are needed, both text", field="sdp")
    room = _part(request, "room")
    grant = await request.app[_gate_key].admit(token, room=room)
    session, answer = request.app[_bridge_key].join(room, grant, sdp)
    return web.json_response({"session": session, "sdp": answer}, status=201)


async def _set_permissions(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(_part(request, "room"), _part(request, "participant"))
    body = await _body(request)
    permissions, until = body.get("permissions"), body.get("session_until")
    if (
        not isinstance(permissions, list)
        or not all(isinstance(p, str) and _PERMISSION.fullmatch(p) for p in permissions)
        or len(permissions) > 256
    ):
        raise InvalidInputError("permissions must be a list of names", field="permissions")
    try:
        session_until = clock.from_text(until) if isinstance(until, str) else peer.grant.session_until
    except ValueError:
        raise InvalidInputError("session_until must be a time with its offset", field="session_until") from None
    peer.grant = Grant(peer.id, frozenset(permissions), session_until)
    peer.room.media_changed(peer)
    return web.Response(status=204)


async def _mute(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(_part(request, "room"), _part(request, "participant"))
    kind = (await _body(request)).get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInputError("kind must be audio, video or share", field="kind")
    peer.mute(_KINDS[kind], kind)
    return web.Response(status=204)


async def _expel(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(_part(request, "room"), _part(request, "participant"))
    peer.room.leave(peer, _reason(request, "expelled"))
    return web.Response(status=204)


async def _end_room(request: web.Request) -> web.Response:
    request.app[_bridge_key].get_room(_part(request, "room")).end(_reason(request, "ended"))
    return web.Response(status=204)


async def _show_room(request: web.Request) -> web.Response:
    room = request.app[_bridge_key].get_room(_part(request, "room"))
    return web.json_response({"participants": [peer.describe() for peer in room.peers.values()]})


async def _offer_key(request: web.Request) -> web.Response:
    name, public = request.app[_bridge_key].recorder.keys.offer()
    return web.json_response({"offer": name, "key": public.hex()}, status=201)


async def _start_recording(request: web.Request) -> web.Response:
    bridge = request.app[_bridge_key]
    body = await _body(request)
    recording, offer, sealed = body.get("recording"), body.get("offer"), body.get("sealed_dek")
    if not isinstance(recording, str) or not _NAME.fullmatch(recording):
        raise InvalidInputError("recording must be a name", field="recording")
    if not isinstance(offer, str) or not isinstance(sealed, str) or not re.fullmatch(r"[0-9a-f]{66,512}", sealed):
        raise InvalidInputError("offer and sealed_dek are needed", field="sealed_dek")
    started = bridge.recorder.start(
        bridge.get_room(_part(request, "room")),
        recording,
        offer=offer,
        sealed_dek=bytes.fromhex(sealed),
        consented=_consented(body),
    )
    return web.json_response(started.describe(), status=201)


async def _allow_recording(request: web.Request) -> web.Response:
    recording = get_recording(request.app[_bridge_key].get_room(_part(request, "room")))
    recording.allow(_consented(await _body(request)))
    return web.json_response(recording.describe())


async def _show_recording(request: web.Request) -> web.Response:
    return web.json_response(get_recording(request.app[_bridge_key].get_room(_part(request, "room"))).describe())


async def _stop_recording(request: web.Request) -> web.Response:
    get_recording(request.app[_bridge_key].get_room(_part(request, "room"))).stop(_reason(request, "stopped"))
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


def _part(request: web.Request, name: str) -> str:
    value = request.match_info[name]
    if not _NAME.fullmatch(value):
        raise NotFoundError
    return value


def _reason(request: web.Request, otherwise: str) -> str:
    reason = request.query.get("reason", "") or otherwise
    if not _REASON.fullmatch(reason):
        raise InvalidInputError("reason must be a short word of lower case letters", field="reason")
    return reason


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is not JSON", field="body") from None
    if not isinstance(body, dict):
        raise InvalidInputError("the body is not a JSON object", field="body")
    return body

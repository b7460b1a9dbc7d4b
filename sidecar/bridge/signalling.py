"""The bridge's internal interface: commands from the web process, JSON over HTTP, never seen from outside.

Every call carries a control token for this very request, except the two that tell nothing about anybody:
/healthz and /metrics. Errors are problem+json (RFC 9457).
"""

import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from sidecar.bridge.commands import (
    GATE,
    add_recording_commands,
    authenticated,
    body_of,
    part,
    problems,
    reason_of,
)
from sidecar.bridge.gate import Gate
from sidecar.bridge.grant import Grant
from sidecar.bridge.sdp import MAX_OFFER_BYTES
from sidecar.bridge.server import Bridge
from sidecar.domain import clock
from sidecar.domain.errors import InvalidInputError

_MAX_BODY_BYTES = 2 * MAX_OFFER_BYTES
_PERMISSION = re.compile(r"[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64})?")
_KINDS = {"audio": "microphone", "video": "camera", "share": "share"}
_bridge_key = web.AppKey("bridge", Bridge)
_gate_key = web.AppKey("join-gate", Gate)


def create_application(bridge: Bridge, gate: Gate) -> web.Application:
    """Return the internal interface of this bridge."""
    application = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[problems, authenticated])
    application[_bridge_key] = bridge
    application[_gate_key] = application[GATE] = gate
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
    add_recording_commands(application, bridge)
    return application


async def _health(request: web.Request) -> web.Response:
    bridge = request.app[_bridge_key]
    return web.json_response(
        {"status": "ok", "rooms": len(bridge.rooms), "share_firewall": bridge.watcher.samplers.state}
    )


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
    body = await body_of(request)
    token, sdp = body.get("token"), body.get("sdp")
    watched = _flag(body, "watch_shares", default=False)
    if not isinstance(token, str) or not isinstance(sdp, str):
        raise InvalidInputError("token and sdp are needed, both text", field="sdp")
    room = part(request, "room")
    grant = await request.app[_gate_key].admit(token, room=room)
    session, answer = request.app[_bridge_key].join(room, replace(grant, share_watched=watched), sdp)
    return web.json_response({"session": session, "sdp": answer}, status=201)


async def _set_permissions(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(part(request, "room"), part(request, "participant"))
    body = await body_of(request)
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
    watched = _flag(body, "watch_shares", default=peer.grant.share_watched)
    peer.grant = Grant(peer.id, frozenset(permissions), session_until, watched)
    peer.room.media_changed(peer)
    return web.Response(status=204)


async def _mute(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(part(request, "room"), part(request, "participant"))
    kind = (await body_of(request)).get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInputError("kind must be audio, video or share", field="kind")
    peer.mute(_KINDS[kind], kind)
    return web.Response(status=204)


async def _expel(request: web.Request) -> web.Response:
    peer = request.app[_bridge_key].get_peer(part(request, "room"), part(request, "participant"))
    peer.room.leave(peer, reason_of(request, "expelled"))
    return web.Response(status=204)


async def _end_room(request: web.Request) -> web.Response:
    request.app[_bridge_key].get_room(part(request, "room")).end(reason_of(request, "ended"))
    return web.Response(status=204)


async def _show_room(request: web.Request) -> web.Response:
    room = request.app[_bridge_key].get_room(part(request, "room"))
    return web.json_response({"participants": [peer.describe() for peer in room.peers.values()]})


def _flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is true or false", field=name)
    return value

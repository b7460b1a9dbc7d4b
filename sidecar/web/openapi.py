"""The open API's description, OpenAPI 3.1. A test holds it against the routes and the answers against its schemas."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.services.plugin_pages import Route

_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_TIME = {"type": "string", "format": "date-time", "description": "RFC 3339 with its offset"}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_TEXT = {"type": "string"}


def _object(required: list[str], properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    } | more


SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `type` ends in the problem's name, explained at that address.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "sentence": {"type": "string", "description": "one plain sentence for a person"},
            "field": {"type": "string", "description": "which input is meant"},
            "rule": {"type": "string", "description": "the policy rule that decided"},
        },
    },
    "Guest": _object(
        ["name", "capacity", "email"],
        {
            "name": {"type": "string", "maxLength": 120},
            "capacity": {
                "enum": ["observer", "representative", "customer"],
                "description": "customer: one more of them, where the type has room (max_customers)",
            },
            "email": {"type": "string", "maxLength": 254},
            "phone": {"type": "string", "maxLength": 40},
            "national_id": {"type": "string", "description": "needed where the type asks for an eID"},
            "country": {"type": "string", "minLength": 2, "maxLength": 2, "default": "SE"},
            "language": {"enum": ["sv", "nb", "da", "fi", "nl", "en"], "default": "sv"},
        },
    ),
    "Customer": _object(
        ["name"],
        {
            "name": {"type": "string", "maxLength": 200},
            "national_id": _TEXT,
            "country": {"type": "string", "default": "SE"},
            "email": _TEXT,
            "phone": _TEXT,
            "inbox": {"type": "string", "description": "address in the bank's own inbox"},
            "locality": _TEXT,
            "language": {"enum": ["sv", "nb", "da", "fi", "nl", "en"], "default": "sv"},
            "segment": {"enum": ["private", "corporate"], "default": "private"},
        },
    ),
    "Booking": _object(
        ["type", "customer", "adviser", "purpose", "starts_at"],
        {
            "type": {"type": "string", "description": "a meeting type's name, such as mortgage"},
            "customer": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Customer"}]},
            "adviser": {"type": "string", "description": "st_..."},
            "purpose": {"type": "string", "maxLength": 200, "description": "stands in the invitation"},
            "starts_at": _TIME,
            "minutes": {"type": "integer", "minimum": 5, "maximum": 480, "default": 45},
            "brand": _TEXT,
            "case": {"type": "string", "maxLength": 80},
            "guests": {"type": "array", "maxItems": 6, "items": {"$ref": "#/components/schemas/Guest"}},
        },
    ),
    "Participant": _object(
        ["id", "person", "capacity", "state", "identified"],
        {
            "id": _TEXT,
            "person": {"type": ["string", "null"], "description": "pseudonym, never a name"},
            "capacity": _TEXT,
            "state": _TEXT,
            "identified": {
                "oneOf": [
                    {"type": "null"},
                    _object(["provider", "method", "at"], {"provider": _TEXT, "method": _TEXT, "at": _TIME}),
                ]
            },
        },
    ),
    "Meeting": _object(
        ["id", "state", "type", "band", "starts_at", "ends_at", "participants"],
        {
            "id": _TEXT,
            "state": {"enum": ["booked", "open", "ended", "cancelled", "missed"]},
            "type": {"type": "string", "description": "type and version the meeting runs under, mortgage@1"},
            "band": {"enum": ["low", "medium", "high"]},
            "segment": {"enum": ["private", "corporate"]},
            "brand": _TEXT,
            "purpose": _TEXT,
            "case": _TEXT,
            "region": _TEXT,
            "starts_at": _TIME,
            "ends_at": _TIME,
            "opened_at": _TIME_OR_NULL,
            "ended_at": _TIME_OR_NULL,
            "retain_until": _TIME,
            "participants": {"type": "array", "items": {"$ref": "#/components/schemas/Participant"}},
        },
    ),
    "MeetingType": _object(
        ["name", "ref", "band", "title", "summary", "segments", "sign_in", "on_demand"],
        {
            "name": _TEXT,
            "ref": _TEXT,
            "band": {"enum": ["low", "medium", "high"]},
            "title": {"type": "object", "additionalProperties": _TEXT},
            "summary": {"type": "object", "additionalProperties": _TEXT},
            "segments": {"type": "array", "items": _TEXT},
            "sign_in": {"type": "array", "items": {"enum": ["eid", "code"]}},
            "on_demand": {"type": "boolean"},
        },
    ),
    "Event": _object(
        ["index", "kind", "at", "actor", "data"],
        {
            "index": {"type": "integer", "description": "place in the audit log"},
            "kind": _TEXT,
            "at": _TIME,
            "actor": {"type": "string", "description": "pseudonym"},
            "data": {"type": "object"},
        },
    ),
    "Integrations": _object(
        ["register", "used"],
        {
            "register": {"type": "array", "items": {"type": "object"}},
            "used": {"type": "array", "items": {"type": "object"}},
        },
    ),
}


def document(server: str, plugins: Mapping[str, Sequence[Route]] | None = None) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description, as served at /api/openapi.json.

    server: this service's address. plugins: the loaded plugins' routes; those of connected systems are described.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tillit open API",
            "version": "1.0.0",
            "description": "Booking, state and evidence of bank meetings, for the bank's own systems. "
            "Each system has a key of its own with the rights it needs: book, read, evidence.",
        },
        "servers": [{"url": server}],
        "security": [{"systemKey": []}],
        "paths": _paths() | _plugin_paths(plugins or {}),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"systemKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    meeting = _parameter("mid", "a meeting's id, m_...")
    times = [
        _query("from", "earliest start; a day ago when left out"),
        _query("to", "latest start, not included; a week after `from` when left out, at most 31 days"),
    ]
    return {
        "/api/openapi.json": {"get": _operation("openapi", "This description", {"type": "object"}) | {"security": []}},
        "/api/v1/meeting-types": {"get": _operation("listTypes", "Meeting types in force", _list("MeetingType"))},
        "/api/v1/meetings": {
            "get": _operation("listMeetings", "Meetings by start", _list("Meeting"), parameters=times),
            "post": _operation(
                "bookMeeting", "Book a meeting and invite", _ref("Meeting"), body="Booking", status="201"
            ),
        },
        "/api/v1/meetings/{mid}": {
            "get": _operation("getMeeting", "A meeting and its participants", _ref("Meeting"), [meeting]),
            "delete": _operation("cancelMeeting", "Cancel and tell everybody", None, [meeting], status="204"),
        },
        "/api/v1/meetings/{mid}/guests": {
            "post": _operation("addGuest", "Invite a guest", _ref("Participant"), [meeting], body="Guest", status="201")
        },
        "/api/v1/meetings/{mid}/journal": {
            "get": _operation("getJournal", "The meeting's events", _list("Event"), [meeting])
        },
        "/api/v1/meetings/{mid}/evidence": {
            "get": _operation(
                "getEvidence",
                "The evidence file, to be checked with the stand-alone verifier",
                {"type": "object"},
                [meeting],
                media_type="application/vnd.tillit.evidence+json",
            )
        },
        "/api/v1/integrations": {
            "get": _operation("listIntegrations", "Integrations, approved and used", _ref("Integrations"))
        },
    }


def _plugin_paths(plugins: Mapping[str, Sequence[Route]]) -> dict[str, Any]:
    """Describe the plugins' routes by their own line: what they take and answer is told in the plugin's README."""
    paths: dict[str, Any] = {}
    for plugin, routes in sorted(plugins.items()):
        for route in (each for each in routes if each.caller == "system"):
            names = _PARAMETER.findall(route.path)
            path = f"/api/v1/x/{plugin}/{_PARAMETER.sub(_braced, route.path)}"
            operation = _operation(
                "_".join((plugin, route.method.lower(), *re.findall(r"[a-z0-9]+", route.path))),
                route.summary,
                {},
                [_parameter(name, name) for name in names],
                status="2XX",
            )
            paths.setdefault(path, {})[route.method.lower()] = operation | {"tags": [plugin]}
    return paths


def _braced(parameter: re.Match[str]) -> str:
    return f"{{{parameter.group(1)}}}"


def _operation(
    name: str,
    summary: str,
    answer: dict[str, Any] | None,
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: str = "",
    status: str = "200",
    media_type: str = "application/json",
) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    done: dict[str, Any] = {"description": summary}
    if answer is not None:
        done["content"] = {media_type: {"schema": answer}}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {status: done, "default": {"description": "What went wrong", "content": problem}},
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(body)}},
        }
    return operation


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": _TEXT}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": _TIME}

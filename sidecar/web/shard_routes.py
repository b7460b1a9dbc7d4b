"""What a Jitsi shard fetches from us: keys, who is admitted, and how Jitsi Meet is to look under our brands.

Below /internal/ only the shard's own network reaches us; what stands there is signed, or public anyway.
"""

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Blueprint, Response, jsonify, request

from sidecar.adapters.key_files import Purpose
from sidecar.domain.errors import NotFoundError
from sidecar.domain.ids import ParticipantId
from sidecar.domain.jitsi_page import CONFIG, INTERFACE, branding
from sidecar.domain.placement import shard_id_of
from sidecar.settings import Brand
from sidecar.web.access import access
from sidecar.web.bridge_events import verified_reporter
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services

shard_routes = Blueprint("shard_routes", __name__)

_KEYS_FRESH_S = 10  # Prosody asks at this pace; a withdrawn key must not live longer in a cache between us


@shard_routes.get("/internal/prosody/join-keys.json")
@access("anyone")
def join_keys() -> Response:
    """Serve the public keys of join tokens: tillit_join_keys of our modules, cache_keys_url of Jitsi's."""
    return _key_set("join")


@shard_routes.get("/internal/prosody/control-keys.json")
@access("anyone")
def control_keys() -> Response:
    """Serve the public keys of commands: tillit_control_keys."""
    return _key_set("control")


@shard_routes.get("/internal/prosody/asap/<digest>.pem")
@access("anyone")
def asap_key(digest: str) -> Response:
    """Serve one public key of join tokens the way Jitsi's asap_key_server asks: SHA-256 of its kid, hex.

    Jitsi keeps what it gets here until it is restarted, so a withdrawn key stays good for its module; ours, which
    reads the key set, refuses it all the same.
    """
    ring = services().ring.jwks("join")
    for kid in ring.kids:
        key = ring.find(kid, services().settings.tokens.algorithm.value)
        if key is not None and hashlib.sha256(kid.encode()).hexdigest() == digest:
            pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return _fresh(Response(pem, mimetype="application/x-pem-file"))
    raise NotFoundError("There is no such key.")


@shard_routes.post("/internal/prosody/admissions")
@access("bridge")
def admission() -> Response:
    """Say whether somebody who stands at a shard's door with a good token is still admitted, and to what.

    Answers {"admitted": false}, or with permissions and session_until (seconds since 1970).
    """
    reporter = verified_reporter()
    body = json_body()
    product = services()
    try:
        place = product.meetings.participant(ParticipantId(text_of(body, "participant", longest=64)))
        meeting = product.meetings.get(place.meeting)
    except NotFoundError:
        return jsonify(admitted=False)
    if meeting.room != text_of(body, "room", longest=128) or shard_id_of(meeting.room) != reporter.shard:
        return jsonify(admitted=False)
    allowed = product.admission.may_enter(place)
    if allowed is None:
        return jsonify(admitted=False)
    permissions, session_until = allowed
    return jsonify(admitted=True, permissions=sorted(permissions), session_until=int(session_until.timestamp()))


@shard_routes.get("/jitsi/config.js")
@access("anyone")
def config() -> Response:
    """Serve our overrides of Jitsi Meet's config.js, to be loaded after it on the address Jitsi Meet is served from."""
    brand = _brand_of_web_host()
    overrides = dict(CONFIG) | {"dynamicBrandingUrl": f"{brand.url.rstrip('/')}/jitsi/branding.json"}
    return _script("config", overrides)


@shard_routes.get("/jitsi/interface_config.js")
@access("anyone")
def interface_config() -> Response:
    brand = _brand_of_web_host()
    return _script("interfaceConfig", dict(INTERFACE) | {"APP_NAME": brand.name, "PROVIDER_NAME": brand.name})


@shard_routes.get("/jitsi/branding.json")
@access("anyone")
def brand_of_jitsi() -> Response:
    """Serve the brand's look to Jitsi Meet, which asks from its own address below the brand's host."""
    brand = services().brand_of_host(request.host)
    logo = f"{brand.url.rstrip('/')}/brand-logo" if brand.logo else ""
    response = jsonify(branding(colour=brand.colour, logo_url=logo))
    origin = request.headers.get("Origin", "")
    response.vary.add("Origin")
    if origin in services().web_origins(brand):
        response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _brand_of_web_host() -> Brand:
    """Return the brand whose Jitsi Meet is served from the host of this request."""
    product = services()
    for brand in product.brands.values():
        if request.host == brand.host or request.host in {urlsplit(o).netloc for o in product.web_origins(brand)}:
            return brand
    raise NotFoundError("No brand's Jitsi Meet is served from here.")


def _key_set(purpose: Purpose) -> Response:
    return _fresh(jsonify(services().ring.jwks(purpose).document()))


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_FRESH_S}"
    return response


def _script(target: str, overrides: dict[str, Any]) -> Response:
    response = Response(f"Object.assign({target}, {json.dumps(overrides, indent=2)});\n", mimetype="text/javascript")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response

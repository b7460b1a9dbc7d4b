"""Join tokens that must not open a door, each with the slug of its refusal. Generated: keys stay fresh.

Load with runpy: `forged = runpy.run_path("tests/data/forged_tokens.py")["forged_join_tokens"]`.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sidecar.domain.jws import LocalSigningKey, b64url

MALFORMED, BAD_SIGNATURE = "token-malformed", "token-bad-signature"
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Forged(NamedTuple):
    name: str
    token: str
    slug: str


def forged_join_tokens(
    honest_token: str, *, signing_key: LocalSigningKey, stranger_key: LocalSigningKey
) -> Iterator[Forged]:
    """Yield what attackers make of one honest token.

    signing_key: the ES256 key that signed it, for what only a careless issuer could produce. stranger_key: an
    ES256 key of ours, but of another purpose.
    """
    header, payload = (_decoded(part) for part in honest_token.split(".")[:2])
    yield from _forged_headers(honest_token, header, payload, signing_key, stranger_key)
    yield from _forged_spellings(honest_token, header, payload, signing_key)
    yield from _forged_claims(header, payload, signing_key)


def _forged_headers(
    honest: str,
    header: dict[str, Any],
    payload: dict[str, Any],
    signing_key: LocalSigningKey,
    stranger_key: LocalSigningKey,
) -> Iterator[Forged]:
    for none in ("none", "None", "NONE", "nOnE", ""):
        for signature in ("", honest.split(".")[2]):
            unsecured = f"{_part(header | {'alg': none})}.{_part(payload)}.{signature}"
            yield Forged(f"alg {none!r}, signature {signature[:3]!r}", unsecured, MALFORMED)
    yield Forged("alg none, two parts", f"{_part({'alg': 'none'})}.{_part(payload)}", MALFORMED)

    public = signing_key.private_key.public_key()
    for form, encoding in (("PEM", serialization.Encoding.PEM), ("DER", serialization.Encoding.DER)):
        secret = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        signing_input = f"{_part(header | {'alg': 'HS256'})}.{_part(payload)}"
        mac = hmac.digest(secret, signing_input.encode(), hashlib.sha256)
        yield Forged(f"HS256 with our public key as {form}", f"{signing_input}.{b64url(mac)}", MALFORMED)
    for other in ("RS256", "ES384", "ES512", "PS256", "EdDSA", "es256"):
        yield Forged(f"alg {other}", _signed(header | {"alg": other}, payload, signing_key), MALFORMED)

    def with_header(name: str, slug: str = MALFORMED, **members: Any) -> Forged:
        return Forged(name, _signed(header | members, payload, signing_key), slug)

    yield with_header("kid climbs", kid="../../../../dev/null")
    yield with_header("kid is absolute", kid="/etc/passwd")
    yield with_header("kid with a null byte", kid=header["kid"] + "\x00")
    yield with_header("kid with a new line", kid=header["kid"] + "\n")
    yield with_header("kid asks a database", kid="x' UNION SELECT 'key")
    yield with_header("kid is a number", kid=1)
    yield with_header("kid is a list", kid=[header["kid"]])
    yield with_header("kid unknown", BAD_SIGNATURE, kid="somebody-else")
    own_kid = header | {"kid": stranger_key.kid}
    yield Forged("kid of another purpose", _signed(own_kid, payload, stranger_key), BAD_SIGNATURE)
    yield Forged("our kid, another key", _signed(header, payload, stranger_key), BAD_SIGNATURE)

    certificate = [base64.b64encode(b"certificate").decode()]
    brought: dict[str, Any] = {
        "jku": "https://attacker.example/jwks",
        "jwk": stranger_key.public_jwk(),
        "x5u": "https://attacker.example/x5u",
        "x5c": certificate,
        "x5t": "x",
        "x5t#S256": "x",
        "crit": ["exp"],
        "b64": True,
        "cty": "JWT",
        "zip": "DEF",
        "enc": "A256GCM",
    }
    for member, value in brought.items():
        yield Forged(f"header {member}", _signed(header | {member: value}, payload, stranger_key), MALFORMED)
        yield with_header(f"header {member}, honestly signed", **{member: value})

    for kind in ("jwt", "JOSE", "at+jwt", "tillit-control+jwt", "", None, ["JWT"]):
        yield with_header(f"typ {kind!r}", typ=kind)
    for member in header:
        rest = {name: value for name, value in header.items() if name != member}
        yield Forged(f"header without {member}", _signed(rest, payload, signing_key), MALFORMED)


def _forged_spellings(
    honest: str, header: dict[str, Any], payload: dict[str, Any], signing_key: LocalSigningKey
) -> Iterator[Forged]:
    first, second, third = honest.split(".")
    raw = _bytes(third)

    yield Forged("empty", "", MALFORMED)
    yield Forged("three empty parts", "..", MALFORMED)
    yield Forged("four parts", f"{honest}.{third}", MALFORMED)
    yield Forged("five parts", f"{honest}.{third}.{third}", MALFORMED)
    yield Forged("no signature", f"{first}.{second}.", BAD_SIGNATURE)
    yield Forged("signature cut by a byte", f"{first}.{second}.{b64url(raw[:-1])}", BAD_SIGNATURE)
    yield Forged("signature halved", f"{first}.{second}.{b64url(raw[:32])}", BAD_SIGNATURE)
    yield Forged("signature and a zero byte", f"{first}.{second}.{b64url(raw + bytes(1))}", BAD_SIGNATURE)
    yield Forged("signature of zeros", f"{first}.{second}.{b64url(bytes(64))}", BAD_SIGNATURE)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    at_order = order.to_bytes(32, "big") * 2
    yield Forged("signature r = s = n", f"{first}.{second}.{b64url(at_order)}", BAD_SIGNATURE)
    padded = raw[:32] + bytes(1) + raw[32:]
    yield Forged("signature with s padded", f"{first}.{second}.{b64url(padded)}", BAD_SIGNATURE)
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    yield Forged("signature with a bit turned", f"{first}.{second}.{b64url(flipped)}", BAD_SIGNATURE)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    yield Forged("signature as DER", f"{first}.{second}.{b64url(der)}", BAD_SIGNATURE)

    # The last sign of 64 bytes carries four bits that must be zero: 15 other spellings of one signature.
    last = _BASE64URL[_BASE64URL.index(third[-1]) + 1]
    yield Forged("signature with leftover bits", f"{first}.{second}.{third[:-1]}{last}", MALFORMED)
    yield Forged("signature padded", f"{honest}==", MALFORMED)
    yield Forged("signature in plain base64", f"{first}.{second}.+/{third[2:]}", MALFORMED)
    yield Forged("a space after", honest + " ", MALFORMED)
    yield Forged("a new line after", honest + "\n", MALFORMED)
    yield Forged("a space within", f"{first}.{second[:9]} {second[9:]}.{third}", MALFORMED)
    yield Forged("a foreign letter", f"{first}.{second}.é{third[1:]}", MALFORMED)
    yield Forged("trailing data", honest + "AAAA", BAD_SIGNATURE)
    yield Forged("another payload", f"{first}.{_part(payload | {'room': 'other'})}.{third}", BAD_SIGNATURE)
    many = _merged(payload, {"tillit": {"permissions": [f"plugin.right_{n}" for n in range(500)]}})
    yield Forged("huge", _signed(header, many, signing_key), MALFORMED)
    yield Forged("a megabyte of dots", "." * 1_000_000, MALFORMED)
    yield Forged("JSON serialisation", json.dumps({"payload": second, "signature": third}), MALFORMED)

    text = json.dumps(payload).encode()
    spelt = {
        "payload is a list": b"[" + text + b"]",
        "payload is a text": b'"payload"',
        "payload is empty": b"",
        "payload with trailing data": text + b"{}",
        "payload with a byte order mark": b"\xef\xbb\xbf" + text,
        "payload in UTF-16": text.decode().encode("utf-16"),
        "payload is not UTF-8": text.replace(b"Maja", b"\xff\xfe\xfd"),
        "payload nests too deep": b"[" * 5000,
        "duplicate claim": b'{"room":"other",' + text[1:],
        "duplicate claim, same value": text[:-1] + b',"iss":' + json.dumps(payload["iss"]).encode() + b"}",
        "duplicate within": text.replace(b'"moderator": false', b'"moderator": true, "moderator": false'),
        "duplicate by escape": text[:-1] + b',"\\u0072oom":"other"}',
        "lone surrogate": text.replace(b"Maja", b"\\ud800"),
    }
    for name, spelling in spelt.items():
        if spelling == text:
            raise AssertionError(f"{name}: nothing was forged")
        yield Forged(name, _signed(header, spelling, signing_key), MALFORMED)
    twice = json.dumps(header).encode()[:-1] + b',"alg":"ES256"}'
    yield Forged("duplicate in the header", _signed(twice, payload, signing_key), MALFORMED)
    yield Forged("header is a list", _signed(b"[]", payload, signing_key), MALFORMED)


def _forged_claims(header: dict[str, Any], payload: dict[str, Any], signing_key: LocalSigningKey) -> Iterator[Forged]:
    def signed(name: str, slug: str, claims: dict[str, Any]) -> Forged:
        if repr(claims) == repr(payload):
            raise AssertionError(f"{name}: nothing was forged")
        return Forged(name, _signed(header, claims, signing_key), slug)

    def claim(name: str, slug: str = MALFORMED, **members: Any) -> Forged:
        return signed(name, slug, payload | members)

    issued = payload["iat"]
    yield claim("swapped room", "token-wrong-room", room="other")
    yield claim("room in capitals", room=payload["room"].upper())
    for room in ("*", ".*", "%w+", "r[a-z]+", "", None, ["room"], payload["room"] + "\n"):
        yield claim(f"room {room!r}", room=room)
    yield claim("another shard's audience", "token-wrong-audience", aud="shard-no")
    yield claim("audience is a list", aud=[payload["aud"]])
    yield claim("audience is a wildcard", "token-wrong-audience", aud="*")
    yield claim("audience and more", "token-wrong-audience", aud=payload["aud"] + " ")
    yield claim("another issuer", "token-wrong-issuer", iss="https://attacker.example")
    yield claim("expired", "token-expired", iat=issued - 200, nbf=issued - 200, exp=issued - 100)
    yield claim("expired as the skew ends", "token-expired", iat=issued - 90, nbf=issued - 90, exp=issued - 30)
    yield claim("not yet", "token-not-yet", iat=issued + 31, nbf=issued + 31, exp=issued + 91)
    yield claim("not before later than now", "token-not-yet", nbf=issued + 31)
    yield claim("lives too long", exp=issued + 121)
    yield claim("lives for years", exp=issued + 10**9)
    yield claim("ends before it begins", exp=issued - 1)
    yield claim("not before its issue", nbf=issued - 1)
    yield claim("exp beyond all time", exp=10**30)
    yield claim("exp negative", exp=-1)
    for time in ("iat", "nbf", "exp"):
        for value in (issued + 60.0, True, str(issued + 60), None, float("inf"), float("nan"), [issued]):
            yield signed(f"{time} is {value!r}", MALFORMED, payload | {time: value})
    for path in _paths(payload):
        yield signed(f"without {'.'.join(path)}", MALFORMED, _without(payload, path))

    def user(**members: Any) -> dict[str, Any]:
        return _merged(payload, {"context": {"user": members}})

    def ours(**members: Any) -> dict[str, Any]:
        return _merged(payload, {"tillit": members})

    def features(**members: Any) -> dict[str, Any]:
        return _merged(payload, {"context": {"features": members}})

    more = _merged(payload, {"context": {"room": {"regex": True}}})
    yield claim("an unknown claim", admin=True)
    yield signed("room as a pattern", MALFORMED, more)
    yield signed("an unknown member of the user", MALFORMED, user(lobby_bypass=True))
    yield signed("an unknown member of ours", MALFORMED, ours(admin=True))
    yield signed("an unknown feature", MALFORMED, features(everything=True))
    for on in ("true", 1, 0, None):
        yield signed(f"feature is {on!r}", MALFORMED, features(recording=on))
    yield signed("moderator without affiliation", MALFORMED, user(moderator=True))
    yield signed("affiliation without moderator", MALFORMED, user(affiliation="owner"))
    yield signed("moderator is a text", MALFORMED, user(moderator="false"))
    yield signed("affiliation teacher", MALFORMED, user(affiliation="teacher"))
    yield signed("name turned around", MALFORMED, user(name="Maja \u202egroS"))
    yield signed("name with a new line", MALFORMED, user(name="Maja\nElin (bank)"))
    yield signed("name without end", MALFORMED, user(name="M" * 201))
    yield signed("band unknown", MALFORMED, ours(band="none"))
    yield signed("capacity unknown", MALFORMED, ours(capacity="owner"))
    yield signed("permission unknown", MALFORMED, ours(permissions=["everything"]))
    yield signed("permission wildcard", MALFORMED, ours(permissions=["*"]))
    yield signed("permission twice", MALFORMED, ours(permissions=["speak", "speak"]))
    yield signed("permissions as a text", MALFORMED, ours(permissions="speak"))
    yield signed("LoA as a number", MALFORMED, ours(loa=3))
    yield signed("LoA unknown", MALFORMED, ours(loa="highest"))
    yield signed("type without version", MALFORMED, ours(type="mortgage"))
    yield signed("encryption off", MALFORMED, ours(encryption="none"))
    yield signed("version of the future", MALFORMED, ours(v=2))
    yield signed("version true", MALFORMED, ours(v=True))
    yield signed("session over", "token-expired", ours(session_until=issued - 1))
    yield signed("session without end", MALFORMED, ours(session_until=None))
    yield signed("session until true", MALFORMED, ours(session_until=True))


def _paths(members: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every member, at every depth."""
    for name, value in members.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _paths(value, (*above, name))


def _without(members: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, rest = path[0], path[1:]
    if rest:
        return members | {head: _without(members[head], rest)}
    return {name: value for name, value in members.items() if name != head}


def _merged(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    found = dict(members)
    for name, value in changes.items():
        below = found.get(name)
        found[name] = _merged(below, value) if isinstance(below, dict) else value
    return found


def _signed(header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, key: LocalSigningKey) -> str:
    signing_input = f"{_part(header)}.{_part(payload)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode()))}"


def _part(value: dict[str, Any] | bytes) -> str:
    return b64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _decoded(part: str) -> dict[str, Any]:
    value = json.loads(_bytes(part))
    assert isinstance(value, dict)
    return value

"""STUN messages as ICE uses them: parse a binding request, build its answer. Pure values, no sockets.

Source: RFC 8489 (message, MESSAGE-INTEGRITY, FINGERPRINT), RFC 8445 section 16 (ICE attributes).
"""

import hashlib
import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111
MAGIC_COOKIE = 0x2112A442
_COOKIE_BYTES = struct.pack("!I", MAGIC_COOKIE)

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
XOR_MAPPED_ADDRESS = 0x0020
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

_HEADER_BYTES = 20
_FINGERPRINT_XOR = 0x5354554E
_MAX_ATTRIBUTES = 32  # a browser's check carries about eight
ROLE_CONFLICT = 487


@dataclass(frozen=True)
class BindingRequest:
    """One connectivity check, its integrity not yet verified.

    username: "<our ufrag>:<their ufrag>". data: the whole message, for the integrity check.
    """

    transaction_id: bytes
    username: str
    use_candidate: bool
    says_controlled: bool
    data: bytes
    integrity_at: int


def parse_binding_request(data: bytes) -> BindingRequest | None:
    """Return the connectivity check in a datagram, or None for anything else, malformed included.

    A message without FINGERPRINT or MESSAGE-INTEGRITY is nothing to us (RFC 8445 section 7.1).
    """
    size = len(data)
    if size < _HEADER_BYTES or size % 4:
        return None
    message_type, length, cookie = struct.unpack_from("!HHI", data)
    if message_type != BINDING_REQUEST or cookie != MAGIC_COOKIE or length != size - _HEADER_BYTES:
        return None
    username: str | None = None
    use_candidate = says_controlled = fingerprint_holds = False
    integrity_at = 0
    position = _HEADER_BYTES
    for _ in range(_MAX_ATTRIBUTES):
        if position == size:
            break
        kind, attribute_bytes = struct.unpack_from("!HH", data, position)
        value_at = position + 4
        if value_at + attribute_bytes > size:
            return None
        if kind == FINGERPRINT:
            if attribute_bytes != 4 or value_at + 4 != size:
                return None
            (sent,) = struct.unpack_from("!I", data, value_at)
            fingerprint_holds = sent == zlib.crc32(data[:position]) ^ _FINGERPRINT_XOR
        elif integrity_at:
            pass  # after MESSAGE-INTEGRITY only FINGERPRINT counts (RFC 8489 section 14.5)
        elif kind == MESSAGE_INTEGRITY:
            if attribute_bytes != 20:
                return None
            integrity_at = position
        elif kind == USERNAME:
            try:
                username = data[value_at : value_at + attribute_bytes].decode("utf-8")
            except UnicodeDecodeError:
                return None
        elif kind == USE_CANDIDATE:
            use_candidate = True
        elif kind == ICE_CONTROLLED:
            says_controlled = True
        position = value_at + (attribute_bytes + 3) // 4 * 4
    if position != size or not fingerprint_holds or not integrity_at or username is None:
        return None
    return BindingRequest(
        transaction_id=data[8:20],
        username=username,
        use_candidate=use_candidate,
        says_controlled=says_controlled,
        data=data,
        integrity_at=integrity_at,
    )


def integrity_holds(request: BindingRequest, password: bytes) -> bool:
    """Return whether the check was made by somebody who knows our ICE password."""
    covered = bytearray(request.data[: request.integrity_at])
    # The length counts up to and with MESSAGE-INTEGRITY, not the FINGERPRINT behind it.
    struct.pack_into("!H", covered, 2, request.integrity_at + 24 - _HEADER_BYTES)
    expected = hmac.digest(password, covered, hashlib.sha1)
    sent = request.data[request.integrity_at + 4 : request.integrity_at + 24]
    return hmac.compare_digest(expected, sent)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _finish(message_type: int, transaction_id: bytes, attributes: bytes, password: bytes) -> bytes:
    """Return the message with MESSAGE-INTEGRITY and FINGERPRINT added."""
    head = struct.pack("!HHI", message_type, len(attributes) + 24, MAGIC_COOKIE) + transaction_id
    body = head + attributes
    body += _attribute(MESSAGE_INTEGRITY, hmac.digest(password, body, hashlib.sha1))
    body = body[:2] + struct.pack("!H", len(body) + 8 - _HEADER_BYTES) + body[4:]
    return body + _attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(body) ^ _FINGERPRINT_XOR))


def binding_success(request: BindingRequest, host: str, port: int, password: bytes) -> bytes:
    """Return the success answer, telling the sender the address we saw it come from."""
    address = ipaddress.ip_address(host)
    mask = _COOKIE_BYTES if address.version == 4 else _COOKIE_BYTES + request.transaction_id
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=True))
    family = 1 if address.version == 4 else 2
    value = struct.pack("!BBH", 0, family, port ^ (MAGIC_COOKIE >> 16)) + masked
    mapped = _attribute(XOR_MAPPED_ADDRESS, value)
    return _finish(BINDING_SUCCESS, request.transaction_id, mapped, password)


def binding_role_conflict(request: BindingRequest, password: bytes) -> bytes:
    """Return the 487 answer: we are ICE-lite and always controlled (RFC 8445 section 7.3.1.1)."""
    value = struct.pack("!HBB", 0, ROLE_CONFLICT // 100, ROLE_CONFLICT % 100) + b"Role Conflict"
    return _finish(BINDING_ERROR, request.transaction_id, _attribute(ERROR_CODE, value), password)


def binding_request(
    *, username: str, password: bytes, transaction_id: bytes, use_candidate: bool, controlling: bool = True
) -> bytes:
    """Return a connectivity check, as a full agent sends it. The load generator and the tests do."""
    role = ICE_CONTROLLING if controlling else ICE_CONTROLLED
    attributes = _attribute(USERNAME, username.encode()) + _attribute(role, transaction_id[:8])
    if use_candidate:
        attributes += _attribute(USE_CANDIDATE, b"")
    return _finish(BINDING_REQUEST, transaction_id, attributes, password)

"""Connectivity checks: only who knows the password gets an answer."""

import hashlib
import hmac
import struct
import zlib

from sidecar.bridge import stun

PASSWORD = b"a-password-of-22-signs"
TRANSACTION = bytes(range(12))


def a_check(*, use_candidate: bool = True, controlling: bool = True) -> bytes:
    return stun.binding_request(
        username="ours:theirs",
        password=PASSWORD,
        transaction_id=TRANSACTION,
        use_candidate=use_candidate,
        controlling=controlling,
    )


def test_reads_a_browsers_check() -> None:
    request = stun.parse_binding_request(a_check())
    assert request is not None
    assert request.username == "ours:theirs"
    assert request.use_candidate
    assert not request.says_controlled
    assert stun.integrity_holds(request, PASSWORD)


def test_another_password_does_not_hold() -> None:
    request = stun.parse_binding_request(a_check())
    assert request is not None
    assert not stun.integrity_holds(request, b"another-password-of-22")


def test_every_changed_byte_is_noticed() -> None:
    data = a_check()
    for position in range(len(data)):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        request = stun.parse_binding_request(changed)
        assert request is None or not stun.integrity_holds(request, PASSWORD), position


def test_an_attribute_added_behind_the_integrity_counts_for_nothing() -> None:
    """An onlooker could otherwise nominate an address of its own."""
    data = a_check(use_candidate=False)[:-8]
    data += struct.pack("!HH", stun.USE_CANDIDATE, 0)
    data = data[:2] + struct.pack("!H", len(data) + 8 - 20) + data[4:]
    data += struct.pack("!HHI", stun.FINGERPRINT, 4, zlib.crc32(data) ^ 0x5354554E)
    request = stun.parse_binding_request(data)
    assert request is not None
    assert not request.use_candidate


def test_a_message_without_integrity_is_nothing() -> None:
    data = struct.pack("!HHI", stun.BINDING_REQUEST, 0, stun.MAGIC_COOKIE) + TRANSACTION
    assert stun.parse_binding_request(data) is None


def test_the_answer_tells_the_address_it_saw() -> None:
    request = stun.parse_binding_request(a_check())
    assert request is not None
    answer = stun.binding_success(request, "192.0.2.33", 50123, PASSWORD)

    kind, length, cookie = struct.unpack_from("!HHI", answer)
    assert (kind, length, cookie) == (stun.BINDING_SUCCESS, len(answer) - 20, stun.MAGIC_COOKIE)
    assert answer[8:20] == TRANSACTION
    attribute, size, _, family, port = struct.unpack_from("!HHBBH", answer, 20)
    assert (attribute, size, family) == (stun.XOR_MAPPED_ADDRESS, 8, 1)
    assert port ^ (stun.MAGIC_COOKIE >> 16) == 50123
    masked = struct.unpack_from("!I", answer, 28)[0] ^ stun.MAGIC_COOKIE
    assert masked.to_bytes(4, "big") == bytes([192, 0, 2, 33])
    covered = answer[:2] + struct.pack("!H", length - 8) + answer[4:32]
    assert answer[36:56] == hmac.digest(PASSWORD, covered, hashlib.sha1)
    assert struct.unpack("!I", answer[-4:])[0] == zlib.crc32(answer[:-8]) ^ 0x5354554E


def test_the_answer_over_ipv6_is_masked_with_the_transaction() -> None:
    request = stun.parse_binding_request(a_check())
    assert request is not None
    answer = stun.binding_success(request, "2001:db8::7", 50123, PASSWORD)
    mask = struct.pack("!I", stun.MAGIC_COOKIE) + TRANSACTION
    address = bytes(a ^ b for a, b in zip(answer[28:44], mask, strict=True))
    assert address.hex() == "20010db8000000000000000000000007"


def test_a_client_that_says_it_is_controlled_gets_a_role_conflict() -> None:
    request = stun.parse_binding_request(a_check(controlling=False))
    assert request is not None
    assert request.says_controlled
    answer = stun.binding_role_conflict(request, PASSWORD)
    assert struct.unpack_from("!H", answer)[0] == stun.BINDING_ERROR
    assert struct.unpack_from("!HBB", answer, 24) == (0, 4, 87)

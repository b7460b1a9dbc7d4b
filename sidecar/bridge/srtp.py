"""SRTP in place: one session per participant and direction, on buffers the packets already lie in.

pylibsrtp's own Session copies each packet in and out; the calls below it do not need to. What is used of
it: `Policy`, and the compiled library behind `pylibsrtp._binding`.
"""

from dataclasses import dataclass
from typing import Any

from pylibsrtp import Policy
from pylibsrtp._binding import ffi as ffi
from pylibsrtp._binding import lib

OK = lib.srtp_err_status_ok
REPLAY_WINDOW = 1024  # packets: late retransmissions of a second of video still count


def new_length() -> Any:
    """Return an `int *` for the bare functions."""
    return ffi.new("int *")


# Bare functions for the packet path. Each: (session, pointer to the packet, pointer to its length) -> status.
protect = lib.srtp_protect
unprotect = lib.srtp_unprotect
protect_rtcp = lib.srtp_protect_rtcp
unprotect_rtcp = lib.srtp_unprotect_rtcp


@dataclass(frozen=True)
class Profile:
    """One SRTP protection profile. Source: RFC 7714 section 14.2, RFC 5764 section 4.1.2."""

    name: str
    number: int
    key_bytes: int
    salt_bytes: int


# In our order: GCM costs two thirds of AES-CM with SHA-1 and is the stronger authentication.
PROFILES = (
    Profile("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    Profile("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    Profile("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


class SrtpSession:
    """Keys of one direction. `handle` is what the bare functions take."""

    def __init__(self, profile: Profile, key_and_salt: bytes, *, inbound: bool) -> None:
        policy = Policy(
            key=key_and_salt,
            ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=profile.number,
        )
        policy.window_size = REPLAY_WINDOW
        self._holder = ffi.gc(ffi.new("srtp_t *"), lambda holder: lib.srtp_dealloc(holder[0]))
        status = lib.srtp_create(self._holder, policy._policy)
        if status != OK:
            raise ValueError(f"libsrtp refused the key, status {status}")
        self.handle: Any = self._holder[0]


def sessions(profile: Profile, exported: bytes, *, as_server: bool) -> tuple[SrtpSession, SrtpSession]:
    """Return (inbound, outbound) from what DTLS exported: client key, server key, client salt, server salt.

    Source: RFC 5764 section 4.2.
    """
    key, salt = profile.key_bytes, profile.salt_bytes
    client = exported[:key] + exported[2 * key : 2 * key + salt]
    server = exported[key : 2 * key] + exported[2 * key + salt : 2 * key + 2 * salt]
    theirs, ours = (client, server) if as_server else (server, client)
    return SrtpSession(profile, theirs, inbound=True), SrtpSession(profile, ours, inbound=False)

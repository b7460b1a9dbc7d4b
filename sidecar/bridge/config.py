"""What the bridge needs to know to start."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.jws import Algorithm


@dataclass(frozen=True)
class MediaAddress:
    """One UDP socket: where it is bound, and the address clients are told (the public one behind a NAT)."""

    host: str
    port: int
    advertised: str

    @staticmethod
    def parse(text: str) -> "MediaAddress":
        """Read `address:port` or `address:port=advertised`. IPv6 in brackets. Raises ConfigurationError."""
        bound, _, advertised = text.partition("=")
        host, _, port = bound.rpartition(":")
        host = host.strip("[]")
        try:
            ipaddress.ip_address(host)
            ipaddress.ip_address(advertised or host)
            number = int(port)
        except ValueError:
            raise ConfigurationError(f"{text!r} is not of the form address:port or address:port=advertised") from None
        if not 0 <= number <= 65535 or (ipaddress.ip_address(host).is_unspecified):
            raise ConfigurationError(f"{text!r} must name one address of this machine and a port up to 65535")
        return MediaAddress(host, number, advertised or host)


@dataclass(frozen=True)
class BridgeConfig:
    """Everything the bridge is told.

    listen: where the internal interface is, never reachable from outside. join_keys, control_keys: the public
    keys for join tokens and for commands, a JWKS file or its URL. report_keys: folder with this process's own
    signing key for reports to the web process (a key ring's), or None: then nothing is reported.
    join_issuer, join_audience: as in the join token. control_issuer: who commands. audience: our name in
    commands; events_audience: the web process's name in our reports. recordings: folder their sealed files are
    written to, None: this bridge does not record. watches_shares: have a sampler of shares ready from the start.
    """

    listen_host: str
    listen_port: int
    media: tuple[MediaAddress, ...]
    join_keys: str
    control_keys: str
    join_issuer: str = "tillit"
    join_audience: str = "tillit-local"
    join_algorithm: Algorithm = "ES256"
    control_issuer: str = "tillit"
    audience: str = "tillit-bridge"
    events_url: str = ""
    events_audience: str = "tillit-web"
    report_keys: Path | None = None
    recordings: Path | None = None
    watches_shares: bool = False
    max_rooms: int = 500
    max_participants: int = 16
    consent_s: float = 30.0

"""What the recorder on Jitsi needs to know to start."""

from dataclasses import dataclass
from pathlib import Path

from sidecar.bridge.jitsi.login import Account


@dataclass(frozen=True)
class RecorderConfig:
    """Everything it is told.

    listen: where its commands come in, never reachable from outside. account: who it is in Prosody, and where that
    is. control_keys: the web process's public keys, a file or a URL. control_issuer, audience: who commands, and our
    name in commands and reports. events_key: PEM of the key we sign reports with, None: nothing is reported.
    recordings: folder of the sealed files. lost_after_s: how long a recording waits for a connection that broke.
    """

    listen_host: str
    listen_port: int
    account: Account
    control_keys: str
    recordings: Path
    control_issuer: str = "tillit"
    audience: str = "tillit-prosody-recorder"
    events_url: str = ""
    events_audience: str = "tillit-web"
    events_key: Path | None = None
    region: str = ""
    lost_after_s: float = 30.0

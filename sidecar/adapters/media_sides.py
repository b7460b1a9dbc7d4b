"""From settings to media sides: which shards there are, how each is spoken to, and whose reports are believed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sidecar.adapters.bridge import BridgeConference
from sidecar.adapters.control_client import ControlClient
from sidecar.adapters.jitsi import JitsiConference
from sidecar.adapters.key_files import KeyRing
from sidecar.adapters.reporters import Reporter, read_reporter_keys
from sidecar.adapters.shards import MediaSide
from sidecar.domain.placement import Shard
from sidecar.settings import ConferenceKind, Settings
from sidecar.settings import Shard as ShardSettings


def shards_of(settings: Settings) -> list[Shard]:
    """Return the shards in the bank's order; without any, the one bridge, which holds every meeting there is."""
    if not settings.shards:
        return [Shard("", "bridge", settings.stores.region, None, settings.tokens.audience)]
    return [
        Shard(
            id=each.id,
            kind="jitsi" if _is_jitsi(settings, each) else "bridge",
            region=each.region,
            domiciles=frozenset(each.domiciles),
            audience=each.audience,
        )
        for each in settings.shards
    ]


def sides_of(settings: Settings, ring: KeyRing, clock: Callable[[], datetime]) -> dict[str, MediaSide]:
    """Return the media side of each shard, by its id."""
    shared: dict[str, Any] = {"control_key": lambda: ring.signing_key("control"), "clock": clock}
    bridge = settings.bridge
    if not settings.shards:
        client = ControlClient(url=bridge.url, issuer=bridge.events_audience, audience=bridge.audience, **shared)
        return {"": BridgeConference(client)}
    found: dict[str, MediaSide] = {}
    for each in settings.shards:
        if _is_jitsi(settings, each):
            issuer, host = settings.tokens.issuer, each.control_host
            client = ControlClient(url=each.url, issuer=issuer, audience=each.name, host=host, **shared)
            recorder = None
            if each.recorder_url:
                recorder = ControlClient(url=each.recorder_url, issuer=issuer, audience=each.recorder_name, **shared)
            found[each.id] = JitsiConference(client, recorder)
        else:
            client = ControlClient(url=each.url, issuer=bridge.events_audience, audience=each.name, **shared)
            found[each.id] = BridgeConference(client)
    return found


def reporters_of(settings: Settings, ring: KeyRing) -> list[Reporter]:
    """Return who may report. Our bridges share the folder of keys; each Prosody and recorder has one of its own.

    Raises ConfigurationError for a file that holds no such key.
    """
    if not settings.shards:
        return [Reporter("", "bridge", settings.bridge.audience, lambda: ring.jwks("control"))]
    found = []
    for each in settings.shards:
        if _is_jitsi(settings, each) and each.events_key is not None:
            keys = read_reporter_keys(each.events_key)
            found.append(Reporter(each.id, "jitsi", each.name, lambda keys=keys: keys))  # type: ignore[misc]
            if each.recorder_url and each.recorder_key is not None:
                own = read_reporter_keys(each.recorder_key)
                found.append(Reporter(each.id, "recorder", each.recorder_name, lambda own=own: own))  # type: ignore[misc]
        else:
            found.append(Reporter(each.id, "bridge", each.name, lambda: ring.jwks("control")))
    return found


def _is_jitsi(settings: Settings, shard: ShardSettings) -> bool:
    return (shard.kind or settings.conference.kind) is ConferenceKind.JITSI

"""`python -m sidecar.bridge`: read the settings, run the bridge until it is asked to stop."""

import argparse
import asyncio
import sys
from pathlib import Path

from sidecar.bridge.config import BridgeConfig, MediaAddress
from sidecar.bridge.gate import TokenGate
from sidecar.bridge.keys import ReportSigner
from sidecar.bridge.server import Bridge
from sidecar.bridge.serving import serve
from sidecar.bridge.signalling import create_application
from sidecar.domain.canary import SHARE_FIREWALL
from sidecar.domain.errors import ConfigurationError
from sidecar.logs import configure_logging
from sidecar.settings import Settings, load_settings


async def run(config: BridgeConfig) -> None:
    """Run until SIGTERM or SIGINT."""
    reporter = None
    if config.report_keys is not None:
        reporter = ReportSigner(config.report_keys, issuer=config.audience, audience=config.events_audience)
    bridge = Bridge(config, reporter)
    await serve(
        create_application(bridge, TokenGate(config)),
        host=config.listen_host,
        port=config.listen_port,
        start=bridge.start,
        stop=bridge.stop,
        listens=lambda address: f"bridge listens on {address}, media on UDP {bridge.candidates}",
    )


def arguments(argv: list[str]) -> BridgeConfig:
    """Return the configuration from the command line. Raises ConfigurationError."""
    parser = argparse.ArgumentParser(prog="python -m sidecar.bridge", description="Tillit's media process.")
    parser.add_argument("--settings", type=Path, help="the product's settings file; the rest is for use without one")
    parser.add_argument("--listen", default="127.0.0.1:8081", help="internal interface, address:port")
    parser.add_argument("--media", action="append", default=[], help="UDP address:port[=advertised], repeatable")
    parser.add_argument("--keys", type=Path, help="key folder: join.json, control.json, the control key")
    parser.add_argument("--join-keys", help="JWKS of join tokens, a file or a URL")
    parser.add_argument("--control-keys", help="JWKS of commands, a file or a URL")
    parser.add_argument("--join-issuer", default="tillit")
    parser.add_argument("--join-audience", default="tillit-local")
    parser.add_argument("--control-issuer", default="tillit")
    parser.add_argument("--events-url", default="")
    parser.add_argument("--recordings", type=Path, help="folder for sealed recordings; without it none is made")
    given = parser.parse_args(argv)
    if given.settings is not None:
        return from_settings(load_settings(given.settings))
    if not given.media:
        raise ConfigurationError("--media is needed, or --settings")
    host, _, port = given.listen.rpartition(":")
    folder = given.keys
    join_keys = given.join_keys or (folder and str(folder / "join.json"))
    control_keys = given.control_keys or (folder and str(folder / "control.json"))
    if not join_keys or not control_keys:
        raise ConfigurationError("--keys, or --join-keys and --control-keys, are needed")
    return BridgeConfig(
        listen_host=host,
        listen_port=int(port),
        media=tuple(MediaAddress.parse(text) for text in given.media),
        join_keys=join_keys,
        control_keys=control_keys,
        join_issuer=given.join_issuer,
        join_audience=given.join_audience,
        control_issuer=given.control_issuer,
        events_url=given.events_url,
        report_keys=folder,
        recordings=given.recordings,
    )


def from_settings(settings: Settings) -> BridgeConfig:
    """Return the configuration that the product's settings describe."""
    host, _, port = settings.bridge.listen.rpartition(":")
    keys = settings.keys.directory
    return BridgeConfig(
        listen_host=host,
        listen_port=int(port),
        media=tuple(MediaAddress.parse(text) for text in settings.bridge.media),
        join_keys=str(keys / "join.json"),
        control_keys=str(keys / "control.json"),
        join_issuer=settings.tokens.issuer,
        join_audience=settings.tokens.audience,
        join_algorithm=settings.tokens.algorithm.value,
        control_issuer=settings.bridge.events_audience,
        audience=settings.bridge.audience,
        events_url=settings.bridge.events_url,
        events_audience=settings.bridge.events_audience,
        report_keys=keys,
        recordings=settings.stores.data_dir / "recordings",
        watches_shares=SHARE_FIREWALL in settings.plugins.enabled,
    )


def main() -> int:
    """Run the bridge. Returns the exit status."""
    configure_logging("info")
    try:
        asyncio.run(run(arguments(sys.argv[1:])))
    except ConfigurationError as error:
        print(f"bridge: {error.detail}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

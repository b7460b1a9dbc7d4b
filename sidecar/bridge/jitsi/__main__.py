"""`python -m sidecar.bridge.jitsi --settings FILE`: record in one shard's conferences until it is asked to stop."""

import argparse
import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from sidecar.bridge.commands import GATE, add_recording_commands, authenticated, problems
from sidecar.bridge.gate import ControlGate
from sidecar.bridge.jitsi.config import RecorderConfig
from sidecar.bridge.jitsi.host import JitsiRecorder
from sidecar.bridge.jitsi.login import Account
from sidecar.bridge.keys import PemSigner
from sidecar.bridge.serving import serve
from sidecar.domain.errors import ConfigurationError
from sidecar.logs import configure_logging
from sidecar.settings import ConferenceKind, Settings, Shard, load_settings

_USER, _HIDDEN = "recorder", "hidden"  # as the Jitsi images name the account and its host
_MAX_BODY_BYTES = 64 * 1024


async def run(config: RecorderConfig) -> None:
    """Run until SIGTERM or SIGINT."""
    reporter = None
    if config.events_key is not None:
        reporter = PemSigner(config.events_key, issuer=config.audience, audience=config.events_audience)
    recorder = JitsiRecorder(config, reporter)
    await serve(
        create_application(recorder, config),
        host=config.listen_host,
        port=config.listen_port,
        start=recorder.start,
        stop=recorder.stop,
        listens=lambda address: f"recorder listens on {address}",
    )


def create_application(recorder: JitsiRecorder, config: RecorderConfig) -> web.Application:
    """Return the internal interface: the commands of recordings, and whether we are alive."""
    application = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[problems, authenticated])
    application[GATE] = ControlGate(config.control_keys, issuer=config.control_issuer, audience=config.audience)

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "recordings": len(recorder.recorder.running)})

    application.router.add_get("/healthz", health)
    add_recording_commands(application, recorder)
    return application


def from_settings(settings: Settings) -> RecorderConfig:
    """Return the configuration that the product's settings describe. Raises ConfigurationError."""
    told, shard = settings.recorder, _shard(settings)
    if told.password_file is None:
        raise ConfigurationError("recorder.password_file names the file with the recorder's password.")
    try:
        password = told.password_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"recorder.password_file: {told.password_file} cannot be read.") from error
    if not password:
        raise ConfigurationError(f"recorder.password_file: {told.password_file} is empty.")
    if told.events_key is None:
        raise ConfigurationError("recorder.events_key names the key of its reports: nobody would hear of an end.")
    reports = urlsplit(settings.bridge.events_url)
    host, _, port = told.listen.rpartition(":")
    return RecorderConfig(
        listen_host=host.strip("[]"),
        listen_port=int(port),
        account=Account(told.xmpp_url, told.xmpp_domain, _USER, f"{_HIDDEN}.{told.xmpp_domain}", password),
        control_keys=f"{reports.scheme}://{reports.netloc}/internal/prosody/control-keys.json",
        recordings=settings.stores.data_dir / "recordings",
        control_issuer=settings.tokens.issuer,
        audience=shard.recorder_name,
        events_url=settings.bridge.events_url,
        events_audience=settings.bridge.events_audience,
        events_key=told.events_key,
        region=shard.region,
        lost_after_s=told.lost_after.total_seconds(),
    )


def _shard(settings: Settings) -> Shard:
    jitsi = [each for each in settings.shards if (each.kind or settings.conference.kind) is ConferenceKind.JITSI]
    found = [each for each in jitsi if settings.recorder.shard in ("", each.id)]
    if len(found) != 1:
        raise ConfigurationError("recorder.shard names the one [[shards]] of a Jitsi that this recorder serves.")
    return found[0]


def main() -> int:
    """Run the recorder. Returns the exit status."""
    configure_logging("info")
    parser = argparse.ArgumentParser(prog="python -m sidecar.bridge.jitsi", description="Tillit's recorder on Jitsi.")
    parser.add_argument("--settings", type=Path, required=True, help="the product's settings file")
    try:
        asyncio.run(run(from_settings(load_settings(parser.parse_args().settings))))
    except ConfigurationError as error:
        print(f"recorder: {error.detail}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

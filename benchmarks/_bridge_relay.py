"""The peer of `forward_cpu_vs_relay`: a two-person room over aiortc's MediaRelay, which decodes and encodes."""

import argparse
import asyncio
import signal

from aiohttp import web
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

_connections: list[RTCPeerConnection] = []


async def _room(request: web.Request) -> web.Response:
    """Take both offers, pass each one's tracks to the other, give both answers."""
    relay = MediaRelay()
    offers: list[str] = await request.json()
    pair: list[RTCPeerConnection] = []
    tracks: list[list[MediaStreamTrack]] = [[], []]
    for index, offer in enumerate(offers):
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        connection = RTCPeerConnection(configuration)
        connection.on("track", tracks[index].append)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        pair.append(connection)
    answers = []
    for index, connection in enumerate(pair):
        for track in tracks[1 - index]:
            connection.addTrack(relay.subscribe(track))
        await connection.setLocalDescription(await connection.createAnswer())
        answers.append(connection.localDescription.sdp)
    _connections.extend(pair)
    return web.json_response(answers)


async def _serve(port: int) -> None:
    application = web.Application()
    application.router.add_post("/", _room)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("ready", flush=True)
    await stopping.wait()
    await asyncio.gather(*(connection.close() for connection in _connections))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    asyncio.run(_serve(parser.parse_args().port))

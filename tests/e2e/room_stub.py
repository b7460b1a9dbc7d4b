"""A stand-in for the web process and the bridge: renders room.html and answers the room's routes from a script.

The page, its scripts, styles and texts are the real ones; behind them is one `Stage` per participant that a test
arranges. Media meets one of two bridges. The quiet one is a WebRTC peer (aiortc) that answers the page's one offer by
the bridge's contract, sends a small moving picture and a tone in the slots that are asked for, and says whatever a
test wants it to say; it forwards and enforces nothing. With `Stub(real=True)` it is our own bridge, in this process.
Run by hand: python tests/e2e/room_stub.py [port], then open /v/p_elin/room or /v/p_maja/room.
"""

import asyncio
import json
import math
import sys
import threading
from array import array
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcdatachannel import RTCDataChannel
from av import AudioFrame, VideoFrame

import sidecar.web
from sidecar.bridge.server import Bridge
from sidecar.bridge.testing import grant, running_bridge
from sidecar.domain import clock
from sidecar.testing.bad_network import BadNetwork, Way

WEB = Path(sidecar.web.__file__).parent
NOON = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
CSRF = "token-of-this-page"
RECORD = "Det här mötet får inte spelas in. Anteckna i sammanställningen, så får båda den."
SHARE = "I bolånemöten är det rådgivaren som delar. Säg till Elin om du vill visa något."
SCREEN = "I bolånemöten delas bara ett fönster i taget. Välj fönstret du vill visa."
DOCUMENTS = "Observatörer ser inte dokument i bolånemöten. Maja kan berätta vad de säger."
ADVISER_RIGHTS = [
    "speak", "show_camera", "share_window", "chat", "raise_hand", "present_document", "view_document", "admit",
    "invite_guest", "mute_others", "expel", "end_meeting", "raise_security",
]  # fmt: skip
CUSTOMER_RIGHTS = ["speak", "show_camera", "chat", "raise_hand", "view_document"]
OBSERVER_RIGHTS = ["speak", "show_camera", "raise_hand"]


def person(pid: str, name: str, capacity: str, label: str, verified: str, **more: Any) -> dict[str, Any]:
    return {
        "id": pid, "name": name, "given": name.split()[0], "capacity": capacity, "capacity_label": label,
        "verified": verified, "state": "in_room", "hand": False, "sharing": False, **more,
    }  # fmt: skip


ELIN = person("p_elin", "Elin Sjöhage", "adviser", "Rådgivare", "säkerhetsnyckel")
MAJA = person("p_maja", "Maja Granlid", "customer", "Kund", "BankID, tillitsnivå 3")
SAMIR = person("p_samir", "Samir Haddin", "observer", "Observatör", "BankID, tillitsnivå 3")
TURE = person("p_ture", "Ture Almvik", "representative", "Ombud", "BankID, tillitsnivå 3")
KIM = person("p_kim", "Kim Ravnå", "specialist", "Specialist", "säkerhetsnyckel")
AINO = person("p_aino", "Aino Lehtomäki-Sundqvist", "observer", "Observatör", "Freja, tillitsnivå 3")
RIGHTS = {"adviser": ADVISER_RIGHTS, "customer": CUSTOMER_RIGHTS, "observer": OBSERVER_RIGHTS}


def room_state(me: dict[str, Any], *others: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a room state as the server builds it for `me`, with everything at rest."""
    rights = RIGHTS.get(me["capacity"], OBSERVER_RIGHTS)
    refusals = {"record": RECORD, "share_screen": SCREEN}
    if "share_window" not in rights:
        refusals["share_window"] = SHARE
    if "view_document" not in rights:
        refusals |= {"view_document": DOCUMENTS, "present_document": DOCUMENTS}
    state: dict[str, Any] = {
        "meeting": {
            "id": "m_1", "title": "Bolånemöte", "type": "mortgage@1", "band": "high", "band_label": "skyddsnivå hög",
            "started_at": clock.to_text(clock.utc_now() - timedelta(minutes=18)),
            "ends_at": clock.to_text(clock.utc_now() + timedelta(minutes=42)),
            "promise": "Mötet spelas inte in. En sammanställning kommer efteråt.",
            "encryption": "bridge", "state": "open", "brand": "Exempelbanken",
        },
        "me": {"id": me["id"], "name": me["name"], "capacity": me["capacity"], "permissions": rights,
               "session_until": None},
        "people": [me, *others], "lobby": [], "alerts": [], "refusals": refusals, "chat": [], "raises": [],
    }  # fmt: skip
    if me["capacity"] == "adviser":
        state["needs_national_id"] = True
        state["raises"] = [
            {"target": "share:off", "label": "Ingen delning av fönster",
             "sentence": "Ingen kan dela fönster under resten av mötet."},
            {"target": "encryption:strict", "label": "Kryptering hela vägen",
             "sentence": "Ingen utanför mötet kan avlyssna det, inte heller vi. Inget kan spelas in."},
        ]  # fmt: skip
    return {**state, **more}


class Moving(VideoStreamTrack):
    """A small picture whose brightness changes: enough to count frames by, cheap to encode."""

    def __init__(self, tint: int) -> None:
        super().__init__()
        self.tint = tint
        self.count = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(0.125)
        frame = VideoFrame(width=320, height=180, format="yuv420p")
        for plane, value in zip(frame.planes, (60 + self.count * 4 % 120, self.tint, 255 - self.tint), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = self.count * 11250
        frame.time_base = Fraction(1, 90000)
        self.count += 1
        return frame


class Tone(AudioStreamTrack):
    """A soft tone, so that the sound that arrives has energy."""

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        assert isinstance(frame, AudioFrame)
        wave = array("h", (round(3000 * math.sin(n * math.tau * 10 / frame.samples)) for n in range(frame.samples)))
        frame.planes[0].update(wave.tobytes())
        return frame


@dataclass
class Stage:
    """One participant's side of the story, and what their page has asked for."""

    state: dict[str, Any]
    posted: list[tuple[str, Any]] = field(default_factory=list)
    refused: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # act -> status, sentence, the problem's field
    heard: list[dict[str, Any]] = field(default_factory=list)
    joins: int = 0
    media: bool = True
    pings: int = 0
    deaf: bool = False  # the quiet bridge answers no ping: a path that died without a word
    language: str = "sv"
    pictures: list[tuple[str, str]] = field(default_factory=list)
    peer: RTCPeerConnection | None = None
    channel: RTCDataChannel | None = None
    network: int = 0  # bits a second on the way down from the real bridge; 0 is no limit
    loss: float = 0.0
    path: BadNetwork | None = None
    listeners: list[asyncio.Queue[tuple[str, Any] | None]] = field(default_factory=list)
    offer: str = ""
    mids: dict[str, list[str]] = field(default_factory=dict)


class Stub:
    """The server: stages by participant id. Everything a test calls is thread-safe; the rest runs in the loop."""

    def __init__(self, *, real: bool = False) -> None:
        self.real = real
        self.bridge: Bridge | None = None
        self.stages: dict[str, Stage] = {}
        self.loop = asyncio.new_event_loop()
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._open = AsyncExitStack()

    # What a test does

    def start(self, port: int = 0) -> str:
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self._call(self._listen(port)).result(60)
        return self.url

    def stop(self) -> None:
        self._call(self._close()).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)

    def arrange(self, state: dict[str, Any], **more: Any) -> Stage:
        """Set the stage for one participant, forgetting what was there."""
        stage = Stage(state, **more)
        old = self.stages.get(state["me"]["id"])
        self.stages[state["me"]["id"]] = stage
        if old:
            self._call(self._forget(old)).result(60)
        return stage

    def tell(self, stage: Stage, event: str = "state", data: Any = None) -> None:
        """Send a server-sent event to the page that listens; without data, the stage's state as it is now."""
        self._call(self._tell_page(stage, event, stage.state if data is None else data)).result(60)

    def say(self, stage: Stage, message: dict[str, Any]) -> None:
        """Let the bridge say something over the data channel."""
        self._call(self._say(stage, message)).result(60)

    def run(self, act: Callable[[Bridge], None]) -> None:
        """Do something to the real bridge, in its own loop."""

        async def there() -> None:
            assert self.bridge is not None
            act(self.bridge)

        self._call(there()).result(60)

    def cut(self, stage: Stage) -> None:
        """Let the bridge vanish, as in a broken network."""
        self._call(self._drop(stage)).result(60)

    # What runs in the loop

    def _call(self, act: Coroutine[Any, Any, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(act, self.loop)

    async def _listen(self, port: int) -> None:
        self._runner = web.AppRunner(self._app(), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://localhost:{self._runner.addresses[0][1]}"
        if self.real:
            self.bridge = await self._open.enter_async_context(running_bridge())

    async def _close(self) -> None:
        for stage in self.stages.values():
            await self._forget(stage)
        if self._runner:
            await self._runner.cleanup()
        await self._open.aclose()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _forget(self, stage: Stage) -> None:
        await self._drop(stage)
        for listener in stage.listeners:
            listener.put_nowait(None)

    async def _drop(self, stage: Stage) -> None:
        peer, stage.peer, stage.channel = stage.peer, None, None
        path, stage.path = stage.path, None
        if peer:
            await peer.close()
        if path:
            path.close()

    async def _tell_page(self, stage: Stage, event: str, data: Any) -> None:
        for _ in range(600):  # a page can have joined a moment before its line to the server is open
            if not stage.listeners:
                await asyncio.sleep(0.05)
        assert stage.listeners, "the page does not listen"
        await self._tell(stage, event, data)

    async def _tell(self, stage: Stage, event: str, data: Any) -> None:
        for listener in stage.listeners:
            listener.put_nowait((event, data))

    async def _say(self, stage: Stage, message: dict[str, Any]) -> None:
        for _ in range(600):  # the page can be told that it is connected a moment before this side is
            if stage.channel is None:
                await asyncio.sleep(0.05)
        assert stage.channel is not None, "the page has not joined"
        stage.channel.send(json.dumps(message))

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_protect])
        app.router.add_static("/static", WEB / "static")
        app.router.add_get("/brand.css", self._brand)
        app.router.add_get("/v/{pid}/room", self._page)
        app.router.add_get("/v/{pid}/left", self._left)
        app.router.add_get("/v/{pid}/lobby", self._left)
        app.router.add_get("/desk/{rest:.*}", self._left)
        app.router.add_get("/v/{pid}/events", self._events)
        app.router.add_post("/v/{pid}/room/{act}", self._act)
        return app

    async def _brand(self, _: web.Request) -> web.Response:
        return web.Response(text="/* the colours of tokens.css */", content_type="text/css")

    async def _left(self, request: web.Request) -> web.Response:
        return web.Response(
            text=f"<!doctype html><html lang=sv><title>ute</title><h1>{request.path}</h1>", content_type="text/html"
        )

    async def _page(self, request: web.Request) -> web.Response:
        stage = self._stage(request)
        return web.Response(
            text=render(stage.state, request.query.get("lang", stage.language)), content_type="text/html"
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stage = self._stage(request)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        listener: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        stage.listeners.append(listener)
        try:
            while told := await listener.get():
                await answer.write(f"event: {told[0]}\ndata: {json.dumps(told[1])}\n\n".encode())
        except ConnectionResetError:
            pass
        finally:
            stage.listeners.remove(listener)
        return answer

    async def _act(self, request: web.Request) -> web.Response:
        stage, act = self._stage(request), request.match_info["act"]
        if request.headers.get("X-Tillit-CSRF") != CSRF:
            return _problem(403, "Sidan är för gammal. Ladda om den.")
        body = await request.json()
        if act not in ("token", "join"):
            stage.posted.append((act, body))
        if act in stage.refused:
            return _problem(*stage.refused[act])
        if act == "share" and body.get("surface") == "monitor":
            return _problem(403, SCREEN)
        if act == "record":
            return _problem(403, RECORD)
        if act == "token":
            return web.json_response({"token": "join-token", "join_url": "", "state": stage.state})
        if act == "join":
            return await self._join(stage, body["sdp"])
        if act == "chat":
            me = stage.state["me"]
            stage.state["chat"].append(
                {"id": f"c_{len(stage.state['chat'])}", "from": me["id"], "name": me["name"], "at": clock.to_text(NOON),
                 "text": body["text"]}
            )  # fmt: skip
            await self._tell(stage, "state", stage.state)
        return web.json_response({"next": "/desk/journal"} if act == "end" else {})

    async def _join(self, stage: Stage, sdp: str) -> web.Response:
        stage.offer = sdp
        if not stage.media:
            return _problem(503, "Vi når inte mötet just nu. Vi försöker igen.")
        if self.bridge:
            return self._meet(self.bridge, stage)
        await self._drop(stage)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        stage.peer = peer
        stage.joins += 1
        stage.deaf = False

        @peer.on("datachannel")
        def opened(channel: RTCDataChannel) -> None:
            stage.channel = channel
            channel.send(json.dumps(self._slots(stage)))

            @channel.on("message")
            def message(data: str) -> None:
                said = json.loads(data)
                if said["type"] == "ping":
                    stage.pings += 1
                    if stage.deaf:
                        return
                    channel.send(json.dumps({"type": "pong", "n": said["n"]}))
                else:
                    stage.heard.append(said)

        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        lines = peer.getTransceivers()
        sound = [line for line in lines if line.kind == "audio"][1:]
        picture = [line for line in lines if line.kind == "video"][2:]
        stage.mids = {
            "audio": [str(line.mid) for line in sound],
            "video": [str(line.mid) for line in picture],
        }
        for index, _ in enumerate(stage.pictures):
            picture[index].sender.replaceTrack(Moving(90 + 30 * index))
            picture[index].direction = "sendonly"
            if index < len(sound):
                sound[index].sender.replaceTrack(Tone())
                sound[index].direction = "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"sdp": peer.localDescription.sdp})

    def _meet(self, bridge: Bridge, stage: Stage) -> web.Response:
        stage.joins += 1
        rights = frozenset(stage.state["me"]["permissions"])
        _, answer = bridge.join("room", grant(stage.state["me"]["id"], rights), stage.offer)
        if stage.network or stage.loss:
            up, down = Way(loss=stage.loss), Way(loss=stage.loss, bits_per_second=stage.network, seed=8)
            stage.path = BadNetwork(bridge.candidates[0], up=up, down=down)
            answer = stage.path.redirect(answer)
        return web.json_response({"sdp": answer})

    def _slots(self, stage: Stage) -> dict[str, Any]:
        people = [pid for pid, kind in stage.pictures if kind == "camera"]
        return {
            "type": "slots",
            "audio": [{"mid": mid, "participant": pid} for mid, pid in zip(stage.mids["audio"], people, strict=False)],
            "video": [
                {"mid": mid, "participant": pid, "kind": kind}
                for mid, (pid, kind) in zip(stage.mids["video"], stage.pictures, strict=False)
            ],
        }

    def _stage(self, request: web.Request) -> Stage:
        try:
            return self.stages[request.match_info["pid"]]
        except KeyError as error:
            raise web.HTTPNotFound from error


_BRAND: dict[str, Any] = {
    "name": "Exempelbanken", "phone": "08-465 004 12", "phone_href": "tel:+46846500412", "logo_url": "",
    "privacy_url": "", "help_url": "", "hours": "",
}  # fmt: skip


def render(state: dict[str, Any], language: str) -> str:
    """Return the real page for this state."""
    from sidecar.adapters.i18n import Translator

    speak = Translator(language, strict=True)
    loader = jinja2.FileSystemLoader(WEB / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("room.html").render(
        **speak.template_globals(NOON),
        languages=[],
        brand=_BRAND,
        csrf=CSRF,
        static_url=lambda file: f"/static/{file}",
        pid=state["me"]["id"],
        state=state,
        room_texts=speak.texts_under("room"),
        leave_url=f"/v/{state['me']['id']}/left",
        more_customers=False,
    )


def _problem(status: int, sentence: str, about: str = "") -> web.Response:
    body = {"type": "/problems#refused", "title": "Refused", "status": status, "detail": "", "sentence": sentence}
    body |= {"field": about} if about else {}
    return web.json_response(body, status=status, content_type="application/problem+json")


@web.middleware
async def _protect(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    request_answer: web.StreamResponse = await handler(request)
    if not request_answer.prepared:
        request_answer.headers["Content-Security-Policy"] = CSP
        request_answer.headers["Cache-Control"] = "no-store"
    return request_answer


def main() -> None:
    stub = Stub()
    stub.arrange(room_state(ELIN, MAJA, SAMIR), pictures=[("p_maja", "camera"), ("p_samir", "camera")])
    stub.arrange(room_state(MAJA, ELIN, SAMIR), pictures=[("p_elin", "camera"), ("p_samir", "camera")])
    print(stub.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    threading.Event().wait()


if __name__ == "__main__":
    main()

"""The hostile client on the embedded shape: a web process and a media bridge of their own, over HTTP and WebRTC.

What an act did is looked up in the stores, in what the victim's client receives, and in the audit log; what the
hostile client was answered counts for nothing but the rule.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

from sidecar.bootstrap import Services, build
from sidecar.bridge.testing import Client, eventually, local_address
from sidecar.domain.ids import ParticipantId, PersonId, StaffId, new_id
from sidecar.domain.meetings import CallCheck, Identified, Meeting, MeetingState, Participant, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Segment
from sidecar.services.booking import Booker, BookingRequest
from sidecar.services.ports import Person
from sidecar.settings import load_settings
from tests.hostile.columns import Cell, Column
from tests.hostile.needs import ALWAYS, NOBODY, Needs, allows, either, needs
from tests.servers.ports import free_port

HOST = "hostile.localhost"
_START_S = 90.0
# For a busy machine: what does happen is seen as soon as it has, and only what never does is waited for this long.
_PATIENCE_S = 40.0
_BY_EID = {"provider": "bankid", "method": "bankid-qr", "kind": "eid", "loa": 3, "factors": 2}
_BY_CODE = {"provider": "otp_link", "method": "otp", "kind": "code", "loa": 1, "factors": 2}


class SmallPicture(VideoStreamTrack):
    """A picture that costs an encoder next to nothing."""

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = pts, time_base
        return frame


@dataclass
class Product:
    """The running processes, and services of our own over the same stores to seed and to look."""

    services: Services
    web: str
    bridge: str
    adviser: Person
    specialist: Person

    def place(self, place: Participant) -> Participant:
        return self.services.meetings.participant(place.id)

    def rules(self, meeting: Meeting, place: Participant, kind: str) -> list[str]:
        """Return the rules under which something of this person's was dropped, as recorded."""
        return [
            str(entry.record.data.get("rule"))
            for entry in self.services.audit.read(meeting.id)
            if entry.record.kind == kind and entry.record.actor == (place.person or place.staff)
        ]


@contextlib.contextmanager
def running_product(folder: Path) -> Iterator[Product]:
    """Start web and bridge on free ports and stop them afterwards."""
    web_port, bridge_port = free_port(), free_port()
    settings = folder / "tillit.toml"
    settings.write_text(f"""
[web]
listen = "127.0.0.1:{web_port}"
workers = 1
threads = 32
secure_cookies = false
[[brands]]
id = "hostile"
name = "Exempelbanken"
url = "http://{HOST}:{web_port}"
phone = "08-465 004 12"
[keys]
directory = "{folder}/keys"
[bridge]
url = "http://127.0.0.1:{bridge_port}"
listen = "127.0.0.1:{bridge_port}"
events_url = "http://127.0.0.1:{web_port}/internal/bridge/events"
media = ["{local_address()}:0"]
[stores]
region = "eu-north-se"
allowed_regions = ["eu-north-se"]
data_dir = "{folder}/data"
[stores.domiciles]
SE = "eu-north-se"
[plugins]
enabled = []
""")
    services = build(load_settings(settings, {}))
    people = [
        Person(id=new_id("st"), kind="staff", name=name, groups=tuple(services.policy.groups))
        for name in ("Elin Sjöhage", "Nils Brofall")
    ]
    for person in people:
        services.people.put(person)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TILLIT_")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdout=(folder / f"{command[0]}.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        for command in (
            ("sidecar.bridge", "--settings", str(settings)),
            ("sidecar", "--settings", str(settings), "web"),
        )
    ]
    try:
        for port in (bridge_port, web_port):
            _until_answers(port, folder)
        yield Product(services, f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{bridge_port}", *people)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_answers(port: int, folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("".join(log.read_text()[-2000:] for log in folder.glob("*.log")))
        time.sleep(0.05)


# --- the meeting ----------------------------------------------------------------------------------------------


@dataclass
class Browser:
    """One person's cookie and place, without a page: requests by hand."""

    product: Product
    place: Participant
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        sessions, now = self.product.services.sessions, self.product.services.clock()
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        if self.place.is_staff:
            body: dict[str, Any] = {"staff": self.place.staff}
        else:
            identified = self.place.identified
            seen = {self.place.id: identified.at.isoformat()} if identified else {}
            body = {"places": [self.place.id], "identified": seen}
        sessions.put(cookie, body | {"csrf": csrf}, expires_at=now + timedelta(hours=1))
        name = "tillit_staff" if self.place.is_staff else "tillit_visit"
        self.http.headers.update({"Host": HOST, "Cookie": f"{name}={cookie}", "X-Tillit-CSRF": csrf})

    async def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST below this person's place, or at a path that begins with a slash."""
        where = path if path.startswith("/") else f"/v/{self.place.id}/{path}"
        return await asyncio.to_thread(
            self.http.post,
            self.product.web + where,
            json={} if body is None else body,
            timeout=_PATIENCE_S,
            **options,
        )


def rule_of(answer: requests.Response) -> str:
    """Return the rule or the kind of the problem that refused, "" for an answer that did not refuse."""
    if answer.ok:
        return ""
    try:
        problem = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    return str(problem.get("rule") or str(problem.get("type", "")).rpartition("#")[2])


@dataclass
class Scene:
    """One meeting: the hostile client's place, its victim's, and somebody who waits in the lobby."""

    product: Product
    column: Column
    meeting: Meeting
    me: Browser
    victim: Browser
    waiting: list[Participant]
    cells: dict[str, Cell] = field(default_factory=dict)

    def note(self, name: str, needed: Needs, *, done: bool, rule: str = "") -> None:
        assert name not in self.cells, name
        self.cells[name] = Cell(allows(needed, self.column.permissions), done, "" if done else rule)


def _add_place(
    product: Product, meeting: Meeting, capacity: Capacity, state: ParticipantState, segment: Segment
) -> Participant:
    """Write a place as the journey would have left it: identified as its meeting type asks."""
    services = product.services
    now = services.clock()
    sign_in = services.policy.type(meeting.type_ref).sign_in
    how = Identified(at=now, **(_BY_EID if "eid" in sign_in.kinds else _BY_CODE))  # type: ignore[arg-type]
    place = Participant(
        id=ParticipantId(new_id("p")),
        meeting=meeting.id,
        capacity=capacity,
        state=state,
        consent_version="1",
        consent_at=now,
        session_until=now + timedelta(hours=1),
    )
    if capacity is Capacity.SPECIALIST:
        place = replace(place, staff=StaffId(product.specialist.id), identified=None)
    else:
        person = _customer(product, segment)
        place = replace(place, person=PersonId(person.id), identified=how)
    services.meetings.write(lambda tx: tx.add_participant(place))
    return services.meetings.participant(place.id)


def _customer(product: Product, segment: Segment) -> Person:
    number = secrets.token_hex(6)
    person = Person(
        id=new_id("per"),
        kind="customer",
        name="Maja Granlid",
        verified_name="Maja Granlid",
        email=f"{number}@example.org",
        phone="+46701740605",
        segment=segment,
    )
    product.services.people.put(person)
    return person


def _meeting(product: Product, column: Column) -> Meeting:
    services = product.services
    packages = services.policy.packages_for(product.adviser.groups)
    request = BookingRequest(
        type_name=column.type_ref.partition("@")[0],
        customer=PersonId(_customer(product, column.segment).id),
        adviser=StaffId(product.adviser.id),
        purpose="Hostile",
        starts_at=services.clock(),
        duration=timedelta(hours=1),
        brand="hostile",
    )
    return services.booking.book(request, Booker(product.adviser.id, packages))


def _open(product: Product, meeting: Meeting) -> Participant:
    services = product.services
    packages, now = services.policy.packages_for(product.adviser.groups), services.clock()
    mine = next(each for each in services.meetings.participants(meeting.id) if each.staff == product.adviser.id)
    shown = replace(mine, call_check=CallCheck(("pwd", "hwk"), now))
    services.meetings.write(lambda tx: tx.save_participant(shown))
    return services.admission.open_meeting(meeting.id, product.adviser.id, packages=packages, call_checked_at=now)


# --- the acts -------------------------------------------------------------------------------------------------


async def _before_the_door(scene: Scene) -> None:
    """Nothing works for whoever was not let in, whatever their capacity."""
    for name, path, body in (
        ("join token before one is let in", "room/token", {}),
        ("chat before one is let in", "room/chat", {"text": "hej"}),
        ("raised hand before one is let in", "room/hand", {"raised": True}),
        ("admitting oneself", "room/admit", {"participant": scene.me.place.id}),
    ):
        answer = await scene.me.post(path, body)
        done = answer.ok or scene.product.place(scene.me.place).hand
        scene.note(name, NOBODY, done=done, rule=rule_of(answer))


async def _media(scene: Scene, mine: Client, victims: Client) -> Callable[[], None]:
    """Microphone, camera and share are sent all at once; the bridge passes on what the token grants.

    Returns what notes the outcome: later, so that a forbidden picture has had its time to come through.
    """
    await eventually(lambda: victims.channel.readyState == "open", within_s=_PATIENCE_S)
    token = (await scene.me.post("room/token")).json()["token"]
    offer = await mine.offer()
    joined = await scene.me.post("room/join", {"token": token, "sdp": offer})
    scene.note("enter with a token", ALWAYS, done=joined.ok, rule=rule_of(joined))
    joined.raise_for_status()
    again = await scene.me.post("room/join", {"token": token, "sdp": offer})
    scene.note("use a token twice", NOBODY, done=again.ok, rule=rule_of(again))
    straight = await asyncio.to_thread(
        requests.post,
        f"{scene.product.bridge}/v1/rooms/{scene.meeting.room}/participants",
        json={"token": token, "sdp": offer},
        timeout=_PATIENCE_S,
    )
    scene.note("the bridge reached past the web process", NOBODY, done=straight.ok, rule=rule_of(straight))
    await mine.answered(joined.json()["sdp"])
    await eventually(lambda: mine.channel.readyState == "open", within_s=_PATIENCE_S)
    mine.say(type="media", microphone=True, camera=True, share=True)

    kinds: tuple[tuple[str, str, Needs], ...] = (
        ("sound", "microphone", needs("speak")),
        ("camera", "camera", needs("show_camera")),
        ("screen share", "share", either("share_window", "share_screen")),
    )
    wanted = {kind for _, kind, needed in kinds if allows(needed, scene.column.permissions)}

    def seen() -> set[str]:
        told = [m for m in victims.messages if m["type"] == "media" and m["participant"] == scene.me.place.id]
        return {kind for message in told for _, kind, _ in kinds if message.get(kind)}

    def dropped() -> set[str]:
        return set(scene.product.rules(scene.meeting, scene.me.place, "track.dropped"))

    with contextlib.suppress(AssertionError):
        await eventually(lambda: wanted <= seen() and len(dropped()) >= 3 - len(wanted), within_s=_PATIENCE_S)

    def noted() -> None:
        for name, kind, needed in kinds:
            rule = {"microphone": "speak", "camera": "show_camera", "share": "share_window|share_screen"}[kind]
            scene.note(f"{name} sent", needed, done=kind in seen(), rule=rule if rule in dropped() else "")

    return noted


_CHANNEL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("message between endpoints", {"type": "EndpointMessage", "to": "", "msgPayload": {"x": 1}}),
    ("floating reaction", {"type": "reaction", "reaction": "like"}),
    ("remote control", {"type": "remote-control", "action": "start"}),
    ("chat past the web process", {"type": "chat", "text": "hej"}),
    ("another's media switched off", {"type": "mute", "participant": "", "kind": "audio"}),
)


async def _channel(scene: Scene, mine: Client, victims: Client) -> None:
    """Nothing a client writes on the bridge's channel is passed on to another."""
    before = len(victims.messages)
    for _, message in _CHANNEL:
        mine.say(**message)
    mine.say(type="ping", n=77)
    await eventually(lambda: mine.last("pong").get("n") == 77, within_s=_PATIENCE_S)
    known = {"media", "slots", "speaker", "muted", "pong", "quality", "rate"}
    strange = [m for m in victims.messages[before:] if m["type"] not in known]
    with contextlib.suppress(AssertionError):
        await eventually(
            lambda: scene.product.rules(scene.meeting, scene.me.place, "message.dropped"), within_s=_PATIENCE_S
        )
    rules = scene.product.rules(scene.meeting, scene.me.place, "message.dropped")
    for name, _ in _CHANNEL:
        scene.note(name, NOBODY, done=bool(strange), rule=rules[0] if rules else "")


Look = Callable[[Scene], bool]
_ABSENT = (
    "private-chat", "react", "poll", "whiteboard", "file", "metadata", "retract", "edit", "breakout", "stream",
    "dial", "transcribe", "grant", "password", "name", "unmute", "peer", "lower-hand",
)  # fmt: skip
_STRANGER = "p_00000000000000000000"


async def _acts(scene: Scene) -> None:
    """Every act of the room's routes, each with a look at what it changed."""
    product, services, me, victim = scene.product, scene.product.services, scene.me, scene.victim
    meeting_id = scene.meeting.id

    async def tries(name: str, needed: Needs, path: str, body: object, look: Callable[[], object]) -> None:
        answer = await me.post(path, body)
        scene.note(name, needed, done=bool(look()), rule=rule_of(answer))

    def sharing() -> bool:
        return product.place(me.place).sharing

    await tries("group chat", needs("chat"), "room/chat", {"text": "hej"}, lambda: services.meetings.chat(meeting_id))
    await tries("raised hand", needs("raise_hand"), "room/hand", {"raised": True}, lambda: product.place(me.place).hand)
    share = {"action": "start", "surface": "monitor"}
    await tries("whole screen announced", needs("share_screen"), "room/share", share, sharing)
    await me.post("room/share", {"action": "stop"})
    share = {"action": "start", "surface": "window"}
    await tries("window announced", needs("share_window"), "room/share", share, sharing)
    await me.post("room/share", {"action": "stop"})
    answer = await me.post("room/record", {"action": "start"})
    if rule_of(answer) not in _NO_RECORDER:
        scene.note("recording", needs("record"), done=answer.ok, rule=rule_of(answer))
    else:  # the policy lets it be: what stands in the way is that no recorder runs
        scene.note("recording", NOBODY, done=answer.ok, rule=rule_of(answer))
    for kind in ("audio", "video", "share"):
        body = {"participant": victim.place.id, "kind": kind}
        answer = await me.post("room/mute", body)
        scene.note(f"mute another: {kind}", needs("mute_others"), done=answer.ok, rule=rule_of(answer))

    waiting, denied = scene.waiting
    inside = (ParticipantState.ADMITTED, ParticipantState.IN_ROOM)
    body = {"participant": waiting.id}
    await tries("admit", needs("admit"), "room/admit", body, lambda: product.place(waiting).state in inside)
    body = {"participant": denied.id}
    shut = ParticipantState.DENIED
    await tries("deny", needs("admit"), "room/deny", body, lambda: product.place(denied).state is shut)
    guest = {"name": "Samir Haddin", "capacity": "observer", "email": "s@example.org", "phone": "+46701740606"}
    guest |= {"national_id": "198805071233"}
    count = len(services.meetings.participants(meeting_id))
    await tries(
        "invite a guest",
        needs("invite_guest"),
        "room/invite",
        guest,
        lambda: len(services.meetings.participants(meeting_id)) > count,
    )
    for name, target in (("security turned down", "band:low"), ("encryption turned down", "encryption:transit")):
        await tries(name, NOBODY, "room/raise", {"target": target}, lambda: services.meetings.get(meeting_id).raises)
    for word in _ABSENT:
        answer = await me.post(f"room/{word}", {"text": "x", "participant": victim.place.id})
        gone = "no such act" if answer.status_code in (404, 405) else rule_of(answer)
        scene.note(f"{word.replace('-', ' ')} by a made-up route", NOBODY, done=answer.ok, rule=gone)


_NO_RECORDER = {"default/no-recorder"}


async def _as_others(scene: Scene) -> None:
    """Acts in somebody else's name, on somebody else's meeting, or without the page."""
    product, me, victim = scene.product, scene.me, scene.victim
    hand = product.place(victim.place).hand
    answer = await me.post(f"/v/{victim.place.id}/room/hand", {"raised": not hand})
    done = product.place(victim.place).hand is not hand
    scene.note("an act in another's place", NOBODY, done=done, rule=rule_of(answer))
    answer = await me.post(f"/v/{victim.place.id}/room/token", {})
    scene.note("another's join token", NOBODY, done=answer.ok, rule=rule_of(answer))
    answer = await me.post("room/hand", {"raised": True}, headers={"X-Tillit-CSRF": "guessed"})
    scene.note("an act from a foreign page", NOBODY, done=answer.ok, rule=rule_of(answer))
    answer = await me.post("room/expel", {"participant": _STRANGER})
    scene.note("expel somebody of another meeting", NOBODY, done=answer.ok, rule=rule_of(answer))
    answer = await me.post("/internal/bridge/events", {"events": []})
    scene.note("reports in the bridge's name", NOBODY, done=answer.ok, rule=rule_of(answer))
    answer = await asyncio.to_thread(
        requests.delete, f"{product.bridge}/v1/rooms/{scene.meeting.room}", timeout=_PATIENCE_S
    )
    scene.note("commands to the bridge", NOBODY, done=answer.ok, rule=rule_of(answer))


async def _for_good(scene: Scene) -> None:
    """What ends the scene, last: raising security, expelling, ending."""
    product, services, me, victim = scene.product, scene.product.services, scene.me, scene.victim
    meeting_id = scene.meeting.id
    answer = await me.post("room/raise", {"target": "share:off"})
    done = bool(services.meetings.get(meeting_id).raises)
    scene.note("security turned up", needs("raise_security"), done=done, rule=rule_of(answer))
    inside = _add_place(product, scene.meeting, Capacity.CUSTOMER, ParticipantState.ADMITTED, scene.column.segment)
    answer = await me.post("room/send-back", {"participant": inside.id})
    done = product.place(inside).state is ParticipantState.WAITING
    scene.note("send somebody back to the lobby", needs("admit"), done=done, rule=rule_of(answer))
    answer = await me.post("room/expel", {"participant": victim.place.id})
    done = product.place(victim.place).state is ParticipantState.EXPELLED
    scene.note("expel", needs("expel"), done=done, rule=rule_of(answer))
    answer = await me.post("room/end", {})
    done = services.meetings.get(meeting_id).state is MeetingState.ENDED
    scene.note("end for all", needs("end_meeting"), done=done, rule=rule_of(answer))


async def try_column(product: Product, column: Column) -> dict[str, Cell]:
    """Try every act as this capacity and return what became of each."""
    services = product.services
    meeting = _meeting(product, column)
    is_adviser = column.capacity is Capacity.ADVISER
    if is_adviser:
        mine = next(p for p in services.meetings.participants(meeting.id) if p.is_staff)
        victim = _add_place(product, meeting, Capacity.CUSTOMER, ParticipantState.ADMITTED, column.segment)
    else:
        mine = _add_place(product, meeting, column.capacity, ParticipantState.IDENTIFIED, column.segment)
        victim = _open(product, meeting)
    waiting = [
        _add_place(product, meeting, Capacity.CUSTOMER, ParticipantState.WAITING, column.segment) for _ in range(2)
    ]
    scene = Scene(product, column, meeting, Browser(product, mine), Browser(product, victim), waiting)
    await _before_the_door(scene)
    if is_adviser:
        _open(product, meeting)
    else:
        admitted = replace(product.place(mine), state=ParticipantState.ADMITTED, admitted_at=services.clock())
        services.meetings.write(lambda tx: tx.save_participant(admitted))
    async with Client(camera=False, microphone=False) as victims, Client(camera=SmallPicture(), share=True) as hostile:
        token = (await scene.victim.post("room/token")).json()["token"]
        joined = await scene.victim.post("room/join", {"token": token, "sdp": await victims.offer()})
        joined.raise_for_status()
        await victims.answered(joined.json()["sdp"])
        media = await _media(scene, hostile, victims)
        await _channel(scene, hostile, victims)
        await _acts(scene)
        await _as_others(scene)
        media()
        await _for_good(scene)
    return scene.cells

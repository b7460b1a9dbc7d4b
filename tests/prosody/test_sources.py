"""Screen shares and pictures: in presence and in Jingle, only what the permissions cover reaches the room."""

import json
from typing import Any

import pytest

from tests.prosody.conftest import Run
from tests.prosody.stand import MUC, Stand, somebody
from tests.prosody.xmpp_client import Element, XmppClient, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"
SOURCE = "{urn:xmpp:jingle:apps:rtp:ssma:0}source"
GROUP = "{urn:xmpp:jingle:apps:rtp:ssma:0}ssrc-group"
SOURCE_INFO = "{jabber:client}SourceInfo"
ALL_MEDIA = ("speak", "show_camera", "share_window")


def source(ssrc: int, name: str, kind: str = "") -> str:
    video_type = f" videoType='{kind}'" if kind else ""
    return f"<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{ssrc}' name='{name}'{video_type}/>"


def group(*ssrcs: int) -> str:
    members = "".join(f"<source ssrc='{ssrc}'/>" for ssrc in ssrcs)
    return f"<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>{members}</ssrc-group>"


def jingle(action: str, *, audio: str = "", video: str = "", raw: str = "") -> str:
    contents = "".join(
        f"<content name='{media}' creator='responder'>"
        f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{inside}</description></content>"
        for media, inside in (("audio", audio), ("video", video))
        if inside
    )
    return (
        f"<iq type='set' to='{ROOM}/focus' id='j'>"
        f"<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='s1'>{contents}{raw}</jingle></iq>"
    )


def names(stanza: Element) -> list[str]:
    return [str(each.get("name")) for each in stanza.iter(SOURCE) if each.get("name")]


async def offered(me: XmppClient, focus: XmppClient, xml: str) -> Element | str:
    """Return what reaches the focus, or the rule of the refusal."""
    focus.inbox.clear()
    me.send(xml)
    await me.settle()
    refused = [s for s in me.inbox if s.get("id") == "j" and s.get("type") == "error"]
    if refused:
        me.inbox.remove(refused[0])
        assert [s for s in focus.inbox if local_name(s) == "iq"] == []
        return rule_of(refused[0])
    return await focus.wait_for(lambda s: local_name(s) == "iq" and s.get("type") == "set")


CAMERA, SHARE, SOUND = source(1, "me-v0"), source(2, "me-v1", "desktop"), source(3, "me-a0")

ADDED = [
    ("camera", ("show_camera",), {"video": CAMERA}, ["me-v0"]),
    ("camera without the right", ("speak", "share_window"), {"video": CAMERA}, "show_camera"),
    ("share", ("share_window",), {"video": SHARE}, ["me-v1"]),
    ("share of the screen", ("share_screen",), {"video": SHARE}, ["me-v1"]),
    ("share without the right", ("speak", "show_camera"), {"video": SHARE}, "share_window"),
    ("share at a high rate", ("show_camera",), {"video": source(2, "me-v1", "desktop_high_fps")}, "share_window"),
    ("share of an unknown kind", ALL_MEDIA, {"video": source(2, "me-v1", "DESKTOP")}, "unknown-source"),
    ("sound without the right", ("show_camera",), {"audio": SOUND}, "speak"),
    ("sound", ("speak",), {"audio": SOUND}, ["me-a0"]),
    ("second camera", ALL_MEDIA, {"video": CAMERA + source(4, "me-v2")}, "too-many-pictures"),
    ("camera twice", ALL_MEDIA, {"video": CAMERA + source(4, "me-v1")}, "too-many-pictures"),
    ("camera and share", ALL_MEDIA, {"video": CAMERA + SHARE}, ["me-v0", "me-v1"]),
    ("another's source", ALL_MEDIA, {"video": source(1, "peer-v0")}, "unknown-source"),
    ("a source without a name", ALL_MEDIA, {"video": source(1, "")}, "unknown-source"),
    ("picture said to be sound", ("speak",), {"audio": CAMERA}, "unknown-source"),
    ("sound said to be a picture", ("show_camera",), {"video": SOUND}, "unknown-source"),
    ("another namespace", ALL_MEDIA, {"video": CAMERA.replace("ssma:0", "ssma:1")}, "unknown-source"),
    ("outside a description", ALL_MEDIA, {"raw": f"<content name='video'>{CAMERA}</content>"}, "unknown-source"),
    (
        "inside what nobody reads",
        ALL_MEDIA,
        {"raw": f"<content xmlns='urn:xmpp:jingle:1' name='video'><x xmlns='urn:x'>{CAMERA}</x></content>"},
        "unknown-source",
    ),
    ("inside another part of a description", ALL_MEDIA, {"video": f"<x xmlns='urn:x'>{CAMERA}</x>"}, "unknown-source"),
    ("beside the contents", ALL_MEDIA, {"raw": f"<group xmlns='urn:x'>{SHARE}</group>"}, "unknown-source"),
    (
        "as JSON",
        ALL_MEDIA,
        {"raw": "<json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>"},
        "unknown-source",
    ),
    ("too many layers", ALL_MEDIA, {"video": "".join(source(n, "me-v0") for n in range(1, 8))}, "too-many-sources"),
]


@pytest.mark.requirement("R035", "R204", "R216")
@pytest.mark.parametrize(("name", "held", "inside", "expected"), ADDED, ids=[row[0] for row in ADDED])
def test_source_add(name: str, held: tuple[str, ...], inside: dict[str, str], expected: Any, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        who = somebody()
        me = await stand.person("me", held, user_id=who)
        found = await offered(me, focus, jingle("source-add", **inside))
        assert (found if isinstance(found, str) else names(found)) == expected
        if isinstance(expected, str):
            stand.sidecar.wait_for_event("track.dropped", rule=expected, participant=who)

    run(test)


@pytest.mark.requirement("R035", "R216")
@pytest.mark.parametrize("action", ["session-accept", "transport-accept"])
def test_an_accept_goes_on_without_the_share(action: str, run: Run) -> None:
    """Refused as a whole, it would keep the person out of the meeting."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        me = await stand.person("me", ["speak", "show_camera"])
        layers = CAMERA + source(11, "me-v0") + group(1, 11)
        share = SHARE + source(12, "me-v1", "desktop") + group(2, 12)
        found = await offered(me, focus, jingle(action, audio=SOUND, video=layers + share))

        assert isinstance(found, Element)
        assert sorted(set(names(found))) == ["me-a0", "me-v0"]
        groups = [[each.get("ssrc") for each in found_group] for found_group in found.iter(GROUP)]
        assert groups == [["1", "11"]]

    run(test)


def test_a_second_picture_cannot_be_added_to_an_accepted_one(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        me = await stand.person("me", ["show_camera"])
        await offered(me, focus, jingle("session-accept", video=CAMERA))
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v1"))) == "too-many-pictures"
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v0"))) == "given-twice"
        await offered(me, focus, jingle("source-remove", video=CAMERA))
        assert names(await offered(me, focus, jingle("source-add", video=source(9, "me-v1")))) == ["me-v1"]  # type: ignore[arg-type]

    run(test)


def info(**sources: dict[str, Any]) -> str:
    text = json.dumps({name.replace("_", "-"): said for name, said in sources.items()}).replace('"', "&quot;")
    return f"<SourceInfo>{text}</SourceInfo>"


INFO = [
    ("camera", ("show_camera",), info(me_v0={"muted": False}), {"me-v0": {"muted": False}}),
    ("no camera", ("speak",), info(me_v0={"muted": False}), {}),
    ("a muted camera says nothing", (), info(me_v0={"muted": True}), {"me-v0": {"muted": True}}),
    ("share", ("share_window",), info(me_v1={"videoType": "desktop"}), {"me-v1": {"videoType": "desktop"}}),
    ("no share", ("show_camera",), info(me_v1={"muted": False, "videoType": "desktop"}), {}),
    ("share in the camera's place", ("show_camera",), info(me_v0={"muted": False, "videoType": "desktop"}), {}),
    ("a muted share", ("show_camera",), info(me_v1={"muted": True, "videoType": "desktop"}), {}),
    ("another's source", ALL_MEDIA, info(peer_v0={"muted": False}), {}),
    ("unknown members", ("show_camera",), info(me_v0={"muted": False, "x": 1}), {"me-v0": {"muted": False}}),
    ("video type of no kind", ALL_MEDIA, info(me_v0={"muted": False, "videoType": 1}), {}),
    (
        "a key twice",
        ("show_camera",),
        "<SourceInfo>{&quot;me-v0&quot;:{&quot;muted&quot;:false},&quot;me-v0&quot;:{&quot;videoType&quot;:&quot;desktop&quot;}}"
        "</SourceInfo>",
        None,
    ),
    ("not JSON", ("show_camera",), "<SourceInfo>desktop</SourceInfo>", None),
    ("with elements in it", ("share_window",), "<SourceInfo><x/>{}</SourceInfo>", None),
]


@pytest.mark.requirement("R035", "R216")
@pytest.mark.parametrize("moment", ["join", "change"])
def test_source_info(moment: str, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        for name, held, xml, expected in INFO:
            me = await stand.person("me", held, inside=xml if moment == "join" else "")
            seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
            if moment == "change":
                me.send(f"<presence to='{ROOM}/me'>{xml}</presence>")
                seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
            text = seen.findtext(SOURCE_INFO)
            assert (json.loads(text) if text else None) == expected, name
            me.send(f"<presence to='{ROOM}/me' type='unavailable'/>")
            await focus.wait_for(lambda s: s.get("type") == "unavailable")

    run(test)

"""What the recorder on Jitsi reads of others: Jingle, presence and XML as they should be, and as they are forged."""

from typing import Any
from xml.etree.ElementTree import Element

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from sidecar.bridge.jitsi import presence
from sidecar.bridge.jitsi.channel import BridgeChannel
from sidecar.bridge.jitsi.jingle import JingleError, Offer, Source, accept, read_offer, read_sources, terminate
from sidecar.bridge.jitsi.login import Account
from sidecar.bridge.jitsi.sdp import Sections, describe
from sidecar.bridge.jitsi.xml import XmlError, local_name, parse, tag

HEAD = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='abc' initiator='r@muc.meet.test/focus'>"
FINGERPRINT = ":".join(["AB"] * 32)
TRANSPORT = (
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u1fr' pwd='pwd22charactersmorelong'>"
    f"<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>{FINGERPRINT}</fingerprint>"
    "<candidate foundation='1' component='1' protocol='udp' priority='2130706431' ip='192.0.2.7' port='10000' "
    "type='host'/><candidate foundation='2' component='1' protocol='tcp' priority='1' ip='192.0.2.7' port='443' "
    "type='host'/></transport>"
)
RTP = "urn:xmpp:jingle:apps:rtp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
VIDEO = "<payload-type id='100' name='VP8' clockrate='90000'/><payload-type id='96' name='rtx' clockrate='90000'>" + (
    "<parameter name='apt' value='100'/></payload-type><payload-type id='41' name='AV1' clockrate='90000'/>"
    "<payload-type id='97' name='rtx' clockrate='90000'><parameter name='apt' value='41'/></payload-type>"
)
AUDIO = "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>"


def source(ssrc: object, name: str, owner: str, more: str = "") -> str:
    info = f"<ssrc-info xmlns='http://jitsi.org/jitmeet' owner='{owner}'/>"
    return f"<source xmlns='{SSMA}' ssrc='{ssrc}' name='{name}' {more}>{info}</source>"


def group(semantics: str, *ssrcs: int) -> str:
    members = "".join(f"<source ssrc='{each}'/>" for each in ssrcs)
    return f"<ssrc-group xmlns='{SSMA}' semantics='{semantics}'>{members}</ssrc-group>"


def content(media: str, inside: str, transport: str = TRANSPORT) -> str:
    description = f"<description xmlns='{RTP}' media='{media}'>{inside}</description>"
    return f"<content name='{media}'>{description}{transport}</content>"


def offer(audio: str = "", video: str = "", transport: str = TRANSPORT) -> str:
    return (
        HEAD
        + content("audio", AUDIO + audio, transport)
        + content("video", VIDEO + video, transport)
        + f"<content name='data'>{transport}</content></jingle>"
    )


def read(xml: str) -> Offer:
    return read_offer(parse(xml))


def test_an_offer_is_read_with_what_can_be_recorded_and_nothing_else() -> None:
    found = read(offer(audio=source(5, "elin-a0", "elin") + source(9, "jvb-a0", "jvb")))

    assert [each.name for each in found.codecs["video"]] == ["VP8", "rtx"], "no AV1, and nothing that repeats it"
    assert [each.line for each in found.transport.candidates] == ["1 1 udp 2130706431 192.0.2.7 10000 typ host"]
    assert found.sources == (Source(5, 0, "elin-a0", "elin", "audio", False),)


def test_of_a_picture_in_layers_one_stream_is_recorded() -> None:
    layers = "".join(source(ssrc, "maja-v0", "r@muc.meet.test/maja") for ssrc in (1, 2, 3, 11, 12, 13))
    groups = group("SIM", 1, 2, 3) + group("FID", 1, 11) + group("FID", 2, 12) + group("FID", 3, 13)

    [found] = read(offer(video=layers + groups)).sources

    assert (found.ssrc, found.rtx, found.owner) == (1, 11, "maja")


def test_a_share_says_so() -> None:
    both = source(1, "maja-v0", "maja") + source(2, "maja-v1", "maja", "videoType='desktop'")

    assert [(each.name, each.share) for each in read(offer(video=both)).sources] == [
        ("maja-v0", False),
        ("maja-v1", True),
    ]


@pytest.mark.parametrize(
    "forged",
    [
        source(5, "elin-a0", "samir"),  # another's name for it
        source(5, "elin-v0", "elin"),  # a picture's name for a sound
        source(5, "elin-a0;x", "elin"),
        source(5, "../../x-a0", "../../x"),
        source(5, "elin-a0", "jvb"),
        source(5, "elin-a0", ""),
    ],
)
def test_a_stream_under_a_name_that_is_not_its_owners_is_left_out(forged: str) -> None:
    assert read(offer(audio=forged)).sources == ()


def test_a_stream_claimed_twice_stays_the_firsts() -> None:
    found = read(offer(audio=source(5, "elin-a0", "elin") + source(5, "samir-a0", "samir"))).sources

    assert [each.owner for each in found] == ["elin"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ufrag='u1fr'", "ufrag='u1\r\na=candidate:1 1 udp 1 203.0.113.1 9 typ host'"),
        ("pwd22", "pwd\n22"),
        ("AB:AB", "AB AB"),
        ("sid='abc'", "sid='a b'"),
        ("sid='abc'", ""),
        ("clockrate='90000'", "clockrate='-1'"),
        ("clockrate='48000'", "clockrate='99999999999999999999'"),
        ("id='100'", "id='1000'"),
        ("hash='sha-256'", "hash='md5'"),
        ("<content name='data'>", "<content name='dada'>"),
        ("VP8", "nothing"),
    ],
)
def test_an_offer_that_would_write_lines_of_its_own_is_refused_or_loses_them(before: str, after: str) -> None:
    xml = offer()
    assert before in xml
    try:
        found = read(xml.replace(before, after).replace("name='opus'", "name='opus'"))
    except (JingleError, XmlError):
        return
    assert "\n" not in found.transport.ufrag + found.transport.password + found.sid
    assert "VP8" not in str(found.codecs)


def test_candidates_that_are_none_are_left_out() -> None:
    odd = (
        "<candidate foundation='1' component='1' protocol='udp' priority='1' ip='224.0.0.1' port='1' type='host'/>"
        "<candidate foundation='1' component='1' protocol='udp' priority='1' ip='meet.example' port='1' type='host'/>"
        "<candidate foundation='1' component='1' protocol='udp' priority='1' ip='192.0.2.1' port='0' type='host'/>"
        "<candidate foundation='1' component='1' protocol='udp' priority='1' ip='192.0.2.1' port='1' type='hst'/>"
        "<candidate/>"
    )
    found = read(offer(transport=TRANSPORT.replace("</transport>", odd + "</transport>")))

    assert len(found.transport.candidates) == 1


def test_each_remote_stream_has_a_section_of_its_own_and_one_that_ended_is_used_again() -> None:
    sections = Sections()
    first, second, third = (Source(n, n + 1, f"maja-v{n}", "maja", "video", False) for n in (10, 20, 30))
    sections.put(first)
    sections.put(second)
    section = sections.of(10)
    assert section is not None
    section.source = None
    text = describe(read(offer()), sections)

    assert SessionDescription.parse(text).media[1].direction == "inactive"
    sections.put(third)
    media = SessionDescription.parse(describe(read(offer()), sections)).media
    assert [each.kind for each in media] == ["application", "video", "video"]
    assert [[one.ssrc for one in each.ssrc] for each in media[1:]] == [[30, 31], [20, 21]]


def test_our_answer_names_what_was_chosen_and_sends_nothing() -> None:
    found = read(offer(video=source(1, "maja-v0", "maja")))
    answer = parse(accept(found, found.transport, responder="recorder@hidden.meet.test/x"))

    assert answer.get("action") == "session-accept"
    assert not list(answer.iter(f"{{{SSMA}}}source"))
    chosen = [each.get("name") for each in answer.iter(f"{{{RTP}}}payload-type")]
    assert chosen == ["opus", "VP8", "rtx"]
    assert parse(terminate(found, reason="connectivity-error", restart=True))[1].get("restart") == "true"


@pytest.mark.parametrize(
    "forged",
    [
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<?xml-stylesheet href='x'?><a/>",
        "<a><!-- b --></a>",
        "<a>" * 100 + "</a>" * 100,
        "<a>" + "<b/>" * 9000 + "</a>",
        "<a b='" + "c" * 300_000 + "'/>",
        "<a>",
        "<a/><b/>",
        "",
        "<x:a/>",
        "\x00",
    ],
)
def test_what_xmpp_forbids_is_not_read(forged: str) -> None:
    with pytest.raises(XmlError):
        parse(forged)


@given(st.text(max_size=200), st.text(max_size=50))
def test_whatever_is_written_comes_back_as_it_was(text: str, value: str) -> None:
    try:
        found = parse(tag("a", "urn:b", text, c=value))
    except XmlError:
        return  # signs XML cannot hold at all
    assert local_name(found) == "a"
    assert (found.text or "") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert list(found) == []


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        read_sources(parse(data))
    except (XmlError, JingleError):
        return


def stanza(inside: str, **attributes: str) -> Element:
    said = {"from": "r@muc.meet.test/elin"} | attributes
    return parse(
        "<presence xmlns='jabber:client' " + " ".join(f"{k}='{v}'" for k, v in said.items()) + f">{inside}</presence>"
    )


def seen(inside: str, **attributes: str) -> presence.Seen | None:
    return presence.read(stanza(inside, **attributes), room="r@muc.meet.test")


@pytest.mark.requirement("R105", "R107")
@pytest.mark.parametrize("said", ["true", "1", " TRUE ", "on"])
def test_anything_but_a_plain_no_counts_as_encrypted(said: str) -> None:
    found = seen(f"<jitsi_participant_e2ee.enabled>{said}</jitsi_participant_e2ee.enabled>")
    assert found is not None
    assert found.encrypted


def test_who_says_no_or_nothing_is_not_encrypted() -> None:
    for inside in ("", "<jitsi_participant_e2ee.enabled>false</jitsi_participant_e2ee.enabled>"):
        found = seen(inside)
        assert found is not None
        assert not found.encrypted


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"maja-v0":{"videoType":"desktop"}}', '{"elin-v0":7}', "x" * 9000])
def test_source_info_says_nothing_of_others_and_nothing_where_it_cannot_be_read(text: str) -> None:
    found = seen(f"<SourceInfo>{text.replace('<', '')}</SourceInfo>")
    assert found is not None
    assert not found.shares


def test_presence_of_another_room_or_an_error_is_nobodys() -> None:
    assert seen("", **{"from": "other@muc.meet.test/elin"}) is None
    assert seen("", type="error") is None
    assert seen("", **{"from": "r@muc.meet.test"}) is None


def test_the_bridge_is_told_nothing_before_it_greets_and_the_same_thing_once() -> None:
    said: list[str] = []
    channel = BridgeChannel(said.append, on_hello=lambda: None)
    pictures = [Source(1, 2, "elin-v0", "elin", "video", False)]

    channel.wish(pictures)
    assert said == []
    channel.take('{"colibriClass":"ServerHello"}')
    channel.wish(pictures)
    channel.wish(pictures)
    assert len(said) == 1


def test_a_password_is_in_no_picture_of_an_account() -> None:
    assert "s3cret" not in repr(Account("wss://a/b", "a", "recorder", "hidden.a", "s3cret"))


def test_our_features_leave_out_what_would_hide_whose_a_stream_is() -> None:
    features: Any = set(presence.FEATURES)

    assert "http://jitsi.org/ssrc-rewriting-1" not in features
    assert "http://jitsi.org/tcc" not in features

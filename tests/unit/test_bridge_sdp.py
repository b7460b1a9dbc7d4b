"""Offers: what is taken, what is refused and why; the answer says only what is ours."""

import pytest

from sidecar.bridge.sdp import MAX_OFFER_BYTES, AnswerParts, OfferError, SlotIds, build_answer, parse_offer
from sidecar.domain.errors import InvalidInputError

DIGEST = ":".join(["AB"] * 32)
TRANSPORT = f"""a=ice-ufrag:Abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 {DIGEST}
a=setup:actpass
"""
AUDIO = f"""m=audio 9 UDP/TLS/RTP/SAVPF 111 63
c=IN IP4 0.0.0.0
{TRANSPORT}a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1
a=rtpmap:63 red/48000/2
a=ssrc:1001 cname:x
"""
VIDEO = f"""m=video 9 UDP/TLS/RTP/SAVPF 102 103 96 97 108 109
c=IN IP4 0.0.0.0
{TRANSPORT}a=mid:1
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:13 urn:3gpp:video-orientation
a=sendonly
a=rtcp-mux
a=rtpmap:102 H264/90000
a=fmtp:102 packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 made-up
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:108 H264/90000
a=fmtp:108 packetization-mode=1;profile-level-id=42e01f
a=rtpmap:109 rtx/90000
a=fmtp:109 apt=108
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:x
a=ssrc:2002 cname:x
"""
DATA = f"""m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
{TRANSPORT}a=mid:2
a=sctp-port:5000
a=max-message-size:262144
"""
SLOT = VIDEO.replace("a=sendonly", "a=recvonly").replace("a=mid:1", "a=mid:3").split("a=ssrc-group")[0]
HEAD = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1 2 3\n"
OFFER = HEAD + AUDIO + VIDEO + DATA + SLOT


def an_answer(text: str = OFFER) -> str:
    offer = parse_offer(text)
    parts = AnswerParts(
        session=7,
        ufrag="ours",
        password="our-password",
        fingerprint=DIGEST,
        candidates=(("192.0.2.2", 50000), ("2001:db8::1", 50000)),
        slots={s.mid: SlotIds(31, 32, "person-0") for s in offer.receiving("video")},
        cname="c",
    )
    return build_answer(offer, parts)


def section(answer: str, mid: str) -> list[str]:
    body = next(b for b in answer.split("m=") if f"a=mid:{mid}\r\n" in b)
    return body.split("\r\n")


def test_reads_what_a_browser_offers() -> None:
    offer = parse_offer(OFFER.replace("\n", "\r\n"))
    assert [s.mid for s in offer.sending("video")] == ["1"]
    assert [s.mid for s in offer.receiving("video")] == ["3"]
    assert (offer.ufrag, offer.password) == ("Abcd", "0123456789012345678901")
    assert offer.fingerprints == (("sha-256", bytes([0xAB] * 32)),)
    camera = offer.sending("video")[0]
    assert (camera.ssrc, camera.rtx_ssrc) == (2001, 2002)
    assert [(c.name, c.payload_type, c.rtx_payload_type) for c in camera.codecs] == [
        ("VP8", 96, 97),
        ("H264", 108, 109),  # constrained baseline before the other profile
    ]


def test_answers_section_by_section_in_the_order_of_the_offer() -> None:
    answer = an_answer()
    assert "a=group:BUNDLE 0 1 2 3\r\n" in answer
    assert [line.split(" ")[0] for line in answer.split("\r\n") if line.startswith("m=")] == [
        "m=audio",
        "m=video",
        "m=application",
        "m=video",
    ]
    assert "a=ice-lite\r\n" in answer.split("m=")[0]
    assert answer.count("a=setup:passive") == 4


def test_a_sending_section_is_received_with_transport_numbers() -> None:
    audio = section(an_answer(), "0")
    assert "a=recvonly" in audio
    assert "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1" in audio
    assert "a=rtcp-fb:111 transport-cc" in audio
    assert any("transport-wide-cc" in line for line in audio)
    assert not any("red" in line for line in audio)


def test_a_slot_is_sent_with_its_fixed_ssrcs() -> None:
    slot = section(an_answer(), "3")
    assert slot[0] == "video 9 UDP/TLS/RTP/SAVPF 96 97 108 109"
    assert "a=sendonly" in slot
    assert "a=ssrc-group:FID 31 32" in slot
    assert "a=msid:person-0 slot-3" in slot
    assert "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time" in slot


def test_the_answer_repeats_nothing_it_does_not_know() -> None:
    answer = an_answer()
    assert "made-up" not in answer
    assert "video-orientation" not in answer


def test_candidates_are_given_in_order_of_preference() -> None:
    lines = [line.split(" ") for line in section(an_answer(), "0") if line.startswith("a=candidate")]
    assert [line[4] for line in lines] == ["192.0.2.2", "2001:db8::1"]
    assert int(lines[0][3]) > int(lines[1][3])


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("", "this is not a session description"),
        ("hello", "this is not a session description"),
        (HEAD, "the session description has no media sections"),
        ("v=0\n" + "x" * MAX_OFFER_BYTES, "the session description is larger than 256 KiB"),
        (OFFER.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2"), "one BUNDLE group"),
        (OFFER.replace("a=mid:3", "a=mid:1"), "one BUNDLE group"),
        (OFFER.replace("a=mid:3", "a=mid:../etc"), "no usable mid"),
        (OFFER.replace("a=recvonly", "a=sendrecv"), "must be sendonly or recvonly"),
        (OFFER.replace("a=recvonly\n", ""), "must be sendonly or recvonly"),
        (OFFER.replace("opus/48000/2", "PCMU/8000"), "must offer Opus"),
        (OFFER.replace("VP8/90000", "AV1/90000").replace("H264/90000", "VP9/90000"), "must offer VP8 or H264"),
        (OFFER.replace("a=rtcp-mux\n", ""), "must use rtcp-mux"),
        (OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "neither audio nor video over DTLS-SRTP"),
        (OFFER.replace("webrtc-datachannel", "5000"), "not a WebRTC data channel"),
        (OFFER.replace("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=text 9"), "malformed m-line"),
        (OFFER.replace("a=ice-pwd:0123456789012345678901", "a=ice-pwd:short"), "ice-ufrag or ice-pwd"),
        (OFFER.replace("a=setup:actpass", "a=setup:passive"), "a=setup must be"),
        (OFFER.replace(DIGEST, "AB:CD"), "fingerprint is malformed"),
        (OFFER.replace("sha-256", "md5"), "fingerprint (sha-256, sha-384 or sha-512) is missing"),
        (OFFER.replace("a=sctp-port:5000", "a=sctp-port:x"), "sctp-port is missing"),
        (OFFER.replace("a=rtpmap:111", "a=rtpmap:999"), "rtpmap is missing or not a number"),
        (OFFER.replace("FID 2001 2002", "FID 1001 2002"), "its own SSRC"),
    ],
)
def test_a_broken_offer_is_refused_with_the_rule_it_breaks(broken: str, sentence: str) -> None:
    with pytest.raises(OfferError) as refused:
        parse_offer(broken)
    assert sentence in refused.value.detail
    assert isinstance(refused.value, InvalidInputError)


def test_three_sending_pictures_are_one_too_many() -> None:
    more = "".join(
        VIDEO.replace("a=mid:1", f"a=mid:{mid}").replace("2001", f"{mid}1").replace("2002", f"{mid}2")
        for mid in ("7", "8")
    )
    with pytest.raises(OfferError, match="at most two video sections"):
        parse_offer(OFFER.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1 2 3 7 8") + more)


def test_hundreds_of_sections_are_refused_before_they_are_read() -> None:
    with pytest.raises(OfferError, match="too many media sections"):
        parse_offer(HEAD + AUDIO * 40)

"""Whatever arrives from the network, a parser answers or declines: it never raises and never hangs."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.bridge import rtcp, rtp, stun
from sidecar.bridge.sdp import OfferError, parse_offer
from sidecar.bridge.transport_cc import SentLog

CHECK = stun.binding_request(
    username="ours:theirs", password=b"a-password-of-22-signs", transaction_id=bytes(12), use_candidate=True
)
FEEDBACK = rtcp.transport_feedback(1, 7, count=1, base=1, arrivals={n: n * 1000 for n in range(1, 90, 2)})
COMPOUND = rtcp.receiver_report(1, [rtcp.ReportBlock(7, 1, 1, 1, 1, 1, 1)]) + rtcp.nack(1, 7, [1, 5]) + FEEDBACK
MEDIA = bytes.fromhex("9060000700000bb80000123410bede00021080310201000000") + bytes(30)


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """A genuine message with some bytes changed, and perhaps its end missing."""
    data = bytearray(original)
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@settings(max_examples=300)
@given(st.binary(max_size=200) | damaged(CHECK))
def test_stun(data: bytes) -> None:
    request = stun.parse_binding_request(data)
    if request is not None:
        stun.integrity_holds(request, b"a-password-of-22-signs")
        stun.binding_success(request, "192.0.2.1", 1, b"a-password-of-22-signs")


@settings(max_examples=300)
@given(st.binary(max_size=200) | damaged(COMPOUND))
def test_rtcp(data: bytes) -> None:
    log = SentLog()
    for n in range(50):
        log.record(float(n), 100)
    for report in rtcp.parse(data):
        if isinstance(report, rtcp.TransportFeedback):
            log.match(report)


@settings(max_examples=300)
@given(st.binary(max_size=100) | damaged(MEDIA))
def test_rtp(data: bytes) -> None:
    parsed = rtp.parse(data)
    if parsed is not None:
        assert 12 <= parsed.payload_at <= parsed.end <= len(data)
        for codec in ("VP8", "H264", "opus"):
            rtp.starts_key_frame(codec, data, parsed.payload_at, parsed.end)


@settings(max_examples=200)
@given(st.binary(max_size=40))
def test_vp8(data: bytes) -> None:
    found = rtp.vp8_descriptor(data, 0, len(data))
    if found is not None:
        assert found.picture_id_at + 1 < len(data)
        assert found.tl0_index_at < len(data)


@settings(max_examples=200)
@given(st.text(max_size=300) | st.text(max_size=300).map(lambda t: "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 1\n" + t))
def test_sdp(text: str) -> None:
    with contextlib.suppress(OfferError):
        parse_offer(text)

"""Session descriptions: what a client offers, and the one answer it gets. Pure text and values.

Source: RFC 8866 (SDP), RFC 9429 (JSEP), RFC 8843 (BUNDLE), RFC 8839 (ICE in SDP), RFC 8841 (data channel).
"""

from sidecar.bridge.sdp.answer import AnswerParts, SlotIds, build_answer
from sidecar.bridge.sdp.offer import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MAX_OFFER_BYTES,
    MID,
    TRANSPORT_CC,
    Codec,
    Offer,
    OfferError,
    Section,
    parse_offer,
)

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "MAX_OFFER_BYTES",
    "MID",
    "TRANSPORT_CC",
    "AnswerParts",
    "Codec",
    "Offer",
    "OfferError",
    "Section",
    "SlotIds",
    "build_answer",
    "parse_offer",
]

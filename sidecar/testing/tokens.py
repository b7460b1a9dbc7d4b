"""The claims of a join token, for whoever speaks to a media side without a meeting behind it."""

from datetime import datetime
from typing import Any

from sidecar.domain.identity import LoA
from sidecar.domain.ids import MeetingId, ParticipantId, RoomName
from sidecar.domain.permissions import Capacity
from sidecar.domain.tokens import JITSI_FEATURES, JoinClaims


def join_claims(*, session_until: datetime, **changed: Any) -> JoinClaims:
    """Return an invented customer's claims in a mortgage meeting. changed: fields of JoinClaims.

    jti is always the same one: a token that is to open a door needs its own (`new_jti`).
    """
    claims: dict[str, Any] = {
        "issuer": "tillit",
        "audience": "shard-se",
        "brand": "exempelbanken",
        "room": RoomName("r7hq2m"),
        "jti": "Zm9yZ2VkLXRva2Vucw",
        "user_id": ParticipantId("p_maja"),
        "name": "Maja Granlid",
        "affiliation": "member",
        "moderator": False,
        "features": dict.fromkeys(JITSI_FEATURES, False),
        "meeting": MeetingId("m_mortgage"),
        "band": "high",
        "type_ref": "mortgage@7",
        "capacity": Capacity.CUSTOMER,
        "loa": LoA.SUBSTANTIAL,
        "method": "bankid-qr",
        "permissions": frozenset({"speak", "show_camera", "document_room.annotate"}),
        "region": "se",
        "encryption": "bridge",
    }
    return JoinClaims(**claims | {"session_until": session_until} | changed)

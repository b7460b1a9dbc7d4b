"""What is said on the bridge's data channel. Only the bridge is believed, and only in what we need of it.

Source: the message names of jitsi-videobridge's BridgeChannelMessage.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from sidecar.bridge.jitsi.jingle import Source

LABEL = "JVB data channel"
PROTOCOL = "http://jitsi.org/protocols/colibri"
_MAX_BYTES = 64 * 1024
_CAMERA_HEIGHT = 720
_SHARE_HEIGHT = 2160  # text on a shared window is read, not watched


class BridgeChannel:
    """on_hello: the bridge greeted us, so it takes messages from now on."""

    def __init__(self, send: Callable[[str], None], *, on_hello: Callable[[], None]) -> None:
        self._send = send
        self._on_hello = on_hello
        self._greeted = False
        self._wished: dict[str, Any] = {}

    def take(self, text: str | bytes) -> None:
        """Take one message in. What cannot be read, or is for browsers, is passed over."""
        if not isinstance(text, str) or len(text) > _MAX_BYTES:
            return
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        kind = said.get("colibriClass")
        if kind == "ServerHello" and not self._greeted:
            self._greeted = True
            self._on_hello()
        elif kind == "EndpointMessage":
            self._endpoint(said)

    def wish(self, sources: Iterable[Source]) -> None:
        """Say which pictures we want: all of them, shares sharp. Without it the bridge sends none."""
        pictures = [each for each in sources if each.media == "video"]
        shares = [each.name for each in pictures if each.share]
        wished = {
            "colibriClass": "ReceiverVideoConstraints",
            "lastN": -1,
            "defaultConstraints": {"maxHeight": _CAMERA_HEIGHT},
            "selectedSources": [each.name for each in pictures],
            "onStageSources": shares,
            "constraints": {name: {"maxHeight": _SHARE_HEIGHT} for name in shares},
        }
        if self._greeted and wished != self._wished:
            self._wished = wished
            self._send(json.dumps(wished))

    def _endpoint(self, said: dict[str, Any]) -> None:
        """Answer the one thing other clients ask of us: how long the way is. Unanswered they show us as unreachable."""
        inside, sender = said.get("msgPayload"), said.get("from")
        if not isinstance(inside, dict) or inside.get("type") != "e2e-ping-request" or not isinstance(sender, str):
            return
        number = inside.get("id")
        if isinstance(number, int | str) and len(str(number)) <= 64 and len(sender) <= 64:
            answer = {"type": "e2e-ping-response", "id": number}
            self._send(json.dumps({"colibriClass": "EndpointMessage", "to": sender, "msgPayload": answer}))

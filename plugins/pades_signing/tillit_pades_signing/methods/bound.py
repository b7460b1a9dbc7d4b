"""What both methods share: a completion says what was signed by digests of the request's own two texts."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sidecar.plugin_api import EvidencePart, LoA, SignCompletion, SigningRequest, SignStep, to_text

STARTED = "request"  # key of the state: which request it began for


def binding(request: SigningRequest) -> str:
    """Return a digest of all that a state belongs to: the place, the browser, both texts."""
    parts = (request.meeting, request.participant, request.device, request.visible_text)
    bound = hashlib.sha256(request.hidden_data)
    for part in parts:
        data = part.encode()
        bound.update(len(data).to_bytes(4, "big") + data)
    return bound.hexdigest()


def is_of(request: SigningRequest, state: Mapping[str, Any]) -> bool:
    """Whether a state was begun for this very request."""
    return state.get(STARTED) == binding(request)


def failed(message: str) -> SignStep:
    return SignStep("failed", f"pades_signing.{message}")


def completed(request: SigningRequest, *, method: str, loa: LoA, at: datetime, proof: Mapping[str, Any]) -> SignStep:
    """Return the last step. proof: what the person did, kept as evidence beside both digests."""
    visible = hashlib.sha256(request.visible_text.encode()).hexdigest()
    hidden = hashlib.sha256(request.hidden_data).hexdigest()
    evidence = {"method": method, "at": to_text(at), "visible_sha256": visible, "hidden_sha256": hidden, **proof}
    data = json.dumps(evidence, ensure_ascii=False, sort_keys=True, indent=1).encode()
    completion = SignCompletion(
        method=method,
        provider="pades_signing",
        loa=loa,
        subject=None,
        name="",
        at=at,
        evidence=(EvidencePart(f"{method}.json", "application/json", data),),
        signed_text_sha256=visible,
        hidden_sha256=hidden,
    )
    return SignStep("complete", f"pades_signing.done.{method}", completion=completion)

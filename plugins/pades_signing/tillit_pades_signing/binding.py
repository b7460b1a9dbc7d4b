"""What a signature is bound to: the text a person reads, and beneath it what ties it to this one act.

The hidden part is written in one way only, so that equality of bytes is equality of meaning. It names the
signing, the meeting, the person's place, this very try, each document by digest and length, and the amount.
"""

import hashlib
import json
from collections.abc import Callable

from tillit_pades_signing.model import Party, Signing

LONGEST_VISIBLE = 29_000  # bytes: 40,000 signs after base64, less a margin
Words = Callable[..., str]


def hidden_data(signing: Signing, party: Party, *, attempt: str) -> str:
    """Return what is signed unseen, canonical JSON."""
    bound = {
        "tillit": "signature/1",
        "act": signing.act,
        "signing": signing.id,
        "meeting": signing.meeting,
        "participant": party.participant,
        "person": party.person,
        "attempt": attempt,
        "documents": [
            {"id": each.id, "version": each.version, "sha256": each.sha256, "bytes": each.length}
            for each in signing.documents_of(party.key)
        ],
        "amount": {"minor": signing.amount.minor, "currency": signing.amount.currency} if signing.amount else None,
    }
    return json.dumps(bound, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def act_of(hidden: bytes) -> str:
    """Return what stays of `hidden_data` when a party begins anew: which signing it is, and who signs."""
    bound = json.loads(hidden)
    return f"{bound['signing']}.{bound['person']}"


def visible_text(signing: Signing, party: Party, *, t: Words, bank: str) -> str:
    """Return what the person reads where they confirm: the act, each document with its control code, the amount."""
    lines = [t(f"pades_signing.text.{signing.act}", title=signing.title, bank=bank)]
    if signing.text:
        lines += ["", signing.text]
    for each in signing.documents_of(party.key):
        lines += ["", t("pades_signing.text.document", name=each.name, version=each.version, pages=each.pages)]
        lines.append(t("pades_signing.text.code", code=each.code))
    if signing.amount is not None:
        lines += ["", t("pades_signing.text.amount", amount=str(signing.amount))]
    lines += ["", t("pades_signing.text.only_this")]
    return "\n".join(lines)


def digest(text: str) -> str:
    """Return SHA-256 of the text's UTF-8, hex."""
    return hashlib.sha256(text.encode()).hexdigest()

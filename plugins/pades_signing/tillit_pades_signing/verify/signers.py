"""What one signer signed: the text, what was bound beneath it, and the proof the method left."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509

from tillit_pades_signing.verify.findings import Finding, Verdict, judged

_GROUP = "tillit.evidence"


def check_signer(
    signer: Mapping[str, Any],
    attached: Mapping[str, bytes],
    manifest: Mapping[str, Any],
    *,
    roots: Sequence[x509.Certificate],
) -> Finding:
    """Return what holds of one signer."""
    number = int(signer["number"])
    part = f"Signer {number}, by {signer['method']} at {signer['at']}"
    visible, hidden = attached[f"signed-text-{number}.txt"], attached[f"signed-data-{number}.json"]
    wrong = _not_bound(json.loads(hidden), signer, manifest)
    if wrong:
        return judged(part, False, wrong)
    if str(manifest["document"]["sha256"])[:4].upper().encode() not in visible:
        return judged(part, False, "The text the person read does not name this document.")
    bound = "The text named this document's control code; beneath it stood its digest, the meeting and the person."
    if signer["kind"] == "eid":
        return _eid(part, bound, signer, attached, visible, hidden, roots)
    return _own(part, bound, signer, attached, visible, hidden)


def _not_bound(bound: Any, signer: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return why what was signed is not of this file, "" when it is."""
    document = manifest["document"]
    same = [
        each
        for each in bound["documents"]
        if (each["sha256"], each["bytes"], each["id"]) == (document["sha256"], document["bytes"], document["id"])
    ]
    if bound["tillit"] != "signature/1" or len(same) != 1:
        return "The person signed another document than this one."
    if (bound["signing"], bound["meeting"], bound["act"]) != (
        manifest["signing"],
        manifest["meeting"],
        manifest["act"],
    ):
        return "The person signed in another signing or meeting."
    if bound["amount"] != manifest["amount"]:
        return "The person signed another amount."
    if bound["person"] != signer["person"]:
        return "It was signed by somebody else."
    return ""


def _eid(
    part: str,
    bound: str,
    signer: Mapping[str, Any],
    attached: Mapping[str, bytes],
    visible: bytes,
    hidden: bytes,
    roots: Sequence[x509.Certificate],
) -> Finding:
    suffix = f"-{signer['number']}."
    parts = {name.replace(suffix, "."): attached[name] for name in signer["files"] if suffix in name}
    found = list(importlib.metadata.entry_points(group=_GROUP, name=str(signer["provider"])))
    if not found:
        return Finding(part, Verdict.OPEN, (bound, f"The proof is kept, but this machine has no check for {part}."))
    holds, sentences, name = found[0].load()(parts, visible=visible, hidden=hidden, roots=roots)
    if not holds:
        return judged(part, False, *sentences)
    said = (f"{name} signed this with their own eID.", bound, *sentences)
    if roots:
        return judged(part, True, *said, "Rests on: the eID's root that you named, not on the bank's word.")
    return Finding(part, Verdict.OPEN, (*said, "Rests on: nothing yet. Name the eID's root with --eid-roots."))


def _own(
    part: str, bound: str, signer: Mapping[str, Any], attached: Mapping[str, bytes], visible: bytes, hidden: bytes
) -> Finding:
    proof = json.loads(attached[f"{signer['method']}-{signer['number']}.json"])
    same = (
        proof["visible_sha256"] == hashlib.sha256(visible).hexdigest()
        and proof["hidden_sha256"] == hashlib.sha256(hidden).hexdigest()
    )
    if not same:
        return judged(part, False, "The proof is of another text than the one in this file.")
    how = {"touch": "Signed on the screen.", "sms": "A code was sent to the person's telephone and typed in."}
    return judged(
        part,
        True,
        how.get(str(signer["method"]), "Signed."),
        bound,
        "Rests on: the bank's word, under its seal, for who the person was. No eID stands behind it.",
    )

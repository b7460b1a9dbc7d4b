"""A completion that does not prove what it says opens no door, and the log says which proof was missing."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.bankid.faults import FORGERIES
from simulators.bankid.remote import RemoteBankId

# What is forged -> the reason it is refused for. The person reads the same calm sentence for all of them.
REASONS = {
    "wrong-root": "chain",
    "wrong-policy": "policy-not-accepted",
    "expired-certificate": "certificate-not-valid",
    "short-chain": "structure",
    "weak-key": "key-not-accepted",
    "other-person": "another-person",
    "other-number": "another-person",
    "tampered-visible": "digest",
    "other-visible": "visible-text-differs",
    "other-hidden": "hidden-text-differs",
    "no-hidden": "hidden-text-differs",
    "signing-instead": "another-act",
    "wrapped": "structure",
    "doctype": "document-has-markup",
    "comment": "document-has-markup",
    "sha1": "algorithm",
    "one-reference": "structure",
    "bad-signature": "signature-invalid",
    "not-base64": "signature-not-base64",
    "revoked": "certificate-not-good",
    "unknown-status": "certificate-not-good",
    "wrong-nonce": "ocsp-nonce",
    "no-nonce": "ocsp-unreadable",
    "old-ocsp": "ocsp-not-of-now",
    "ocsp-other-serial": "ocsp-of-another-certificate",
    "ocsp-other-issuer": "certificate-of-another-issuer",
    "ocsp-not-appointed": "ocsp-responder-not-appointed",
    "ocsp-of-several": "ocsp-of-several",
    "ocsp-out-of-date": "ocsp-out-of-date",
    "ocsp-not-valid-yet": "ocsp-not-valid-yet",
    "ocsp-tampered": "ocsp-unreadable",
    "ocsp-unsuccessful": "ocsp-unsuccessful",
}


def test_every_forgery_of_the_simulator_is_tried() -> None:
    assert set(REASONS) == set(FORGERIES)


@pytest.mark.requirement("R001", "R011")
@pytest.mark.parametrize(("forgery", "reason"), REASONS.items())
def test_forged_completion_is_refused(
    scanned: Callable[..., Any],
    bankid: RemoteBankId,
    newest: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    forgery: str,
    reason: str,
) -> None:
    bankid.phone("faults", forge=forgery)
    visit = scanned()
    bankid.phone("approve", order=newest(), person="maja")
    step = visit.poll()

    assert (step.status, step.message, step.assertion) == ("failed", "bankid.failed", None)
    assert step.state == {}
    (record,) = [one for one in caplog.records if one.getMessage() == "bankid completion refused"]
    assert record.__dict__["reason"] == reason

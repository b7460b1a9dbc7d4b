"""From BankID's hint codes to the sentence a person needs. New codes come without notice, so none is fatal.

Source: BankID Relying Party API v6.0, collect and recommended user messages. The words are ours.
"""

from datetime import timedelta

OUTSTANDING = "outstandingTransaction"
START_FAILED = "startFailed"
DECLINED_CALL = "userDeclinedCall"

SEARCH_IS_LONG = timedelta(seconds=6)  # after that the app most likely has no BankID to find

_PENDING = {
    "userMrtd": "bankid.scan_document",
    "userCallConfirm": "bankid.confirm_call",
    "userSign": "bankid.sign",
    "processing": "bankid.processing",
}
_FAILED = {
    "expiredTransaction": "bankid.timed_out",
    "certificateErr": "bankid.blocked",
    "userCancel": "bankid.cancelled_by_you",
    "cancelled": "bankid.replaced",
    DECLINED_CALL: "bankid.declined_call",
    "notSupportedByUserApp": "bankid.app_old",
    "transactionRiskBlocked": "bankid.failed",
}


def pending_message(hint: str, *, same_device: bool, shown_for: timedelta) -> str:
    """Return the key for an order still open. shown_for: how long this hint has stood."""
    if hint in (OUTSTANDING, "noClient"):
        return "bankid.opening" if same_device else "bankid.start"
    if hint == "started":
        return "bankid.searching" if shown_for >= SEARCH_IS_LONG else "bankid.started"
    return _PENDING.get(hint, "bankid.processing")


def failed_message(hint: str, *, same_device: bool) -> str:
    """Return the key for an order that failed."""
    if hint == START_FAILED:
        return "bankid.app_missing" if same_device else "bankid.not_scanned"
    return _FAILED.get(hint, "bankid.failed")

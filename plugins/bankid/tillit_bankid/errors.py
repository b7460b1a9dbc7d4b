"""What BankID can answer instead of what we asked for, by name. Each knows the sentence the person needs.

Source: BankID Relying Party API v6.0, error codes.
"""

from sidecar.plugin_api import TillitError


class BankIdError(TillitError):
    """BankID did not do what we asked.

    message: key of the sentence for the person. may_retry: the same call may be made again by itself.
    """

    message = "bankid.failed"
    may_retry = False


class AlreadyInProgressError(BankIdError):
    """An order for this person is already open at BankID."""

    message = "bankid.already"


class InvalidParametersError(BankIdError):
    """BankID found a fault in our request, or does not know the order."""


class UnauthorizedError(BankIdError):
    """BankID does not let our certificate in."""


class WrongRequestError(BankIdError):
    """BankID has no such address, method or media type: a fault of ours."""


class RequestTimeoutError(BankIdError):
    """BankID gave up waiting for our request."""


class TooManyRequestsError(BankIdError):
    """BankID asks us to slow down. params: reset_seconds."""


class InternalError(BankIdError):
    """BankID has a technical fault."""


class MaintenanceError(BankIdError):
    """BankID is down for maintenance."""

    may_retry = True


class UnreachableError(BankIdError):
    """BankID did not answer, or is not who it should be."""

    may_retry = True


class UnreadableAnswerError(BankIdError):
    """BankID answered something we cannot read."""


class UnknownBankIdError(BankIdError):
    """BankID answered with an error code we do not know."""


_BY_CODE: dict[str, type[BankIdError]] = {
    "alreadyinprogress": AlreadyInProgressError,
    "invalidparameters": InvalidParametersError,
    "unauthorized": UnauthorizedError,
    "notfound": WrongRequestError,
    "methodnotallowed": WrongRequestError,
    "unsupportedmediatype": WrongRequestError,
    "requesttimeout": RequestTimeoutError,
    "toomanyrequests": TooManyRequestsError,
    "internalerror": InternalError,
    "maintenance": MaintenanceError,
}
# For the answers that may come without a JSON body.
_BY_STATUS: dict[int, type[BankIdError]] = {
    401: UnauthorizedError,
    403: UnauthorizedError,
    404: WrongRequestError,
    405: WrongRequestError,
    408: RequestTimeoutError,
    415: WrongRequestError,
    429: TooManyRequestsError,
    503: MaintenanceError,
}


def error_for(*, status: int, code: str) -> type[BankIdError]:
    """Return the error of an answer. code: `errorCode`, or "" without one; capitals do not matter."""
    return _BY_CODE.get(code.casefold()) or _BY_STATUS.get(status) or UnknownBankIdError

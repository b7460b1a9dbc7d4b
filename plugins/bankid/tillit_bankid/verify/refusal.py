"""How a check says no: one error, with a reason for the log that holds nothing about the person."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import DuplicateExtension, ExtensionNotFound
from lxml import etree

from sidecar.plugin_api import TillitError


class CompletionRefusedError(TillitError):
    """BankID's answer does not prove what it says. params: reason, a fixed word for the log."""


def require(holds: bool, reason: str) -> None:
    """Raise CompletionRefusedError unless the check holds."""
    if not holds:
        refuse(reason)


def refuse(reason: str) -> NoReturn:
    raise CompletionRefusedError(reason, reason=reason)


@contextmanager
def refusing(reason: str) -> Iterator[None]:
    """Turn what the parsers raise over input they cannot take into a refusal."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        InvalidSignature,
        DuplicateExtension,
        ExtensionNotFound,
        etree.LxmlError,
    ) as error:
        raise CompletionRefusedError(reason, reason=reason) from error

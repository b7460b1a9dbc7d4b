"""Errors by name. The core knows the name; web/problems.py knows the HTTP status and the title."""

from typing import Any, ClassVar


class TillitError(Exception):
    """Something we expected could go wrong. `slug` is its heading in docs/problems.md.

    detail: one plain English sentence for a program's log, without personal data.
    params: values for the plain sentence in the reader's language.
    """

    slug: ClassVar[str] = "internal"

    def __init__(self, detail: str = "", **params: Any) -> None:
        super().__init__(detail or (self.__doc__ or "").splitlines()[0])
        self.detail = detail or (self.__doc__ or "").splitlines()[0]
        self.params = params


class NotFoundError(TillitError):
    """There is nothing here, or not for you. The two are not told apart."""

    slug = "not-found"


# Where a person may have written the field, the param `reason` says in a word what is wrong with it. Its sentence is
# the text "common.field.<field>.<reason>" or "common.field.<reason>", or the desk's; further params are its values.
class InvalidInputError(TillitError):
    """A field is missing, too long or not of its form. params: field."""

    slug = "invalid-input"


class ConflictError(TillitError):
    """Somebody else changed this in the meantime, or it was already done."""

    slug = "conflict"


class NotRecordableError(ConflictError):
    """The conference is encrypted end to end: a recorder would hear and see nothing it could open."""

    slug = "not-recordable"


class AuditUnavailableError(TillitError):
    """The audit record cannot be written, so the act does not happen."""

    slug = "audit-unavailable"


class StoreUnavailableError(TillitError):
    """A store cannot be reached, so the act does not happen."""

    slug = "store-unavailable"


class RefusedError(TillitError):
    """The policy says no. params: rule, the rule that decided, and the sentence's values."""

    slug = "refused"


class ConfigurationError(TillitError):
    """The configuration cannot be used. The detail names file, key and rule."""

    slug = "configuration"

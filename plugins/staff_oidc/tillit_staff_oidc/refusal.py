"""Why a sign-in was not accepted: for the log only, since outside all causes look the same."""


class Refusal(Exception):
    """One cause, in a fixed word or two, without personal data and without anything the other side chose."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

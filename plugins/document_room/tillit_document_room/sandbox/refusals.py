"""Why a file is not taken in: a closed list, each with its own sentence in the texts."""

REASONS = frozenset(
    {
        "active",  # it runs something, and carries a signature that cleaning would break
        "bomb",  # it unpacks to far more than it is
        "broken",  # it cannot be read as what it claims to be
        "embedded",  # it carries other files
        "empty",
        "encrypted",  # a password is needed
        "external",  # it fetches something from elsewhere
        "infected",
        "macros",
        "mixed",  # it is two kinds of file at once
        "nesting",
        "no_office",  # office documents cannot be converted here
        "page_size",
        "pages",
        "pixels",
        "scanner",  # the virus scanner did not answer
        "size",
        "too_heavy",  # reading it took too long, too much memory, or ended the process
        "type",  # not a kind of file that is taken
        "unavailable",  # no process could be started that is shut off well enough
    }
)


class UnsafeFileError(Exception):
    """The file is refused. reason: one of REASONS. detail: for an engineer, never bytes of the file."""

    def __init__(self, reason: str, detail: str = "") -> None:
        assert reason in REASONS, reason
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail

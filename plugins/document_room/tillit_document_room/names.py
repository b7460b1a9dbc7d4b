"""What a document is called: the words of a file's name without what a path, an ending or a trick could do."""

import re
import unicodedata

LONGEST = 120
_ENDING = re.compile(r"\.(pdf|png|jpe?g|tiff?|docx?|xlsx|pptx|odt|ods|odp)$", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\d)(?:18|19|20)?\d{6}[-+ ]?\d{4}(?!\d)")  # a personal number is on no screen


def shown_name(file_name: str, *, fallback: str) -> str:
    """Return a name fit for a screen: no folders, no control or direction signs, no ending, no personal number."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", file_name))[-1]
    kept = "".join(
        sign if unicodedata.category(sign)[0] != "C" and sign not in "\u2028\u2029" else " " for sign in last
    )
    words = " ".join(_NUMBER.sub("…", _ENDING.sub("", kept)).replace("_", " ").split())
    return words[:LONGEST].strip(" .") or fallback


def file_name(name: str) -> str:
    """Return a name for a download: ASCII, since a header carries it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return (re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60] or "document") + ".pdf"

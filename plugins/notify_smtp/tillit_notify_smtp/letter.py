"""A message as a letter: RFC 5322 headers, a plain and a designed body, attachments."""

import re
import unicodedata
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sidecar.plugin_api import DeliveryFailedError, OutboundMessage

_POLICY = SMTP.clone(cte_type="7bit", utf8=False)  # every server on the way takes seven bits and short lines
_MOST_SUBJECT = 200
_MEDIA_TYPE = re.compile(r"([\w.+-]+)/([\w.+-]+)((?:\s*;\s*[\w-]+=[\w.+-]+)*)")


def compose(message: OutboundMessage, *, sender_address: str, reply_to: str, now: datetime) -> EmailMessage:
    """Return the letter. Raises DeliveryFailedError(retry=False) for what cannot be a letter.

    The Message-ID comes from message_id, so that a second try is the same letter to whoever tells them apart.
    """
    letter = EmailMessage(_POLICY)
    try:
        letter["From"] = Address(one_line(message.sender_name), addr_spec=sender_address)
        letter["To"] = _recipient(message.address)
        letter["Subject"] = one_line(message.subject)[:_MOST_SUBJECT]
        letter["Date"] = format_datetime(now)
        letter["Message-ID"] = message_id_of(message.message_id, sender_address)
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        if reply_to:
            letter["Reply-To"] = reply_to
        letter.set_content(message.text, cte="quoted-printable")
        if message.html is not None:
            letter.add_alternative(message.html, subtype="html", cte="quoted-printable")
        for name, media_type, data in message.attachments:
            _attach(letter, name, media_type, data)
        letter.as_bytes(policy=_POLICY.clone(utf8=True))  # what cannot be written shows here, not half-way
    except (ValueError, MessageError, UnicodeError, IndexError) as error:
        raise DeliveryFailedError("The message cannot be made into a letter.", retry=False) from error
    return letter


def one_line(text: str) -> str:
    """Return text without line ends and control signs, so that it stays inside its header."""
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)
    return " ".join(kept.split())


def message_id_of(message_id: str, sender_address: str) -> str:
    """Return <id@domain>. Signs that have a meaning in headers become hyphens."""
    return f"<{re.sub(r'[^A-Za-z0-9._-]', '-', message_id)}@{sender_address.rpartition('@')[2]}>"


def _recipient(address: str) -> Address:
    """Return one bare address, its domain in ASCII."""
    local, at, domain = address.rpartition("@")
    if not at or not local or re.search(r"[\s<>,;:\x00-\x1f\x7f\"()]", address):
        raise ValueError("not one bare address")
    return Address(username=local, domain=domain.encode("idna").decode("ascii"))


def _attach(letter: EmailMessage, name: str, media_type: str, data: bytes) -> None:
    found = _MEDIA_TYPE.fullmatch(media_type.strip())
    if found is None:
        raise ValueError("not a media type")
    main, sub = found[1].lower(), found[2].lower()
    params = dict(part.strip().split("=", 1) for part in found[3].split(";") if part.strip())
    params.pop("charset", None)
    filename = one_line(name).replace("/", "-").replace("\\", "-")
    if main == "text":
        letter.add_attachment(data.decode("utf-8"), subtype=sub, filename=filename, params=params, cte="base64")
    else:
        letter.add_attachment(data, main, sub, filename=filename, params=params)

"""The mail server: takes a message apart and puts it into the mailbox of whoever it is for."""

import asyncio
import email
import email.policy
import hmac
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import parseaddr

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from simulators.post.faults import Faults
from simulators.post.messages import Attachment, Mailroom, Message
from simulators.post.people import OTHERS, Person, find_person

USER = "tillit"
MOST_BYTES = 10 * 1024 * 1024
_SHOWN = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "Reply-To")


class Handler:
    """aiosmtpd's hooks; the faults answer as a mail server with that trouble does."""

    def __init__(self, mailroom: Mailroom, people: Sequence[Person], faults: Faults) -> None:
        self._mailroom, self._people, self._faults = mailroom, people, faults

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._faults.on("smtp") == "550":
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._faults.on("smtp") == "421":
            return "421 4.3.2 Closing for maintenance"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._faults.on("smtp")
        if fault == "451":
            return "451 4.7.1 Try again later"
        if fault == "554":
            return "554 5.7.1 Refused by policy"
        if fault == "drop":
            _hang_up(server)
            return "421 4.4.2 Lost"
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        for address in envelope.rcpt_tos:
            self._mailroom.deliver(self._read(raw, address))
        if fault == "drop_after":  # delivered, but the sender never hears it
            _hang_up(server)
        return "250 2.0.0 Delivered"

    def _read(self, raw: bytes, address: str) -> Message:
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        person = find_person(self._people, "email", address)
        name, sender = parseaddr(str(parsed["From"] or ""))
        return Message(
            channel="email",
            person=person.key if person else OTHERS,
            address=address,
            sender=name or sender,
            subject=str(parsed["Subject"] or ""),
            text=_body(parsed, "plain"),
            html=_body(parsed, "html"),
            attachments=tuple(_attachment(part) for part in parsed.iter_attachments()),
            reference=str(parsed["Message-ID"] or ""),
            headers=tuple((header, str(parsed[header])) for header in _SHOWN if parsed[header] is not None),
        )


def _hang_up(server: SMTP) -> None:
    """Cut the connection without a word."""
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


def _body(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_content()
    data = content.encode() if isinstance(content, str) else bytes(content)
    return Attachment(part.get_filename() or "file", part.get_content_type(), data)


def smtp_factory(handler: Handler, *, password: str, tls: ssl.SSLContext) -> Callable[[], SMTP]:
    """Return what makes one SMTP conversation. AUTH is offered inside TLS, and not required."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        right = (
            isinstance(given, LoginPassword)
            and hmac.compare_digest(given.login, USER.encode())
            and hmac.compare_digest(given.password, password.encode())
        )
        return AuthResult(success=right, handled=False)

    return lambda: SMTP(
        handler,
        data_size_limit=MOST_BYTES,
        enable_SMTPUTF8=True,
        hostname="post.localhost",
        tls_context=tls,
        authenticator=check,
        auth_require_tls=True,
    )

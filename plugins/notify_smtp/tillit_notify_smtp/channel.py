"""The channel: one conversation with the mail server for each letter, and what its answers mean for a new try."""

import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from sidecar.plugin_api import DeliveryFailedError, OutboundMessage
from tillit_notify_smtp.letter import compose
from tillit_notify_smtp.settings import SmtpSettings

log = logging.getLogger(__name__)


_UTF8 = SMTP.clone(utf8=True)


class _NoEncryptionError(Exception):
    """The server, or somebody in between, offers no STARTTLS. RFC 3207 section 6."""


class SmtpChannel:
    """Implements NotificationChannel."""

    name = "email"

    def __init__(self, settings: SmtpSettings, *, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock

    def send(self, message: OutboundMessage) -> str:
        """Hand the letter to the mail server and return its Message-ID.

        Raises DeliveryFailedError: retry is true for what can pass (4xx, no connection, our own credentials),
        false for what the server refuses for good (5xx) or cannot carry.
        """
        letter = compose(
            message,
            sender_address=self._settings.sender_address,
            reply_to=self._settings.reply_to,
            now=self._clock(),
        )
        try:
            with self._conversation() as server:
                self._deliver(server, letter, letter["To"].addresses[0].addr_spec)
        except _NoEncryptionError as error:
            raise _failed("no-encryption", retry=True) from error
        except smtplib.SMTPNotSupportedError as error:
            raise _failed("not-supported", retry=False) from error
        except smtplib.SMTPAuthenticationError as error:
            raise _failed("credentials-refused", retry=True) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failed("recipient-refused", retry=all(code < 500 for code in codes)) from error
        except smtplib.SMTPResponseException as error:
            raise _failed(f"answered-{error.smtp_code}", retry=not 500 <= error.smtp_code < 600) from error
        except ssl.SSLError as error:
            raise _failed("tls-failed", retry=True) from error
        except (smtplib.SMTPException, OSError) as error:
            raise _failed("unreachable", retry=True) from error
        return str(letter["Message-ID"])

    def _deliver(self, server: smtplib.SMTP, letter: EmailMessage, address: str) -> None:
        sender = self._settings.sender_address
        if address.isascii():
            server.sendmail(sender, [address], letter.as_bytes())
            return
        server.ehlo_or_helo_if_needed()
        if not server.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("the server takes no such address")
        server.sendmail(sender, [address], letter.as_bytes(policy=_UTF8), ["SMTPUTF8", "BODY=8BITMIME"])

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """Connect, encrypt, sign in; say goodbye if the line still holds. Never falls back to plain text."""
        settings = self._settings
        tls = ssl.create_default_context(cafile=settings.ca_file)
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, _own_name(), timeout=settings.timeout_seconds, context=tls
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, _own_name(), timeout=settings.timeout_seconds)
        try:
            if settings.security == "starttls":
                server.ehlo_or_helo_if_needed()
                if not server.has_extn("starttls"):
                    raise _NoEncryptionError
                server.starttls(context=tls)
            if settings.user:
                server.login(settings.user, settings.password)
            yield server
            with suppress(smtplib.SMTPException, OSError):  # the letter is handed over; a lost goodbye changes nothing
                server.quit()
        finally:
            server.close()


def _own_name() -> str:
    """Return the name for EHLO without a DNS look-up, which can hang."""
    return socket.gethostname().partition(".")[0] or "localhost"


def _failed(cause: str, *, retry: bool) -> DeliveryFailedError:
    log.warning("letter not delivered", extra={"cause": cause, "retry": retry})
    return DeliveryFailedError("The mail server did not take the letter.", retry=retry, cause=cause)

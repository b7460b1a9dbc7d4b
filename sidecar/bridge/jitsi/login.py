"""Logging in at Prosody so that nobody on the way learns the password; and how its refusals are named.

Source: RFC 6120 section 6 (SASL), RFC 5802 and RFC 7677 (SCRAM).
"""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]  # ships no types

from sidecar.bridge.jitsi.xml import Xml, local_name, tag

CLIENT = "jabber:client"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


class XmppError(ConnectionError):
    """The connection or the login did not succeed. condition: what the server said, "" where it said nothing."""

    def __init__(self, text: str, condition: str = "") -> None:
        super().__init__(text)
        self.condition = condition


class StanzaError(Exception):
    """The other side answered a request with an error. condition: its defined condition, such as "not-allowed"."""

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(f"{condition} {text}".strip())
        self.condition = condition
        self.text = text


@dataclass(frozen=True)
class Account:
    """Who logs in where. url: ws:// or wss://. domain: the users' host. host: the account's own, hidden one."""

    url: str
    domain: str
    user: str
    host: str
    password: str = field(repr=False)


async def log_in(
    account: Account,
    features: Element,
    *,
    put: Callable[[Xml], Awaitable[None]],
    take: Callable[[], Awaitable[Element]],
) -> None:
    """Log in on a stream that has told its features. put, take: one element each way. Raises XmppError."""
    offered = {each.text or "" for each in features.iter(f"{{{_SASL}}}mechanism")}
    scram = [name for name in ("SCRAM-SHA-256", "SCRAM-SHA-1") if name in offered]
    if scram:
        client = ScramClient(scram, account.user, account.password)
        await put(_auth(client.mechanism_name, client.get_client_first()))
        try:
            client.set_server_first(_text(_checked(await take(), "challenge")))
            await put(tag("response", _SASL, _base64(client.get_client_final())))
            client.set_server_final(_text(_checked(await take(), "success")))
        except ScramException as error:
            raise XmppError("Prosody does not know the password either") from error
    elif "PLAIN" in offered and (account.url.startswith("wss://") or _is_loopback(account.url)):
        await put(_auth("PLAIN", f"\0{account.user}\0{account.password}"))
        _checked(await take(), "success")
    else:
        raise XmppError("Prosody offers no way to log in that keeps the password secret")


def _auth(mechanism: str, first: str) -> Xml:
    return tag("auth", _SASL, _base64(first), mechanism=mechanism)


def _checked(answer: Element, wanted: str) -> Element:
    if local_name(answer) != wanted:
        raise XmppError("Prosody refused the recorder's account", condition_of(answer))
    return answer


def stanza_error(stanza: Element) -> StanzaError:
    """Return what an error stanza says."""
    error = stanza.find(f"{{{CLIENT}}}error")
    condition, text = "undefined-condition", ""
    for each in error if error is not None else ():
        if local_name(each) == "text":
            text = (each.text or "")[:100]
        elif each.tag.startswith("{urn:ietf:params:xml:ns:xmpp-stanzas}"):
            condition = local_name(each)
    return StanzaError(condition, text)


def condition_of(element: Element) -> str:
    """Return the defined condition inside a refusal, or its own name."""
    inner = next(iter(element), None)
    return local_name(inner) if inner is not None else local_name(element)


def _text(element: Element) -> str:
    try:
        return base64.b64decode(element.text or "", validate=True).decode()
    except ValueError as error:
        raise XmppError("Prosody's login cannot be read") from error


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _is_loopback(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]")
    return host in ("127.0.0.1", "::1", "localhost")

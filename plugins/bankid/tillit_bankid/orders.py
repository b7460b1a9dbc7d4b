"""An order for BankID from a request: who asks, what for, from where."""

import ipaddress
import secrets
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sidecar.plugin_api import SignInRequest
from tillit_bankid.model import USER_AGENT_LIMIT, Act, OrderRequest

NUMBER_SCHEME = "se-personnummer"


class Asking(Protocol):
    """What a request to identify and a request to sign have in common: whose browser asks, for which place."""

    @property
    def meeting(self) -> str: ...
    @property
    def participant(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def end_user_ip(self) -> str: ...
    @property
    def user_agent(self) -> str: ...
    @property
    def referring_domain(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def same_device(self) -> bool: ...
    @property
    def return_url(self) -> str | None: ...


def visible_text(request: SignInRequest) -> str:
    """Return what the app shows: who asks, then why."""
    return f"{request.brand_name}. {request.purpose}"


def hidden_text(request: SignInRequest) -> str:
    """Return what is signed unseen: it binds the signature to this place in this meeting and to one order."""
    return f"tillit-auth:v1;meeting={request.meeting};participant={request.participant};order={secrets.token_hex(16)}"


def make_order(
    request: Asking,
    *,
    act: Act,
    visible: str,
    non_visible: str,
    policy_oids: tuple[str, ...],
    nonce: str | None,
    personal_number: str | None = None,
) -> OrderRequest:
    """Return an order. nonce: what the app brings back to this browser, None for a QR code.

    personal_number: of the only person who may answer. Raises ValueError when the request's address is none.
    """
    return OrderRequest(
        act=act,
        end_user_ip=plain_address(request.end_user_ip),
        visible=visible.encode(),
        non_visible=non_visible.encode(),
        policy_oids=policy_oids,
        web=_web(request),
        return_url=_return_url(request.return_url, nonce) if nonce is not None else None,
        personal_number=personal_number,
    )


def same_address(one: str, other: str) -> bool:
    """Whether two IP addresses are one. What is no address equals nothing."""
    try:
        return plain_address(one) == plain_address(other)
    except ValueError:
        return False


def _return_url(return_url: str | None, nonce: str) -> str:
    """Return the address the app comes back to, with our nonce as its parameter `nonce`."""
    parts = urlsplit(return_url or "")
    query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "nonce"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("nonce", nonce)])))


def _web(request: Asking) -> dict[str, str]:
    """Return what BankID computes its risk from. What is not of BankID's form is left out."""
    domain = request.referring_domain.partition(":")[0]
    web = {}
    if 3 <= len(domain) <= 253:
        web["referringDomain"] = domain
    if request.user_agent:
        web["userAgent"] = request.user_agent[:USER_AGENT_LIMIT]
    if 1 <= len(request.device) <= 64:
        web["deviceIdentifier"] = request.device
    return web


def plain_address(text: str) -> str:
    """Return an IP address in its plain form. Raises ValueError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        # Said anew: the library's words repeat the address, and this ends up in a log.
        raise ValueError("the person's address is no IP address") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)

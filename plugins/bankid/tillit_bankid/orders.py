"""An order for BankID from a sign-in request: who asks, what for, from where."""

import ipaddress
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sidecar.plugin_api import SignInRequest
from tillit_bankid.model import USER_AGENT_LIMIT, Act, OrderRequest


def visible_text(request: SignInRequest) -> str:
    """Return what the app shows: who asks, then why."""
    return f"{request.brand_name}. {request.purpose}"


def hidden_text(request: SignInRequest) -> str:
    """Return what is signed unseen: it binds the signature to this place in this meeting and to one order."""
    return f"tillit-auth:v1;meeting={request.meeting};participant={request.participant};order={secrets.token_hex(16)}"


def identify_order(
    request: SignInRequest, *, visible: str, non_visible: str, policy_oids: tuple[str, ...], nonce: str | None
) -> OrderRequest:
    """Return an order to identify. nonce: what the app brings back to this browser, None for a QR code.

    Raises ValueError when the request's address is none.
    """
    return OrderRequest(
        act=Act.IDENTIFY,
        end_user_ip=plain_address(request.end_user_ip),
        visible=visible.encode(),
        non_visible=non_visible.encode(),
        policy_oids=policy_oids,
        web=_web(request),
        return_url=_return_url(request.return_url, nonce) if nonce is not None else None,
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


def _web(request: SignInRequest) -> dict[str, str]:
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

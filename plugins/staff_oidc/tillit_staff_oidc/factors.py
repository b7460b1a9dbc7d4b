"""Was the sign-in strong enough? The provider's words (acr, amr, auth_time) against what the purpose asks."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tillit_staff_oidc.refusal import Refusal
from tillit_staff_oidc.settings import Demand

# RFC 8176 section 2, by kind of proof. What says nothing about a factor (geo, rba, user, wia) is left out.
_KIND = {
    **dict.fromkeys(("pwd", "pin", "kba"), "knows"),
    **dict.fromkeys(("hwk", "swk", "sc", "otp", "sms", "tel", "pop"), "has"),
    **dict.fromkeys(("face", "fpt", "iris", "retina", "vbm"), "is"),
}


def has_two_factors(amr: tuple[str, ...]) -> bool:
    """Return whether amr shows two different kinds of proof, or says so itself ("mfa")."""
    return "mfa" in amr or len({_KIND[method] for method in amr if method in _KIND}) >= 2


def judge(
    claims: Mapping[str, Any],
    demand: Demand,
    *,
    acr_claim: str,
    authenticated_at: datetime,
    began_at: datetime,
    now: datetime,
    clock_skew: timedelta,
) -> tuple[str, tuple[str, ...]]:
    """Return (acr, amr) of a sign-in that is enough for its purpose, or raise Refusal.

    began_at: when we sent the person to the provider. A fresh sign-in cannot be older than that, whatever the
    provider made of prompt and max_age.
    """
    acr = _accepted_acr(claims.get(acr_claim), demand)
    amr = _methods(claims.get("amr"))
    if amr or not demand.acr_is_enough:
        if not has_two_factors(amr):
            raise Refusal("one-factor")
        if demand.strong_methods and not demand.strong_methods & set(amr):
            raise Refusal("no-strong-factor")
    if authenticated_at > now + clock_skew:
        raise Refusal("signed-in-in-the-future")
    slack = timedelta(0) if demand.fresh else clock_skew
    if now - authenticated_at > demand.max_age + slack:
        raise Refusal("signed-in-too-long-ago")
    if demand.fresh and authenticated_at < began_at - clock_skew:
        raise Refusal("not-signed-in-anew")
    return acr, amr


def _accepted_acr(stated: object, demand: Demand) -> str:
    """Return the first accepted value the provider stated: one text, or a list (Entra ID's acrs)."""
    values = stated if isinstance(stated, list) else [stated]
    for accepted in demand.acr_values:
        if accepted in values:
            return accepted
    raise Refusal("acr-not-accepted")


def _methods(stated: object) -> tuple[str, ...]:
    if stated is None:
        return ()
    if not isinstance(stated, list) or not all(isinstance(method, str) for method in stated):
        raise Refusal("amr-malformed")
    return tuple(stated)

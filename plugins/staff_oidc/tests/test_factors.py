"""How strong and how fresh a sign-in was, judged from what the provider said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tillit_staff_oidc.factors import has_two_factors, judge
from tillit_staff_oidc.refusal import Refusal
from tillit_staff_oidc.settings import STRONG_METHODS, Demand

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALL = Demand(("strong",), False, timedelta(seconds=60), frozenset(STRONG_METHODS), fresh=True)
DESK = Demand(("strong", "two"), False, timedelta(hours=8), frozenset(), fresh=False)


def judged(demand: Demand, claims: dict[str, Any], *, seconds_ago: float, began_seconds_ago: float = 0) -> Any:
    return judge(
        claims,
        demand,
        acr_claim="acr",
        authenticated_at=NOON - timedelta(seconds=seconds_ago),
        began_at=NOON - timedelta(seconds=began_seconds_ago),
        now=NOON,
        clock_skew=timedelta(seconds=10),
    )


@pytest.mark.requirement("R002")
@pytest.mark.parametrize(
    ("amr", "two"),
    [
        (("pwd", "otp"), True),
        (("pwd", "hwk"), True),
        (("pin", "sc"), True),
        (("face", "swk"), True),
        (("mfa",), True),
        (("pwd",), False),
        (("pwd", "pin"), False),
        (("otp", "sms"), False),
        (("pwd", "user", "geo", "rba", "wia"), False),
        (("pwd", "MFA"), False),
        ((), False),
    ],
)
def test_two_factors_are_two_kinds_of_proof(amr: tuple[str, ...], two: bool) -> None:
    assert has_two_factors(amr) is two


@pytest.mark.requirement("R015")
@pytest.mark.parametrize(
    ("seconds_ago", "began_seconds_ago", "cause"),
    [
        (0, 5, None),
        (60, 90, None),
        (60.5, 90, "signed-in-too-long-ago"),
        (15, 5, None),
        (16, 5, "not-signed-in-anew"),
        (-10, 5, None),
        (-11, 5, "signed-in-in-the-future"),
    ],
)
def test_a_call_takes_only_a_sign_in_made_for_it(
    seconds_ago: float, began_seconds_ago: float, cause: str | None
) -> None:
    claims = {"acr": "strong", "amr": ["pwd", "hwk"]}
    if cause is None:
        assert judged(CALL, claims, seconds_ago=seconds_ago, began_seconds_ago=began_seconds_ago)[0] == "strong"
        return

    with pytest.raises(Refusal, match=cause):
        judged(CALL, claims, seconds_ago=seconds_ago, began_seconds_ago=began_seconds_ago)


@pytest.mark.requirement("R015", "R009")
@pytest.mark.parametrize("method", STRONG_METHODS)
def test_each_strong_method_is_enough_beside_a_password(method: str) -> None:
    methods = ["pwd", method] if method != "mca" else ["pwd", "otp", "mca"]

    assert judged(CALL, {"acr": "strong", "amr": methods}, seconds_ago=1)[1] == tuple(methods)


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"acr": "other", "amr": ["mfa"]}, "acr-not-accepted"),
        ({"amr": ["mfa"]}, "acr-not-accepted"),
        ({"acr": {"strong": 1}, "amr": ["mfa"]}, "acr-not-accepted"),
        ({"acr": "two", "amr": "mfa"}, "amr-malformed"),
        ({"acr": "two", "amr": ["mfa", 1]}, "amr-malformed"),
        ({"acr": "two"}, "one-factor"),
    ],
)
def test_what_the_provider_did_not_say_clearly_is_refused(claims: dict[str, Any], cause: str) -> None:
    with pytest.raises(Refusal, match=cause):
        judged(DESK, claims, seconds_ago=1)


def test_a_list_of_context_classes_counts_when_it_holds_an_accepted_one() -> None:
    assert judged(DESK, {"acr": ["c1", "two"], "amr": ["mfa"]}, seconds_ago=1) == ("two", ("mfa",))


def test_a_desk_sign_in_ends_with_the_working_day() -> None:
    claims = {"acr": "two", "amr": ["pwd", "otp"]}
    judged(DESK, claims, seconds_ago=8 * 3600, began_seconds_ago=1)

    with pytest.raises(Refusal, match="signed-in-too-long-ago"):
        judged(DESK, claims, seconds_ago=8 * 3600 + 11)

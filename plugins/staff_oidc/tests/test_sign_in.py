"""Staff sign in through the bank's identity service, a real process that speaks OpenID Connect."""

import logging
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

import tillit_staff_oidc
from sidecar.plugin_api import PluginContext, StaffAssertion, StaffSignIn, StaffSignInError, from_text, to_text, utc_now

REDIRECT = "http://exempelbanken.localhost:8080/staff/callback"
STRONG = "urn:exempelbanken:acr:strong"

CLAIM_FAULTS = {
    "wrong_nonce": "nonce-mismatch",
    "missing_nonce": "nonce-mismatch",
    "expired": "token-expired",
    "issued_in_future": "token-of-another-time",
    "alg_none": "algorithm-not-allowed",
    "alg_hs256": "algorithm-not-allowed",
    "wrong_key": "signature-wrong",
    "unknown_kid": "key-unknown",
    "no_kid": "key-id-missing",
    "other_audience": "audience-mismatch",
    "more_audiences": "audience-mismatch",
    "other_azp": "authorized-party-mismatch",
    "other_issuer": "issuer-mismatch",
    "old_auth_time": "signed-in-too-long-ago",
    "missing_auth_time": "claim-missing-auth_time",
    "one_factor": "one-factor",
    "no_amr": "one-factor",
    "low_acr": "acr-not-accepted",
    "wrong_at_hash": "access-token-hash-mismatch",
    "access_token_type": "token-of-other-type",
    "empty_name": "name-missing",
    "groups_as_text": "groups-malformed",
    "wrong_response_issuer": "response-issuer-mismatch",
    "no_response_issuer": "response-issuer-missing",
    "other_state": "state-mismatch",
    "token_500": "provider-answered-500",
    "token_slow_body": "provider-answer-too-large",
    "jwks_500": "provider-answered-500",
}


def sign_in(
    service: Any, plugin: StaffSignIn, purpose: Literal["desk", "call"] = "desk", **choice: Any
) -> StaffAssertion:
    went = plugin.begin(redirect_uri=REDIRECT, purpose=purpose, now=utc_now())
    query = service.person_signs_in(went.url, **choice)
    return plugin.complete(query=query, state=went.state, now=utc_now())


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.cause for record in caplog.records if hasattr(record, "cause")]


@pytest.mark.requirement("R007")
def test_an_adviser_signs_in_with_the_banks_own_service(service: Any) -> None:
    before = utc_now()

    who = sign_in(service, service.plugin())

    assert (who.name, who.title, who.office) == ("Elin Sjöhage", "Rådgivare", "Luleå")
    assert who.provider == "staff_oidc"
    assert who.acr == STRONG
    assert {"pwd", "hwk"} <= set(who.amr)
    assert before - timedelta(seconds=2) <= who.authenticated_at <= utc_now()
    assert len(bytes.fromhex(who.evidence_digest)) == 32


@pytest.mark.requirement("R008")
@pytest.mark.parametrize(
    ("person", "groups"),
    [
        ("elin", ("bank-mortgage-advisers", "bank-advisers")),
        ("berit", ("bank-administrators",)),
        ("rolf", ("bank-compliance",)),
        ("nils", ("bank-customer-service",)),
    ],
)
def test_groups_arrive_unchanged_and_in_order(service: Any, person: str, groups: tuple[str, ...]) -> None:
    plugin = service.plugin()

    assert sign_in(service, plugin, person=person).groups == groups
    assert sign_in(service, plugin, person=person).groups == groups


def test_the_groups_claim_has_the_name_the_bank_gives_it(service: Any) -> None:
    assert sign_in(service, service.plugin(groups_claim="office")).groups == ("Luleå",)
    assert sign_in(service, service.plugin(groups_claim="nowhere")).groups == ()


def test_one_person_is_one_subject_and_two_are_two(service: Any) -> None:
    plugin = service.plugin()
    elin, again, berit = (sign_in(service, plugin, person=person) for person in ("elin", "elin", "berit"))

    assert elin.subject == again.subject != berit.subject
    assert elin.evidence_digest != again.evidence_digest


def test_the_request_is_bound_to_this_browser_and_this_product(service: Any) -> None:
    plugin = service.plugin()
    first, second = (plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now()) for _ in range(2))
    query = asked(first.url)

    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == REDIRECT
    assert first.state["code_verifier"] not in first.url
    for secret in ("state", "nonce", "code_verifier"):
        assert first.state[secret] != second.state[secret]
        assert len(first.state[secret]) >= 43
    assert first.state["code_verifier"] not in repr(first)


@pytest.mark.requirement("R015")
def test_a_call_asks_for_a_new_and_strong_sign_in(service: Any) -> None:
    query = asked(service.plugin().begin(redirect_uri=REDIRECT, purpose="call", now=utc_now()).url)

    assert query["prompt"] == "login"
    assert query["max_age"] == "0"
    assert query["acr_values"] == STRONG
    assert '"acr":{"essential":true' in query["claims"]


@pytest.mark.requirement("R015")
def test_a_desk_session_alone_does_not_open_a_call(service: Any) -> None:
    """The browser is signed in at the provider; the desk passes without a question, the call does not."""
    plugin = service.plugin()
    sign_in(service, plugin, remember=True)

    desk = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    call = plugin.begin(redirect_uri=REDIRECT, purpose="call", now=utc_now())

    assert service.browser.get(desk.url, timeout=30, allow_redirects=False).status_code == 303
    assert service.browser.get(call.url, timeout=30, allow_redirects=False).status_code == 200


@pytest.mark.requirement("R015")
def test_a_provider_that_reuses_an_earlier_sign_in_for_a_call_is_refused(
    service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """prompt and max_age are wishes; auth_time tells what was done with them."""
    service.go_wrong("earlier_auth_time")

    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(), purpose="call")
    assert causes(caplog) == ["not-signed-in-anew"]


@pytest.mark.requirement("R015", "R009")
@pytest.mark.parametrize("factors", ["key", "phone"])
def test_a_security_key_or_a_phone_opens_a_call(service: Any, factors: str) -> None:
    assert sign_in(service, service.plugin(), purpose="call", factors=factors).acr == STRONG


@pytest.mark.requirement("R015")
def test_a_code_card_is_enough_for_the_desk_and_not_for_a_call(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert "otp" in sign_in(service, service.plugin(), factors="card").amr

    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(), purpose="call", factors="card")
    assert causes(caplog) == ["provider-said-unmet_authentication_requirements"]


@pytest.mark.requirement("R015")
def test_two_factors_without_a_strong_one_do_not_open_a_call(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A provider that calls a code card strong is not believed: amr is judged too."""
    lenient = {"acr_values": [STRONG, "urn:exempelbanken:acr:two-factor"]}

    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(call=lenient), purpose="call", factors="card")
    assert causes(caplog) == ["no-strong-factor"]


@pytest.mark.requirement("R002")
def test_a_password_alone_is_refused_with_its_reason_in_the_log(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    lenient = {"acr_values": ["urn:exempelbanken:acr:password"]}

    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(desk=lenient), factors="password")
    assert causes(caplog) == ["one-factor"]


@pytest.mark.requirement("R007")
@pytest.mark.parametrize(("fault", "cause"), CLAIM_FAULTS.items())
def test_a_faulty_answer_is_refused(service: Any, caplog: pytest.LogCaptureFixture, fault: str, cause: str) -> None:
    plugin = service.plugin()
    if fault != "jwks_500":
        sign_in(service, plugin)
    service.go_wrong(fault)

    with pytest.raises(StaffSignInError) as refused:
        sign_in(service, plugin)

    assert causes(caplog) == [cause]
    assert refused.value.detail == "The bank's identity service did not vouch for this sign-in."
    assert refused.value.params == {}


@pytest.mark.parametrize("fault", ["discovery_500", "discovery_other_issuer"])
def test_a_provider_that_describes_itself_wrongly_is_not_used(service: Any, fault: str) -> None:
    service.go_wrong(fault)

    with pytest.raises(StaffSignInError):
        service.plugin().begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())


@pytest.mark.parametrize(
    ("action", "cause"), [("cancel", "provider-said-access_denied"), ("fail", "provider-said-server_error")]
)
def test_cancelling_and_failing_at_the_provider_refuse(
    service: Any, caplog: pytest.LogCaptureFixture, action: str, cause: str
) -> None:
    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(), action=action)
    assert causes(caplog) == [cause]


def test_the_log_names_the_cause_and_nobody(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tillit_staff_oidc")
    service.go_wrong("one_factor")

    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin())

    lines = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("tillit"))
    assert "one-factor" in lines
    for secret in ("Elin", "Sjöhage", "7c1b6f0e", "eyJ"):
        assert secret not in lines


def test_an_error_word_of_the_callers_own_making_is_not_repeated_in_the_log(
    service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    query = {"state": went.state["state"], "iss": service.issuer, "error": "forged\nline"}

    with pytest.raises(StaffSignInError):
        plugin.complete(query=query, state=went.state, now=utc_now())
    assert causes(caplog) == ["provider-said-other"]


def test_one_return_is_good_for_one_sign_in(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    query = service.person_signs_in(went.url)
    plugin.complete(query=query, state=went.state, now=utc_now())

    with pytest.raises(StaffSignInError):
        plugin.complete(query=query, state=went.state, now=utc_now())
    assert causes(caplog) == ["state-used"]


def test_a_code_is_good_once_even_for_another_worker(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A second process has not seen the state; the provider refuses the code."""
    plugin, other = service.plugin(), service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    query = service.person_signs_in(went.url)
    plugin.complete(query=query, state=went.state, now=utc_now())

    with pytest.raises(StaffSignInError):
        other.complete(query=query, state=went.state, now=utc_now())
    assert causes(caplog) == ["provider-answered-400"]


def test_a_code_of_another_browser_is_refused(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Code injection: the attacker's code in the victim's browser meets another verifier and nonce."""
    plugin = service.plugin()
    victim, attacker = (plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now()) for _ in range(2))
    stolen = service.person_signs_in(attacker.url, person="berit")

    with pytest.raises(StaffSignInError):
        plugin.complete(query=stolen | {"state": victim.state["state"]}, state=victim.state, now=utc_now())
    assert causes(caplog) == ["provider-answered-400"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"state": None}, "state-missing"),
        ({"began_at": None}, "state-missing"),
        ({"state": "another"}, "state-mismatch"),
        ({"purpose": "vault"}, "purpose-unknown"),
    ],
)
def test_a_state_that_was_not_handed_out_is_refused(
    service: Any, caplog: pytest.LogCaptureFixture, change: dict[str, Any], cause: str
) -> None:
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    query = service.person_signs_in(went.url)

    with pytest.raises(StaffSignInError):
        plugin.complete(query=query, state={**went.state, **change}, now=utc_now())
    assert causes(caplog) == [cause]


def test_a_sign_in_left_lying_is_refused(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())
    early = to_text(from_text(went.state["began_at"]) - timedelta(minutes=11))

    with pytest.raises(StaffSignInError):
        plugin.complete(query={"state": went.state["state"]}, state={**went.state, "began_at": early}, now=utc_now())
    assert causes(caplog) == ["state-too-old"]


def test_a_return_without_a_code_is_refused(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin = service.plugin()
    went = plugin.begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())

    with pytest.raises(StaffSignInError):
        plugin.complete(query={"state": went.state["state"], "iss": service.issuer}, state=went.state, now=utc_now())
    assert causes(caplog) == ["code-missing"]


def test_rotated_keys_are_found_without_a_restart(service: Any) -> None:
    plugin = service.plugin()
    first = sign_in(service, plugin)
    requests.post(f"{service.issuer}/control/rotate", timeout=30).raise_for_status()

    assert sign_in(service, plugin).subject == first.subject


def test_unknown_key_ids_cannot_make_us_hammer_the_provider(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin = service.plugin()
    service.go_wrong("unknown_kid")
    for _ in range(4):
        with pytest.raises(StaffSignInError):
            sign_in(service, plugin)

    assert causes(caplog) == ["key-unknown"] * 4
    assert len(plugin._provider._fetches) == 3


def test_a_client_secret_works_where_there_is_no_key(service: Any) -> None:
    secret_file = str(service.folder / "client-secret")

    assert sign_in(service, service.plugin(key_file=None, client_secret_file=secret_file)).name == "Elin Sjöhage"


def test_a_wrong_client_secret_is_refused(service: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "secret").write_text("not the secret of this client")
    plugin = service.plugin(key_file=None, client_secret_file=str(tmp_path / "secret"))

    with pytest.raises(StaffSignInError):
        sign_in(service, plugin)
    assert causes(caplog) == ["provider-answered-401"]


def test_an_assertion_for_the_token_endpoint_works_too(service: Any) -> None:
    assert sign_in(service, service.plugin(assertion_audience="token_endpoint")).name == "Elin Sjöhage"


def test_a_token_without_amr_passes_only_where_the_bank_trusts_acr_alone(service: Any) -> None:
    service.go_wrong("no_amr")
    trusting = service.plugin(desk={"acr_values": [STRONG], "acr_is_enough": True})

    assert sign_in(service, trusting).amr == ()


def test_an_algorithm_the_bank_did_not_allow_is_refused(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StaffSignInError):
        sign_in(service, service.plugin(algorithms=["PS256"]))
    assert causes(caplog) == ["algorithm-not-allowed"]


@pytest.mark.parametrize("provider_process", ["RS256"], indirect=True)
def test_a_provider_with_rsa_keys_works(service: Any) -> None:
    assert sign_in(service, service.plugin()).name == "Elin Sjöhage"


def test_a_provider_that_is_down_gives_the_same_refusal(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StaffSignInError) as refused:
        service.plugin(issuer="http://localhost:1").begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now())

    assert refused.value.detail == "The bank's identity service did not vouch for this sign-in."
    assert causes(caplog) == ["provider-unreachable"]


def test_the_settings_the_stand_in_leaves_are_in_force_as_they_are(service: Any) -> None:
    tables = tomllib.loads((service.folder / "settings.toml").read_text("utf-8"))["plugins"]
    context = PluginContext("staff_oidc", tables["staff_oidc"], utc_now, lambda purpose: b"\0" * 32)

    who = sign_in(service, tillit_staff_oidc.load(context).provide_staff_sign_in(), purpose="call", factors="phone")

    assert who.title == "Rådgivare"

"""The stand-in is as strict as a real provider, or the tests against it prove nothing."""

import base64
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from sidecar.plugin_api import utc_now

REDIRECT = "http://exempelbanken.localhost:8080/staff/callback"


def request_url(service: Any) -> str:
    url: str = service.plugin().begin(redirect_uri=REDIRECT, purpose="desk", now=utc_now()).url
    return url


def changed(url: str, **changes: str | None) -> str:
    query = dict(parse_qsl(urlsplit(url).query)) | changes
    return f"{url.split('?')[0]}?{urlencode({key: value for key, value in query.items() if value is not None})}"


@pytest.mark.parametrize("change", [{"redirect_uri": REDIRECT + "/"}, {"redirect_uri": None}, {"client_id": "other"}])
def test_an_unknown_client_or_address_is_not_redirected(service: Any, change: dict[str, str | None]) -> None:
    answer = requests.get(changed(request_url(service), **change), timeout=30, allow_redirects=False)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "x"}, "request_not_supported"),
    ],
)
def test_a_wrong_request_is_sent_back_with_its_error(service: Any, change: dict[str, str | None], error: str) -> None:
    answer = requests.get(changed(request_url(service), **change), timeout=30, allow_redirects=False)

    assert answer.status_code == 303
    assert dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["error"] == error


def test_a_page_decides_once(service: Any) -> None:
    page = service.browser.get(request_url(service), timeout=30)
    ticket = page.text.split('name="ticket" value="')[1].split('"')[0]
    form = {"ticket": ticket, "person": "elin", "factors": "key", "action": "sign_in"}
    decide = f"{service.issuer}/authorize/decide"

    assert requests.post(decide, form, timeout=30, allow_redirects=False).status_code == 303
    assert requests.post(decide, form, timeout=30, allow_redirects=False).status_code == 400


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({}, {}, 401, "invalid_client"),
        ({"client_id": "tillit", "client_secret": "wrong"}, {}, 401, "invalid_client"),
        ({"client_assertion": "x", "client_assertion_type": "y"}, {}, 401, "invalid_client"),
        ({}, {"Authorization": "Bearer x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, {"Authorization": "right"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, {"Authorization": "right"}, 400, "invalid_grant"),
    ],
)
def test_the_token_endpoint_answers_with_the_protocols_errors(
    service: Any, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    if headers.get("Authorization") == "right":
        secret = (service.folder / "client-secret").read_text()
        headers = {"Authorization": "Basic " + base64.b64encode(f"tillit:{secret}".encode()).decode()}

    answer = requests.post(f"{service.issuer}/token", form, headers=headers, timeout=30)

    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_pages_run_nothing_that_is_not_their_own(service: Any) -> None:
    page = requests.get(request_url(service), timeout=30)
    policy = page.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert "style=" not in page.text


@pytest.mark.parametrize(("language", "title"), [("sv", "Logga in på jobbet"), ("en", "Sign in at work")])
def test_the_page_speaks_swedish_and_english(service: Any, language: str, title: str) -> None:
    assert title in requests.get(request_url(service) + f"&lang={language}", timeout=30).text


def test_an_unknown_fault_is_refused(service: Any) -> None:
    assert requests.put(f"{service.issuer}/control/faults", json={"faults": ["magic"]}, timeout=30).status_code == 400

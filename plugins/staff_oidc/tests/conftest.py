"""The identity service as its own process, and a person in front of its page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

import tillit_staff_oidc
from sidecar.plugin_api import PluginContext, StaffSignIn, utc_now
from simulators.common.running import running

REDIRECT = "http://exempelbanken.localhost:8080/staff/callback"
STRONG = "urn:exempelbanken:acr:strong"
TWO = "urn:exempelbanken:acr:two-factor"


@dataclass
class IdentityService:
    """The running provider. settings: a valid [plugins.staff_oidc] table for it."""

    issuer: str
    folder: Path
    browser: requests.Session = field(default_factory=requests.Session)

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "client_id": "tillit",
            "key_file": str(self.folder / "client-key.pem"),
            "title_claim": "title",
            "office_claim": "office",
            "desk": {"acr_values": [STRONG, TWO]},
            "call": {"acr_values": [STRONG]},
        }

    def plugin(self, **changes: Any) -> StaffSignIn:
        table = {key: value for key, value in (self.settings | changes).items() if value is not None}
        return load(table)

    def go_wrong(self, *names: str) -> None:
        requests.put(f"{self.issuer}/control/faults", json={"faults": names}, timeout=30).raise_for_status()

    def person_signs_in(
        self,
        url: str,
        person: str = "elin",
        factors: str = "key",
        action: str = "sign_in",
        remember: bool = False,
    ) -> dict[str, str]:
        """Open the page, choose, press a button; return the query the browser comes back with."""
        page = self.browser.get(url, timeout=30, allow_redirects=False)
        if page.status_code == 303:
            return returned(page)
        ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
        assert ticket, page.text
        form = {"ticket": ticket[1], "person": person, "factors": factors, "action": action}
        form |= {"remember": "1"} if remember else {}
        answer = self.browser.post(f"{self.issuer}/authorize/decide", form, timeout=30, allow_redirects=False)
        return returned(answer)


def returned(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 303, answer.text
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT
    return dict(parse_qsl(location.query, strict_parsing=True))


def load(table: Mapping[str, Any]) -> StaffSignIn:
    context = PluginContext(name="staff_oidc", settings=table, clock=utc_now, secret=lambda purpose: b"\0" * 32)
    return tillit_staff_oidc.load(context).provide_staff_sign_in()


@pytest.fixture(scope="session", params=["ES256"])
def provider_process(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[IdentityService]:
    folder = tmp_path_factory.mktemp("identity_service")
    arguments = (
        "--dir",
        str(folder),
        "--port",
        "0",
        "--redirect-uri",
        REDIRECT,
        "--algorithm",
        request.param,
    )
    with running("simulators.identity_service", *arguments) as process:
        yield IdentityService(process.addresses["issuer"], folder)


@pytest.fixture
def service(provider_process: IdentityService) -> Iterator[IdentityService]:
    provider_process.browser = requests.Session()
    yield provider_process
    provider_process.go_wrong()

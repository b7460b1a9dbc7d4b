"""Whatever is sent, to whichever route, by somebody who may be there: an answer that says what is wrong, no crash."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity
from sidecar.services.ports import SignInRequest, SignInStep
from sidecar.testing import BERIT, ELIN, MAJA, ORIGIN, SAMIR, Browser, Product, guest

FIELDS = (
    *("type", "customer", "purpose", "starts_at", "minutes", "guests", "case", "brand", "adviser", "channel"),
    *("kind", "language", "subject", "body", "text", "raised", "action", "surface", "participant", "name", "capacity"),
    *("email", "phone", "national_id", "country", "target", "token", "sdp", "version", "method", "same_device"),
    *("code", "choice", "events"),
)
VALUES: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "a huge number": 10**40,
    "not a number": float("inf"),
    "true": True,
    "a list": ["x"],
    "an object": {"x": 1},
    "empty": "",
    "long": "x" * 50_000,
    "half a sign": "\ud83d",
    "control signs": "a\x00b\x1b[2J\r\nSet-Cookie: x=y",
    "a path": "../../../../etc/passwd",
    "sql": "' OR 1=1; --",
    "a template": "{{7*7}}{link}{0.__class__}%s",
    "markup": "<script>alert(1)</script>",
    "the far past": "0001-01-01T00:00:00+14:00",
    "the far future": "9999-12-31T23:59:59-14:00",
    "a personal number": MAJA.number,
}
BODIES: dict[str, Any] = {name: dict.fromkeys(FIELDS, value) for name, value in VALUES.items()}


class Scene:
    """A meeting under way, and everybody who may send something."""

    def __init__(self, product: Product) -> None:
        self.product = product
        meeting = product.book(guests=[guest(SAMIR)])
        self.mid = meeting.id
        self.elin = product.opens(meeting)
        self.maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
        self.elin.post("room/admit", {"participant": self.maja.place})
        self.maja.joins()
        self.samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER))
        self.berit = product.signs_in(BERIT)
        self.key = product.services.api_keys.create("crm", ["book", "read", "evidence"])

    def senders(self, path: str) -> list[Browser]:
        if path.startswith(("/v/<pid>/sign-in", "/v/<pid>/consent")):
            return [self.samir]
        if path.startswith("/v/"):
            return [self.maja, self.elin]
        return [self.berit if "messages" in path else self.elin]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(Product(tmp_path_factory.mktemp("hostile")))


def paths(product: Product) -> list[str]:
    """Return every route that takes a body, but those that end the scene for the others."""
    ending = ("/staff/sign-out", "/v/<pid>/room/end", "/v/<pid>/room/leave", "/internal/bridge/events", "/call")
    rules = [rule for rule in product.app.url_map.iter_rules() if "POST" in (rule.methods or set())]
    return sorted(rule.rule for rule in rules if rule.rule not in ending)


@pytest.mark.parametrize("body", BODIES)
def test_no_body_makes_a_route_crash(scene: Scene, body: str) -> None:
    product = scene.product
    for path in paths(product):
        url = path.replace("<mid>", scene.mid).replace("<errand>", "e_none")
        if path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {scene.key}"}
            answers = [product.app.test_client().post(url, json=BODIES[body], headers=headers, base_url=ORIGIN)]
        else:
            answers = [each.post(url.replace("<pid>", each.place), BODIES[body]) for each in scene.senders(path)]
        for answer in answers:
            assert answer.status_code < 500, (path, body, answer.text)
            if answer.status_code >= 400:
                assert answer.mimetype == "application/problem+json", path
                assert answer.get_json()["sentence"]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b'"text"', b"[" * 20_000, b'{"a":1}{"b":2}'])
def test_no_bytes_make_a_route_crash(scene: Scene, data: bytes) -> None:
    for path in paths(scene.product):
        if not path.startswith("/v/"):
            continue
        for sender in scene.senders(path):
            answer = sender.client.post(
                path.replace("<pid>", sender.place),
                data=data,
                content_type="application/json",
                headers={"X-Tillit-CSRF": sender.csrf()},
                base_url=ORIGIN,
            )
            assert answer.status_code < 500, (path, data[:20], answer.text)


@pytest.mark.parametrize("value", ["x", "", "%00", "..%2f..", "ä", "p_" + "a" * 500, "m_2222222222222222222%0a"])
def test_no_address_makes_a_page_crash(tmp_path: Path, value: str) -> None:
    product = Product(tmp_path)
    elin = product.signs_in(ELIN)
    for rule in product.app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()) or not rule.arguments or rule.rule.endswith("/events"):
            continue
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<{name}>", value).replace(f"<path:{name}>", value)
        answer = elin.get(path)
        assert answer.status_code < 500, (path, answer.text)
        answer.close()


@pytest.mark.parametrize("host", ["evil.example", "exempelbanken.example:8080", "x\u0000", "", "[::1]", "a" * 300])
def test_another_host_is_answered_as_the_first_bank_and_never_echoed_into_a_link(tmp_path: Path, host: str) -> None:
    product = Product(tmp_path)
    answer = product.app.test_client().get("/call", headers={"Host": host}, base_url=ORIGIN)

    assert answer.status_code < 500
    assert "evil.example" not in answer.text


def test_a_forwarded_address_counts_only_from_a_proxy_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = Product(tmp_path, more='[web]\ntrusted_proxies = ["10.0.0.0/8"]')
    seen: list[str] = []
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    start = product.eid.start

    def spy(request: SignInRequest) -> SignInStep:
        seen.append(request.end_user_ip)
        return start(request)

    monkeypatch.setattr(product.eid, "start", spy)
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Tillit-CSRF": maja.csrf()}
    for proxy in ("10.1.2.3", "192.0.2.1"):
        maja.client.post(
            f"/v/{maja.place}/sign-in/start",
            json={"method": "bankid"},
            headers=headers,
            base_url=ORIGIN,
            environ_base={"REMOTE_ADDR": proxy},
        )

    assert seen == ["203.0.113.7", "192.0.2.1"]

"""Who may call what: every route says it, the server holds everybody to it, and a session is nobody else's."""

from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from sidecar.domain.errors import ConfigurationError, StoreUnavailableError
from sidecar.domain.permissions import Capacity
from sidecar.testing import BERIT, COLM, ELIN, MAJA, ORIGIN, SAMIR, SIV, TURE, Browser, Product, guest
from sidecar.web.access import access, caller_of, check_declared

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def maja(product: Product) -> Browser:
    """Maja's browser, identified and in the lobby."""
    return product.arrives(product.place_of(product.book(guests=[guest(SAMIR)]), Capacity.CUSTOMER)).waits(MAJA)


def routes(product: Product, *callers: str, methods: set[str] | None = None) -> list[tuple[str, str]]:
    """Return (method, path with its arguments still open) of the routes that declared these callers."""
    return sorted(
        (method, rule.rule)
        for rule in product.app.url_map.iter_rules()
        if caller_of(product.app, rule.endpoint) in callers
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if methods is None or method in methods
    )


def ask(
    browser: Browser,
    route: tuple[str, str],
    *,
    csrf: str | None = None,
    body: dict[str, str] | None = None,
    **values: str,
) -> TestResponse:
    method, path = route
    for name, value in ({"pid": browser.place, "mid": "m_none", "errand": "e_none", "name": "x"} | values).items():
        path = path.replace(f"<{name}>", value)
    if method == "GET":
        return browser.get(path)
    return browser.post(path, body, csrf=csrf)


# Declared


@pytest.mark.requirement("R129")
def test_every_route_says_who_may_call_it(product: Product) -> None:
    open_to_all = {path for _, path in routes(product, "anyone")}

    check_declared(product.app)
    assert open_to_all == {
        "/",
        "/.well-known/jwks.json",
        "/api/openapi.json",
        "/brand-logo",
        "/brand.css",
        "/call",
        "/evidence",
        "/evidence/verify_evidence.py",
        "/healthz",
        "/internal/prosody/asap/<digest>.pem",
        "/internal/prosody/control-keys.json",
        "/internal/prosody/join-keys.json",
        "/jitsi/branding.json",
        "/jitsi/config.js",
        "/jitsi/interface_config.js",
        "/m/<link>",
        "/privacy",
        "/problems",
        "/readyz",
        "/staff/callback",
        "/staff/sign-in",
        "/static/<path:name>",
        "/static/x/<plugin>/<path:name>",
    }, "a route that anybody may call is added here on purpose, not by chance"


@pytest.mark.requirement("R129")
def test_a_route_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    app = Flask("careless", static_folder=None)
    app.add_url_rule("/open", "open", access("anyone")(lambda: "open"))
    check_declared(app)

    app.add_url_rule("/forgotten", "forgotten", lambda: "everything")

    with pytest.raises(ConfigurationError, match="/forgotten"):
        check_declared(app)


# Customers and guests


@pytest.mark.requirement("R001", "R059")
def test_without_the_invitations_link_a_place_does_not_exist(product: Product, maja: Browser) -> None:
    stranger = Browser(product, place=maja.place)

    for route in routes(product, "visitor", "occupant"):
        assert ask(stranger, route).status_code == 404, route


@pytest.mark.requirement("R001", "R011")
def test_a_browser_that_only_has_the_link_gets_nothing_of_the_meeting(product: Product, maja: Browser) -> None:
    """Maja is in the lobby on her phone. Whoever opens the same link elsewhere is nobody there."""
    other = product.arrives(product.place(maja.place), consents=False)

    for route in routes(product, "occupant"):
        answer = ask(other, route)
        assert answer.status_code == 401, route
        assert answer.get_json()["type"].endswith("#not-identified")


@pytest.mark.requirement("R001")
def test_the_pages_before_the_sign_in_name_nobody_but_the_adviser(product: Product, maja: Browser) -> None:
    other = product.arrives(product.place(maja.place), consents=False)

    for page in ("arrive", "privacy", "identify", "refused", "left"):
        text = other.get(page).text
        assert "Granlid" not in text, page
        assert "Haddin" not in text, page
    assert "Elin Sjöhage" in other.get("arrive").text
    assert "Haddin" in maja.get("arrive").text, "who has shown who they are may know who else comes"


@pytest.mark.requirement("R011")
def test_anothers_place_does_not_exist_for_somebody_who_is_identified_for_their_own(
    product: Product, maja: Browser
) -> None:
    samir = product.place_of(product.meeting(product.place(maja.place).meeting), Capacity.OBSERVER)

    for route in routes(product, "visitor", "occupant"):
        assert ask(maja, route, pid=samir.id).status_code == 404, route


@pytest.mark.requirement("R011")
def test_the_advisers_own_place_is_for_the_adviser_alone(product: Product, maja: Browser) -> None:
    meeting = product.meeting(product.place(maja.place).meeting)
    adviser, siv = product.place_of(meeting, Capacity.ADVISER), product.signs_in(SIV)

    for route in routes(product, "visitor", "occupant"):
        assert ask(maja, route, pid=adviser.id).status_code in (401, 404), route
        assert ask(siv, route, pid=adviser.id).status_code == 404, route


@pytest.mark.requirement("R011")
def test_who_identifies_anew_in_another_browser_leaves_the_first_one_outside(product: Product, maja: Browser) -> None:
    product.clock.on(minutes=1)
    other = product.arrives(product.place(maja.place), consents=False)
    assert other.identifies(MAJA).get_json()["status"] == "complete"

    assert maja.get("lobby").status_code == 401
    assert other.get("lobby").status_code == 200


def test_a_page_is_led_to_the_sign_in_where_a_program_gets_a_problem(product: Product, maja: Browser) -> None:
    other = product.arrives(product.place(maja.place), consents=False)
    page = other.get("lobby", headers={"Accept": "text/html"})

    assert page.status_code == 302
    assert page.headers["Location"] == f"/v/{maja.place}/identify"


# Staff


@pytest.mark.requirement("R007", "R129")
def test_nothing_at_the_desk_answers_somebody_who_is_not_signed_in(product: Product) -> None:
    meeting = product.book()

    for route in routes(product, "staff"):
        answer = ask(product.browser(), route, mid=meeting.id)
        assert answer.status_code == 401, route
        assert answer.get_json()["type"].endswith("#not-signed-in")


def test_a_page_of_the_desk_leads_to_the_sign_in_and_back(product: Product) -> None:
    answer = product.browser().get("/desk/journals", headers={"Accept": "text/html"})

    assert answer.headers["Location"] == "/staff/sign-in?next=/desk/journals"


@pytest.mark.requirement("R129")
def test_a_colleague_neither_sees_nor_changes_a_meeting(product: Product) -> None:
    meeting = product.book(starts_at=product.clock() + timedelta(hours=1))
    siv = product.signs_in(SIV)
    before = product.stores()["meetings.meetings"]

    for route in routes(product, "staff"):
        if "<mid>" in route[1] and not route[1].endswith(("/start", "/pick-up")):
            answer = ask(siv, route, mid=meeting.id, body={"starts_at": "2026-11-25T12:00:00Z"})
            assert answer.status_code in (403, 404), route
    assert product.stores()["meetings.meetings"] == before


@pytest.mark.requirement("R129")
def test_whoever_may_read_every_journal_may_still_change_no_meeting(product: Product) -> None:
    """Compliance reads afterwards. Before, the same right let it cancel and move colleagues' meetings."""
    meeting = product.book(starts_at=product.clock() + timedelta(hours=1))
    colm = product.signs_in(COLM)
    kept = ("meetings.meetings", "meetings.participants", "meetings.errands")
    before = {name: product.stores()[name] for name in kept}

    assert colm.get(f"/desk/meetings/{meeting.id}/journal").status_code == 200
    for route in routes(product, "staff", methods=CHANGING):
        if "<mid>" in route[1] and not route[1].endswith("/start"):
            answer = ask(colm, route, mid=meeting.id, body={"starts_at": "2026-11-25T12:00:00Z"})
            assert answer.status_code in (403, 404), route
    assert {name: product.stores()[name] for name in kept} == before


@pytest.mark.requirement("R129")
@pytest.mark.parametrize("path", ["/desk/book", "/desk/customers?q=ma", "/desk/messages"])
def test_a_role_without_the_right_is_refused_and_it_is_recorded(product: Product, path: str) -> None:
    who = BERIT if path != "/desk/messages" else ELIN
    answer = product.signs_in(who).get(path)

    assert answer.status_code == 403
    assert product.records()[-1].kind == "permission.refused"
    assert product.records()[-1].data["rule"] == answer.get_json()["rule"]


# Programs


@pytest.mark.requirement("R139")
@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer tillit_unknown_but_long_enough_to_be_one"}])
def test_the_open_api_answers_no_program_without_a_key(product: Product, sent: dict[str, str]) -> None:
    for method, path in routes(product, "system"):
        answer = product.app.test_client().open(
            path.replace("<mid>", "m_none"), method=method, headers=sent, base_url=ORIGIN
        )
        assert answer.status_code == 401, path
        assert answer.mimetype == "application/problem+json"


@pytest.mark.requirement("R139")
def test_each_route_of_the_open_api_asks_for_one_right(product: Product) -> None:
    keys = {right: product.services.api_keys.create(right, [right]) for right in ("book", "read", "evidence")}
    meeting = product.book()

    for method, path in routes(product, "system"):
        statuses = {
            right: product.app.test_client()
            .open(
                path.replace("<mid>", meeting.id),
                method=method,
                headers={"Authorization": f"Bearer {key}"},
                base_url=ORIGIN,
            )
            .status_code
            for right, key in keys.items()
        }
        assert sorted(status == 403 for status in statuses.values()) == [False, True, True], (method, path, statuses)
    denied = [record for record in product.records() if record.kind == "system.denied"]
    assert len(denied) == 2 * len(routes(product, "system"))
    assert all(record.actor.startswith("sys_") for record in denied)


@pytest.mark.parametrize("token", ["", "x", "eyJhbGciOiJub25lIn0.e30."])
def test_the_bridges_address_listens_to_the_bridge_alone(product: Product, token: str) -> None:
    assert set(routes(product, "bridge")) == {
        ("POST", "/internal/bridge/events"),
        ("POST", "/internal/prosody/admissions"),
    }
    assert product.bridge_says(token=token).status_code == 401
    asked = product.app.test_client().post(
        "/internal/prosody/admissions",
        json={"room": "r", "participant": "p"},
        headers={"Authorization": f"Bearer {token}"},
        base_url=ORIGIN,
    )
    assert asked.status_code == 401
    assert product.bridge_says().status_code == 200


def test_a_report_of_the_bridge_counts_once_and_for_its_own_words_only(product: Product) -> None:
    token = product.bridge_token()

    assert product.bridge_says({"id": "ev_1", "kind": "media.left"}, token=token).status_code == 401
    assert product.bridge_says(token=token).status_code == 200
    assert product.bridge_says(token=token).status_code == 401, "the same token again"


# Requests from other sites


@pytest.mark.requirement("R129")
def test_no_change_is_made_without_the_pages_own_csrf_value(product: Product, maja: Browser) -> None:
    elin = product.signs_in(ELIN)
    before = product.stores()

    for wrong in ("", "x", maja.csrf()[:-1]):
        for route in routes(product, "visitor", "occupant", methods=CHANGING):
            answer = ask(maja, route, csrf=wrong)
            assert answer.status_code == 403, route
            assert answer.get_json()["type"].endswith("#csrf")
        for route in routes(product, "staff", methods=CHANGING):
            assert ask(elin, route, csrf=wrong).status_code == 403, route
        assert product.browser().post("/call", {"type": "onboarding"}, form=True, csrf=wrong).status_code == 403
    assert product.stores() == before


def test_one_persons_csrf_value_is_nothing_in_anothers_session(product: Product, maja: Browser) -> None:
    ture = product.arrives(product.place_of(product.book(customer=product.customer(TURE)), Capacity.CUSTOMER))

    assert maja.post("lobby/choice", {"choice": "wait"}, csrf=ture.csrf()).status_code == 403


# Sessions


@pytest.mark.requirement("R011", "R015")
def test_the_session_gets_another_id_when_somebody_shows_who_they_are(product: Product) -> None:
    """Whoever planted a session in this browser before, or read it, has nothing afterwards."""
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    planted, csrf = maja.cookie("tillit_visit"), maja.csrf()
    assert maja.identifies(MAJA).get_json()["status"] == "complete"

    assert maja.cookie("tillit_visit") not in ("", planted)
    assert maja.csrf() != csrf
    assert product.services.sessions.get(planted, now=product.clock()) is None


@pytest.mark.requirement("R015")
def test_the_staff_session_gets_another_id_at_the_sign_in_and_is_gone_after_the_sign_out(product: Product) -> None:
    elin = product.browser()
    begun = elin.get("/staff/sign-in")
    planted = elin.cookie("tillit_staff")
    elin.passes_identity_service(begun, ELIN)
    signed_in = elin.cookie("tillit_staff")

    assert signed_in not in ("", planted)
    assert product.services.sessions.get(planted, now=product.clock()) is None
    assert elin.post("/staff/sign-out").status_code == 302
    assert product.services.sessions.get(signed_in, now=product.clock()) is None
    thief = product.browser()
    thief.client.set_cookie("tillit_staff", signed_in, domain="exempelbanken.example")
    assert thief.get("/desk").status_code == 401


def test_a_sign_in_whose_session_cannot_be_kept_is_not_said_to_have_worked(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnavailableError("sessions.sqlite: database or disk is full")

    browser = product.browser()
    state = browser.get("/staff/sign-in").headers["Location"].partition("state=")[2]
    monkeypatch.setattr(product.services.sessions, "put", full)

    answer = browser.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems#store-unavailable")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("settings", "secure"), [("", True), ("[web]\nsecure_cookies = false", False)], ids=["default", "laptop"]
)
def test_cookies_are_out_of_reach_of_scripts_other_sites_and_plain_http(
    tmp_path: Path, settings: str, secure: bool
) -> None:
    product = Product(tmp_path, more=settings)
    place = product.place_of(product.book(), Capacity.CUSTOMER)
    browser = product.browser()
    answers = [browser.get(f"/m/{product.services.links.secret(place.id)}"), browser.get("/staff/sign-in")]
    cookies = SimpleCookie("\n".join(line for answer in answers for line in answer.headers.getlist("Set-Cookie")))

    assert set(cookies) == {"tillit_visit", "tillit_staff", "tillit_device"}
    for name, cookie in cookies.items():
        assert cookie["httponly"] is True, name
        assert cookie["samesite"] == "Lax", name
        assert cookie["path"] == "/", name
        assert bool(cookie["secure"]) is secure, name
        assert cookie["domain"] == "", name


def test_a_session_is_over_when_its_time_is_however_busy_the_browser_was(product: Product) -> None:
    elin = product.signs_in(ELIN)
    meeting = product.book(starts_at=product.clock() + timedelta(hours=20))
    for _ in range(9):
        product.clock.on(hours=1)
        assert elin.post(f"/desk/meetings/{meeting.id}/start", form=True).status_code == 302, "keeps something in it"
    product.clock.on(minutes=59)
    assert elin.get("/desk").status_code == 200

    product.clock.on(minutes=1)

    assert elin.get("/desk").status_code == 401


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "\n//evil.example", ""]
)
def test_after_the_sign_in_nobody_is_led_to_another_site(product: Product, wanted: str) -> None:
    browser = product.browser()
    after = browser.passes_identity_service(browser.get("/staff/sign-in", query_string={"next": wanted}), ELIN)

    assert after.startswith("/")
    assert not after.startswith(("//", "/\\", "/\t"))


@pytest.mark.requirement("R007")
def test_a_sign_in_that_was_begun_elsewhere_is_not_finished_here(product: Product) -> None:
    """Else an attacker could sign a victim in under the attacker's name, or finish with a stolen answer."""
    attacker, victim = product.browser(), product.browser()
    begun = attacker.get("/staff/sign-in").headers["Location"].partition("state=")[2]

    for query in ({"state": begun, "code": "elin"}, {"state": "", "code": "elin"}, {"code": "elin"}):
        assert victim.get("/staff/callback", query_string=query).status_code == 401
    assert victim.get("/desk").status_code == 401
    done = attacker.get("/staff/callback", query_string={"state": begun, "code": "elin"})
    assert done.status_code == 302
    assert attacker.get("/staff/callback", query_string={"state": begun, "code": "elin"}).status_code == 401


@pytest.mark.requirement("R002", "R007")
@pytest.mark.parametrize(("amr", "status"), [(("pwd",), 403), (("pwd", "pin"), 403), (("pwd", "otp"), 302), ((), 302)])
def test_staff_with_one_factor_do_not_reach_the_desk(product: Product, amr: tuple[str, ...], status: int) -> None:
    product.identity_service.amr = amr
    browser = product.browser()
    state = browser.get("/staff/sign-in").headers["Location"].partition("state=")[2]

    answer = browser.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert answer.status_code == status
    if status == 403:
        assert answer.get_json()["rule"] == "band.low/staff"
        assert browser.get("/desk").status_code == 401

"""An eID tells the end of an order once: whoever asks at the same moment must not lose it, or take it back."""

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, ORIGIN, Browser, Product

pytestmark = pytest.mark.requirement("R001", "R011")


@pytest.fixture
def maja(product: Product) -> Browser:
    """Maja, who answers in her app while her page asks how it stands."""
    maja = product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))
    assert maja.post("sign-in/start", {"method": "bankid", "same_device": False}).status_code == 200
    product.eid.answers(MAJA)
    return maja


def second_tab(browser: Browser, product: Product) -> FlaskClient:
    """Return a client with the browser's cookies, at this process of the product."""
    client = product.app.test_client()
    for name in ("tillit_visit", "tillit_device"):
        client.set_cookie(name, browser.cookie(name), domain="exempelbanken.example")
    return client


def polls(client: FlaskClient, browser: Browser, csrf: str) -> TestResponse:
    url, headers = f"/v/{browser.place}/sign-in/poll", {"X-Tillit-CSRF": csrf}
    return client.post(url, json={}, headers=headers, base_url=ORIGIN)


def in_thread(call: Callable[[], TestResponse]) -> tuple[threading.Thread, list[TestResponse]]:
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def test_of_two_polls_at_once_one_completes_and_the_other_asks_nobody(product: Product, maja: Browser) -> None:
    first_asks, second_waits, go_on = threading.Event(), threading.Event(), threading.Event()
    turns = product.app.extensions["tillit_turns"]
    take = turns.take

    def watched(place: str) -> None:
        if first_asks.is_set():
            second_waits.set()
        take(place)

    def hold() -> None:
        first_asks.set()
        assert go_on.wait(60)

    turns.take, product.eid.on_poll = watched, hold
    tab, csrf = second_tab(maja, product), maja.csrf()
    one, first = in_thread(lambda: maja.post("sign-in/poll", csrf=csrf))
    assert first_asks.wait(60)
    other, second = in_thread(lambda: polls(tab, maja, csrf))
    assert second_waits.wait(60)
    go_on.set()
    one.join(60)
    other.join(60)

    assert first[0].get_json()["status"] == "complete"
    assert second[0].status_code == 404, "the session it asked with is over: it has another id now"
    assert "Set-Cookie" not in second[0].headers
    assert product.eid.calls.count("poll") == 1
    assert maja.get("lobby").status_code == 200


def test_a_poll_in_another_process_does_not_undo_the_completion(product: Product, maja: Browser) -> None:
    """Two workers, no turns between them. The other poll hears "no such order" while the first one completes."""
    other_process = Product(product.folder, clock=product.clock, methods=[product.eid, product.code])
    tab, csrf = second_tab(maja, other_process), maja.csrf()
    late: list[TestResponse] = []

    def meanwhile() -> None:
        product.eid.on_poll = lambda: None
        late.append(polls(tab, maja, csrf))

    product.eid.on_poll = meanwhile
    done = maja.post("sign-in/poll", csrf=csrf)

    assert done.get_json()["status"] == "complete"
    assert late[0].get_json()["status"] == "failed"
    assert "Set-Cookie" not in late[0].headers, "arriving last, it would take the new session's place"
    assert maja.get("lobby").status_code == 200


def test_a_request_that_ends_after_the_sign_out_leaves_the_browser_signed_out(product: Product) -> None:
    elin = product.signs_in(ELIN)
    meeting, sessions = product.book(), product.services.sessions
    signed_in, update = elin.cookie("tillit_staff"), sessions.update

    def signed_out_meanwhile(session_id: str, *args: object, **options: object) -> bool:
        sessions.drop(session_id)
        return update(session_id, *args, **options)  # type: ignore[arg-type]

    sessions.update = signed_out_meanwhile  # type: ignore[method-assign]
    answer = elin.post(f"/desk/meetings/{meeting.id}/start", form=True)
    sessions.update = update  # type: ignore[method-assign]

    assert "Set-Cookie" not in answer.headers
    assert sessions.get(signed_in, now=product.clock()) is None
    assert elin.get("/desk").status_code == 401


def test_other_routes_of_the_place_do_not_wait_for_a_slow_eid(product: Product, maja: Browser) -> None:
    seen: list[int] = []
    tab = second_tab(maja, product)
    product.eid.on_poll = lambda: seen.append(tab.get(f"/v/{maja.place}/arrive", base_url=ORIGIN).status_code)

    assert maja.post("sign-in/poll").get_json()["status"] == "complete"
    assert seen == [200]


def test_a_turn_is_given_back_also_when_the_request_fails(product: Product, maja: Browser) -> None:
    def fail() -> None:
        raise RuntimeError("the plugin has a mistake in it")

    product.eid.on_poll = fail
    assert maja.post("sign-in/poll").status_code == 500
    assert maja.post("sign-in/submit", {"code": "x" * 20}).status_code == 422
    assert product.browser().post(f"/v/{maja.place}/sign-in/poll").status_code == 404

    assert product.app.extensions["tillit_turns"]._locks == {}

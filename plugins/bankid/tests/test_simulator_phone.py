"""The demo phone: what a hand on it, or a test, can do, and what its page is made of."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.bankid.remote import RemoteBankId


def _get(bankid: RemoteBankId, path: str = "/", **more: Any) -> requests.Response:
    return requests.get(bankid.phone_url + path, timeout=20, **more)


def _press(bankid: RemoteBankId, path: str, **form: str) -> requests.Response:
    return requests.post(bankid.phone_url + path, data=form, timeout=20)


def test_health_is_told(bankid: RemoteBankId) -> None:
    assert _get(bankid, "/healthz").json() == {"ok": True}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda qr: qr, None),
        (lambda qr: qr[:-1] + ("0" if qr[-1] != "0" else "1"), "forged-code"),
        (lambda qr: re.sub(r"\.(\d+)\.", lambda found: f".{int(found[1]) + 1}.", qr), "forged-code"),
        (lambda qr: re.sub(r"\.(\d+)\.", r".0\1.", qr), "forged-code"),
        (lambda qr: qr.replace(qr[7:43], "0" * 8 + qr[15:43]), "no-such-order"),
        (lambda qr: "https://example.org", "not-a-bankid-code"),
    ],
)
def test_only_a_genuine_code_is_taken(
    visit: Callable[..., Any], bankid: RemoteBankId, change: Callable[[str], str], problem: str | None
) -> None:
    visit()
    text = change(bankid.orders()[0]["qr"])
    if problem is None:
        assert bankid.phone("scan", qr=text)["hint"] == "started"
    else:
        with pytest.raises(RuntimeError, match=problem):
            bankid.phone("scan", qr=text)


@pytest.mark.parametrize(("seconds", "fresh"), [(4, True), (7, False)])
def test_code_is_good_for_a_few_seconds(
    visit: Callable[..., Any], bankid: RemoteBankId, clock: Any, seconds: int, fresh: bool
) -> None:
    visit()
    text = bankid.orders()[0]["qr"]
    clock.advance(seconds)
    if fresh:
        assert bankid.phone("scan", qr=text)["hint"] == "started"
    else:
        with pytest.raises(RuntimeError, match="old-code"):
            bankid.phone("scan", qr=text)


def test_code_opens_one_phone_only(
    scanned: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    scanned()

    with pytest.raises(RuntimeError, match="already-opened"):
        bankid.phone("pick", order=newest(), person="ture")


def test_unopened_order_can_not_be_confirmed(
    visit: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    visit()

    with pytest.raises(RuntimeError, match="order-not-opened"):
        bankid.phone("approve", order=newest(), person="maja")


def test_wrong_pin_three_times_blocks_the_bankid(
    scanned: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    visit = scanned()
    for _ in range(3):
        with pytest.raises(RuntimeError, match="wrong-pin"):
            bankid.phone("approve", order=newest(), person="maja", pin="000000")

    assert visit.poll().message == "bankid.blocked"


def test_right_pin_after_a_wrong_one_identifies(
    scanned: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    visit = scanned()
    with pytest.raises(RuntimeError, match="wrong-pin"):
        bankid.phone("approve", order=newest(), person="maja", pin="000000")
    bankid.phone("approve", order=newest(), person="maja", pin="123456")

    assert visit.poll().status == "complete"


def test_slow_person_identifies_later(
    scanned: Callable[..., Any], bankid: RemoteBankId, newest: Callable[[], str]
) -> None:
    visit = scanned()
    bankid.phone("approve", order=newest(), person="maja", after_seconds=20)

    assert visit.poll(after=15).message == "bankid.sign"
    assert visit.poll(after=6).status == "complete"


def test_whole_sign_in_by_the_pages_buttons(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit()
    order = bankid.orders()[0]["order"]
    page = _press(bankid, "/pick", holder="maja", order=order)
    assert "Jag legitimerar mig för mitt möte med Elin Sjöhage" in page.text
    assert started.poll().message == "bankid.sign"
    page = _press(bankid, f"/order/{order}/identify", holder="maja", pin="123456")

    assert "Klart" in page.text
    assert started.poll().status == "complete"


def test_link_to_the_app_leads_to_the_order_and_back(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit(same_device=True)
    launch_url = started.step.view["launch_url"]
    page = requests.get(launch_url, timeout=20)
    assert page.url.startswith(f"{bankid.phone_url}/order/")
    assert requests.get(launch_url, timeout=20).url == page.url
    done = requests.post(f"{page.url}/identify", data={"holder": "maja", "pin": "123456"}, timeout=20)

    links = re.findall(r'href="(http://exempelbanken[^"]+)"', done.text)
    assert [link.replace("&amp;", "&") for link in links] == [started.sign_in.body["returnUrl"]]


def test_way_back_is_never_a_script(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    started = visit(same_device=True, return_url="javascript:alert(1)")
    page = requests.get(started.step.view["launch_url"], timeout=20)
    done = requests.post(f"{page.url}/identify", data={"holder": "maja", "pin": "123456"}, timeout=20)

    assert "Klart" in done.text
    assert "javascript:" not in done.text


def test_page_shows_no_personal_number_and_has_nothing_inline(visit: Callable[..., Any], bankid: RemoteBankId) -> None:
    visit()
    order = bankid.orders()[0]["order"]
    for page in (_get(bankid), _press(bankid, "/pick", holder="maja", order=order)):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page.text)
        assert not re.search(r"\b(19|20)\d{10}\b", page.text)


@pytest.mark.parametrize(("accepts", "title"), [("sv", "Demotelefon"), ("en", "Demo phone"), ("fi", "Demotelefon")])
def test_page_speaks_swedish_and_english(bankid: RemoteBankId, accepts: str, title: str) -> None:
    page = _get(bankid, headers={"Accept-Language": accepts})

    assert f"<h1>{title}</h1>" in page.text


def test_code_that_does_not_work_is_explained(bankid: RemoteBankId) -> None:
    page = _press(bankid, "/scan", holder="maja", qr="hello")

    assert page.status_code == 409
    assert "Det där är ingen kod från BankID." in page.text


def test_browser_is_asked_to_name_its_origin(bankid: RemoteBankId) -> None:
    """With "no-referrer", browsers send "Origin: null" with the page's own forms, and no button would work."""
    assert _get(bankid).headers["Referrer-Policy"] == "same-origin"
    pressed = requests.post(
        f"{bankid.phone_url}/hold", data={"holder": "ture"}, headers={"Origin": bankid.phone_url}, timeout=20
    )
    assert pressed.status_code == 200


@pytest.mark.parametrize("path", ["/faults", "/phone/faults", "/hold"])
def test_other_sites_may_not_press_buttons(bankid: RemoteBankId, path: str) -> None:
    answer = requests.post(bankid.phone_url + path, json={}, headers={"Origin": "https://evil.example"}, timeout=20)

    assert answer.status_code == 403


def test_control_takes_json_only(bankid: RemoteBankId) -> None:
    answer = requests.post(f"{bankid.phone_url}/phone/faults", data="risk=high", timeout=20)

    assert answer.status_code == 415


def test_people_can_be_given_in_a_file(tmp_path: Path) -> None:
    people = tmp_path / "persons.toml"
    people.write_text(
        '[[person]]\nkey = "astrid"\ngiven_name = "Astrid"\nsurname = "Ekvall"\n'
        'personal_number = "198403029385"\npin = "654321"\n'
    )
    other = RemoteBankId.launch(tmp_path / "dir", "--persons", str(people))
    try:
        page = _get(other).text
        assert "Astrid Ekvall" in page
        assert "Maja" not in page
    finally:
        other.stop()


@pytest.mark.parametrize("body", [{"no_such": 1}, {"error": "noSuch"}, {"forge": "noSuch"}])
def test_unknown_switch_is_refused(bankid: RemoteBankId, body: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="no such"):
        bankid.phone("faults", **body)

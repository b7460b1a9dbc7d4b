"""Link and code travel apart, whatever an address is made to look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.domain.addresses import (
    NUMBERING,
    may_carry,
    normal_email,
    normal_phone,
    same_address,
    same_mailbox,
)
from sidecar.domain.errors import InvalidInputError

MAJA = "maja.granlid@example.org"
MAJA_PHONE = "+46701740605"
SAMIR_PHONE = "+46701740606"


@pytest.mark.parametrize(
    "written",
    [
        "+46701740605",
        "+46 70-174 06 05",
        "0046701740605",
        "+46 (0)70 174 06 05",
        "+460701740605",
        "46701740605",
        "070-174 06 05",
        "070.174.06.05",
        "070/1740605",
        "070\u00a0174\u200906\u200905",
        "０７０１７４０６０５",
        "tel:+46701740605",
        "+46\u200b701740605",
        "٠٧٠١٧٤٠٦٠٥",
    ],
)
def test_one_swedish_number_has_one_form(written: str) -> None:
    assert normal_phone(written) == MAJA_PHONE


@pytest.mark.parametrize(
    ("country", "written", "normal"),
    [
        ("NO", "401 23 456", "+4740123456"),
        ("NO", "4740123456", "+4740123456"),
        ("DK", "20 12 34 56", "+4520123456"),
        ("FI", "040 123 4567", "+358401234567"),
        ("NL", "06 12345678", "+31612345678"),
        ("SE", "+1 415 555 2671", "+14155552671"),
        ("NO", "+46 70 174 06 05", "+46701740605"),
    ],
)
def test_a_number_is_read_as_its_country_writes_it(country: str, written: str, normal: str) -> None:
    assert normal_phone(written, country) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "070",
        "701740605",
        "070-174 06 05 ring",
        "+",
        "++46701740605",
        "+0701740605",
        "+46" + "7" * 14,
        "7+46",
    ],
)
def test_a_number_that_must_be_guessed_is_refused(written: str) -> None:
    with pytest.raises(InvalidInputError):
        normal_phone(written)


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        normal_phone("070-174 06 05", "XX")


@pytest.mark.parametrize(
    "written",
    [
        "Maja.Granlid@Example.org",
        " maja.granlid@example.org ",
        "maja.granlid@example.org.",
        "maja.granlid@ｅｘａｍｐｌｅ.org",
        "maja.granlid@example。org",
        "maja\u200b.granlid@exam\u00adple.org",
        '"maja.granlid"@example.org',
    ],
)
def test_one_mail_address_has_one_form(written: str) -> None:
    assert normal_email(written) == MAJA
    assert same_address(written, MAJA)


def test_a_domain_in_letters_and_in_punycode_is_one_domain() -> None:
    assert normal_email("maja@Bücher.example") == "maja@xn--bcher-kva.example"
    assert same_address("maja@bücher.example", "maja@xn--bcher-kva.example")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "maja",
        "@example.org",
        "maja@",
        "maja@example",
        "maja@exa mple.org",
        "maja granlid@example.org",
        "Maja <maja@example.org>",
        "maja@example.org, samir@example.org",
        "maja@a@example.org",
        "maja@-example.org",
        "maja@example..org",
        "maja@xn--\udcff.org",
        "m" * 65 + "@example.org",
        "maja@" + "a" * 64 + ".org",
        "maja@" + ".".join(["a" * 60] * 5),
        "maja\r\nBcc: all@example.org",
    ],
)
def test_what_is_not_one_bare_address_is_refused(written: str) -> None:
    with pytest.raises(InvalidInputError):
        normal_email(written)


@pytest.mark.requirement("R060", "R212")
@pytest.mark.parametrize(
    ("link", "code"),
    [
        (MAJA, MAJA),
        (MAJA, "MAJA.GRANLID@EXAMPLE.ORG"),
        (MAJA, "maja.granlid+code@example.org"),
        (MAJA, "majagranlid@example.org"),
        ("maja@gmail.com", "m.a.j.a+tillit@googlemail.com"),
        ("maja@icloud.com", "maja@me.com"),
        ("maja@protonmail.com", "m_a-ja@pm.me"),
        ("maja@yahoo.com", "maja-bank@yahoo.com"),
        ("maja@fastmail.com", "anything@maja.fastmail.com"),
        ("maja@bücher.example", "maja@xn--bcher-kva.example"),
        (MAJA, "maja.granlid@ｅxample.org"),
        (MAJA, "maja.granlid@ехаmple.org"),  # three Cyrillic letters
        (MAJA, "mаja.granlid@example.org"),  # one Cyrillic letter
        (MAJA_PHONE, "070-174 06 05"),
        ("0046 70 174 06 05", "+46701740605"),
        ("0701740605@sms.example.org", MAJA_PHONE),
        ("+46701740605@sms.example.org", "070-174 06 05"),
        ("0046701740605@sms.example.org", MAJA_PHONE),
        ("070-174.06.05@sms.example.org", MAJA_PHONE),
        ("sms@0701740605.gateway.example.org", MAJA_PHONE),
        ("bank.46701740605@gateway.example.org", MAJA_PHONE),
    ],
)
def test_link_and_code_to_one_place_are_refused_in_both_directions(link: str, code: str) -> None:
    """Whoever reads the one reads the other, so the two are one factor."""
    for decision in (may_carry(link, code), may_carry(code, link)):
        assert not decision.allowed
        assert decision.rule == "address/same-mailbox"


@pytest.mark.requirement("R060")
@pytest.mark.parametrize(
    ("link", "code"),
    [(MAJA, "samir.haddin@example.org"), (MAJA_PHONE, SAMIR_PHONE), ("a@gmail.com", "b@gmail.com")],
)
def test_two_addresses_of_one_channel_are_refused(link: str, code: str) -> None:
    decision = may_carry(link, code)

    assert not decision.allowed
    assert decision.rule == "address/same-channel"


@pytest.mark.requirement("R060")
@pytest.mark.parametrize(
    ("link", "code"),
    [
        (MAJA, MAJA_PHONE),
        (MAJA_PHONE, MAJA),
        ("maja1987@example.org", MAJA_PHONE),
        (f"{SAMIR_PHONE}@sms.example.org", MAJA_PHONE),
    ],
)
def test_mail_for_the_link_and_telephone_for_the_code_are_allowed(link: str, code: str) -> None:
    assert may_carry(link, code).allowed


@pytest.mark.requirement("R060")
def test_the_inbox_carries_a_link_whose_code_goes_by_text_message() -> None:
    assert may_carry("EB-1001", MAJA_PHONE, link_channel="inbox", code_channel="sms").allowed
    assert not may_carry("EB-1001", "EB-1001", link_channel="inbox", code_channel="inbox").allowed


@pytest.mark.parametrize(
    ("link", "code", "link_channel", "code_channel"),
    [
        ("not an address", MAJA_PHONE, "", ""),
        (MAJA, "12", "", ""),
        (MAJA, MAJA_PHONE, "email", "pigeon"),
        (MAJA, MAJA_PHONE, "sms", "sms"),
        ("maja@", MAJA_PHONE, "email", "sms"),
    ],
)
def test_an_address_nobody_can_read_is_refused(link: str, code: str, link_channel: str, code_channel: str) -> None:
    decision = may_carry(link, code, link_channel=link_channel, code_channel=code_channel)

    assert not decision.allowed
    assert decision.rule == "address/unreadable"


def test_different_people_are_told_apart() -> None:
    assert not same_mailbox(MAJA, "samir.haddin@example.org")
    assert not same_mailbox(MAJA_PHONE, SAMIR_PHONE)
    assert not same_mailbox("maja@example.org", "maja@example.com")
    assert not same_address(MAJA, MAJA_PHONE)


locals_ = st.from_regex(r"[a-z][a-z0-9]{0,11}", fullmatch=True)
domains = st.sampled_from(["example.org", "gmail.com", "bücher.example", "post.example.se", "proton.me"])
tags = st.from_regex(r"[a-z0-9]{0,8}", fullmatch=True)


@pytest.mark.requirement("R212")
@given(local=locals_, domain=domains, tag=tags, data=st.data())
def test_tags_dots_and_case_never_make_a_second_mailbox(local: str, domain: str, tag: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(local)))
    dotted = f"{local[:cut]}.{local[cut:]}" if cut < len(local) else local
    disguised = f"{dotted}+{tag}@{domain}".swapcase() if "ü" not in domain else f"{dotted}+{tag}@{domain}"

    assert same_mailbox(f"{local}@{domain}", disguised)
    assert not may_carry(f"{local}@{domain}", disguised).allowed


@pytest.mark.requirement("R212")
@given(number=st.integers(700_000_000, 799_999_999), cuts=st.lists(st.integers(1, 9), max_size=3), data=st.data())
def test_every_way_of_writing_a_number_reaches_one_phone(number: int, cuts: list[int], data: st.DataObject) -> None:
    written = f"0{number}"
    for cut in sorted(cuts, reverse=True):
        written = written[:cut] + data.draw(st.sampled_from([" ", "-", ".", "\u00a0", "–"])) + written[cut:]
    forms = [written, f"+46{number}", f"0046{number}", f"+46 (0){number}", f"0{number}@sms.example.org"]

    assert not may_carry(data.draw(st.sampled_from(forms)), data.draw(st.sampled_from(forms[:4]))).allowed


@given(text=st.text(max_size=60), other=st.text(max_size=60), country=st.sampled_from(sorted(NUMBERING)))
def test_any_text_gets_an_answer_and_never_an_unknown_error(text: str, other: str, country: str) -> None:
    assert not may_carry(text, text, default_country=country).allowed
    may_carry(text, other, default_country=country)
    for normal in (normal_email, lambda value: normal_phone(value, country)):
        try:
            once = normal(text)
        except InvalidInputError:
            continue
        assert normal(once) == once


@given(local=st.text(min_size=1, max_size=12), domain=st.text(min_size=1, max_size=12))
def test_a_normal_mail_address_is_its_own_normal_form(local: str, domain: str) -> None:
    try:
        once = normal_email(f"{local}@{domain}.org")
    except InvalidInputError:
        return
    assert normal_email(once) == once
    assert same_mailbox(once, once)

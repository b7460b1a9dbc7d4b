"""Who may do what, and which rule said so."""

from datetime import UTC, date, datetime

import pytest

from sidecar.adapters.policy_files import load_policy
from sidecar.domain.errors import NotFoundError
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import (
    RAISE_TARGETS,
    Band,
    Raise,
    Right,
    Segment,
    Situation,
    band_for,
    decide,
    encryption_for,
    integrations_after,
    integrations_for,
    jitsi_features,
    log_for,
    may_book,
    may_raise,
    may_staff,
    permissions_for,
    raises_left,
    reachable_raises,
)
from sidecar.domain.tokens import JITSI_FEATURES

POLICY = load_policy()
TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADVISER_PACKAGES = frozenset({"mortgage-adviser"})


def place(
    capacity: Capacity,
    ref: str = "mortgage@1",
    *raises: str,
    packages: frozenset[str] = ADVISER_PACKAGES,
    segment: Segment = Segment.PRIVATE,
) -> Situation:
    made = tuple(Raise(target, NOON, "st_elin") for target in raises)
    return Situation(POLICY.type(ref), segment, packages, capacity, made)


def at_fx_desk(capacity: Capacity) -> Situation:
    return place(capacity, "corporate-fx@1", packages=frozenset({"fx-desk"}), segment=Segment.CORPORATE)


@pytest.mark.requirement("R035")
def test_in_a_mortgage_meeting_the_adviser_shares_a_window_and_nobody_a_whole_screen() -> None:
    window = decide(POLICY, place(Capacity.ADVISER), Permission.SHARE_WINDOW)
    screen = decide(POLICY, place(Capacity.ADVISER), Permission.SHARE_SCREEN)

    assert (window.allowed, window.rule) == (True, "mortgage@1/grants/share_window")
    assert (screen.allowed, screen.rule) == (False, "never/high-whole-screen")
    assert screen.sentence == "whole-screen-refused"


def test_the_band_is_the_rule_that_keeps_a_customer_from_sharing_in_a_mortgage_meeting() -> None:
    decision = decide(POLICY, place(Capacity.CUSTOMER), Permission.SHARE_WINDOW)

    assert (decision.allowed, decision.rule) == (False, "band.high/screen_sharing")
    assert decision.sentence == "share-not-for-you"


@pytest.mark.requirement("R018", "R075")
def test_files_are_off_in_every_type_and_documents_do_not_change_hands_in_the_low_band() -> None:
    for ref in POLICY.types:
        for capacity in Capacity:
            assert not decide(POLICY, place(capacity, ref), Permission.SEND_FILE).allowed
    upload = decide(POLICY, place(Capacity.CUSTOMER, "advice@1"), Permission.UPLOAD_DOCUMENT)
    assert (upload.allowed, upload.rule) == (False, "band.low/file_transfer")


@pytest.mark.requirement("R033")
def test_an_observer_hears_and_sees_and_reaches_no_document_in_any_type() -> None:
    for ref in POLICY.types:
        for segment in POLICY.type(ref).segments:
            observer = place(Capacity.OBSERVER, ref, segment=segment)
            held = permissions_for(POLICY, observer)
            assert {"speak", "show_camera"} <= held
            assert not {each for each in held if "document" in each}
    view = decide(POLICY, place(Capacity.OBSERVER), Permission.VIEW_DOCUMENT)
    assert (view.rule, view.sentence) == ("never/observer-documents", "documents-not-for-observers")


@pytest.mark.requirement("R034", "R036", "R037")
def test_a_companys_lawyer_reads_and_writes_but_neither_signs_nor_sees_unmasked_figures() -> None:
    lawyer = permissions_for(POLICY, at_fx_desk(Capacity.REPRESENTATIVE))
    customer = permissions_for(POLICY, at_fx_desk(Capacity.CUSTOMER))

    assert {"view_document", "chat"} <= lawyer
    assert not {"sign", "approve_transaction", "see_unmasked"} & lawyer
    assert {"sign", "approve_transaction", "see_unmasked"} <= customer


def test_a_specialist_sees_masked_figures_unless_the_type_says_otherwise() -> None:
    decision = decide(POLICY, place(Capacity.SPECIALIST), Permission.SEE_UNMASKED)

    assert (decision.allowed, decision.sentence) == (False, "masked-for-you")


@pytest.mark.requirement("R023")
def test_what_nobody_granted_is_refused() -> None:
    decision = decide(POLICY, place(Capacity.CUSTOMER), Permission.REACT)

    assert (decision.allowed, decision.rule) == (False, "default/not-granted")


@pytest.mark.requirement("R023")
@pytest.mark.parametrize("unknown", ["fly", "", "SPEAK", "speak ", "crm_webhook.read", "nobody.knows"])
def test_an_unknown_permission_is_refused(unknown: str) -> None:
    for capacity in Capacity:
        assert not decide(POLICY, place(capacity), unknown).allowed


@pytest.mark.requirement("R021")
def test_a_recording_is_refused_where_no_law_is_named_and_granted_to_the_adviser_where_one_is() -> None:
    mortgage = decide(POLICY, place(Capacity.ADVISER), Permission.RECORD)
    adviser = decide(POLICY, at_fx_desk(Capacity.ADVISER), Permission.RECORD)
    customer = decide(POLICY, at_fx_desk(Capacity.CUSTOMER), Permission.RECORD)

    assert (mortgage.allowed, mortgage.rule) == (False, "never/high-recording-without-law")
    assert mortgage.sentence == "recording-refused"
    assert adviser.allowed
    assert (customer.allowed, customer.rule) == (False, "never/guest-records")


@pytest.mark.requirement("R008", "R022")
def test_role_packages_narrow_what_the_banks_own_people_may_do_and_never_the_customer() -> None:
    service = frozenset({"customer-service"})
    by_service = decide(POLICY, place(Capacity.ADVISER, "advice@1", packages=service), Permission.CALCULATE)
    by_banker = decide(
        POLICY,
        place(Capacity.ADVISER, "advice@1", packages=frozenset({"private-banker"})),
        Permission.CALCULATE,
    )

    assert (by_service.allowed, by_service.rule) == (False, "packages/calculate")
    assert by_service.sentence == "not-in-your-role"
    assert by_banker.allowed
    assert decide(POLICY, place(Capacity.CUSTOMER, packages=frozenset()), Permission.SPEAK).allowed


def test_a_package_that_does_not_belong_to_the_type_gives_nothing_in_it() -> None:
    held = permissions_for(POLICY, place(Capacity.ADVISER, packages=frozenset({"fx-desk", "invented"})))

    assert held == frozenset()


@pytest.mark.requirement("R022")
def test_a_segment_outside_the_type_gets_nothing_and_a_narrowed_one_gets_less() -> None:
    outside = place(Capacity.CUSTOMER, segment=Segment.CORPORATE)
    private = place(Capacity.CUSTOMER, "advice@1")
    company = place(Capacity.CUSTOMER, "advice@1", segment=Segment.CORPORATE)

    assert decide(POLICY, outside, Permission.SPEAK).rule == "mortgage@1/segments"
    assert permissions_for(POLICY, outside) == frozenset()
    assert decide(POLICY, private, Permission.SHARE_WINDOW).allowed
    narrowed = decide(POLICY, company, Permission.SHARE_WINDOW)
    assert narrowed.rule == "advice@1/segments/corporate/screen_sharing"


@pytest.mark.requirement("R025")
@pytest.mark.parametrize(
    "target", ["band:low", "band:medium", "encryption:transit", "share:on", "share:window", "chat:on"]
)
@pytest.mark.parametrize("capacity", list(Capacity))
def test_security_is_never_lowered_by_anybody(target: str, capacity: Capacity) -> None:
    decision = may_raise(POLICY, place(capacity), target)

    assert (decision.allowed, decision.rule, decision.sentence) == (
        False,
        "raise/cannot-lower",
        "cannot-lower",
    )


@pytest.mark.requirement("R025")
def test_a_raise_is_for_the_adviser_and_only_for_what_the_type_offers() -> None:
    assert may_raise(POLICY, place(Capacity.ADVISER), "encryption:strict").allowed
    refused = may_raise(POLICY, place(Capacity.CUSTOMER), "encryption:strict")
    assert (refused.allowed, refused.rule) == (False, "never/guest-in-charge")
    assert may_raise(POLICY, place(Capacity.ADVISER), "band:high").rule == "raise/already"
    assert may_raise(POLICY, at_fx_desk(Capacity.ADVISER), "encryption:strict").rule == "corporate-fx@1/raises"
    assert may_raise(POLICY, place(Capacity.ADVISER), "coffee:on").rule == "raise/unknown"


def test_what_is_left_to_raise_shrinks_with_each_raise() -> None:
    assert raises_left(POLICY, place(Capacity.ADVISER)) == ("encryption:strict", "share:off", "chat:off")
    after = place(Capacity.ADVISER, "mortgage@1", "encryption:strict", "chat:off")
    assert raises_left(POLICY, after) == ("share:off",)
    assert raises_left(POLICY, place(Capacity.CUSTOMER)) == ()


@pytest.mark.requirement("R107")
def test_strict_encryption_ends_recording_and_every_part_that_is_not_on_its_list() -> None:
    before = place(Capacity.ADVISER, "advice@1")
    after = place(Capacity.ADVISER, "advice@1", "encryption:strict")

    assert {"cobrowsing", "whiteboard"} <= integrations_for(POLICY, before)
    assert not {"cobrowsing", "whiteboard"} & integrations_for(POLICY, after)
    assert {"crm_webhook", "document_room"} <= integrations_after(POLICY, before)
    assert integrations_after(POLICY, after) <= POLICY.strict.plugins
    assert decide(POLICY, after, Permission.COBROWSE).rule == "raise/encryption:strict"
    assert decide(POLICY, after, Permission.RECORD).sentence == "recording-refused"


@pytest.mark.requirement("R025")
def test_raising_the_band_puts_its_floor_under_the_meeting_at_once() -> None:
    raised = place(Capacity.CUSTOMER, "advice@1", "band:high")

    assert band_for(raised) is Band.HIGH
    assert encryption_for(POLICY, raised) == "bridge"
    assert log_for(POLICY, raised) == "chat"
    decision = decide(POLICY, raised, Permission.SHARE_WINDOW)
    assert (decision.rule, decision.sentence) == (
        "raise/band:high/screen_sharing",
        "turned-off-by-raise",
    )
    assert not integrations_for(POLICY, raised) & {"cobrowsing", "otp_link"}


def test_narrowings_close_what_they_name() -> None:
    after = place(Capacity.ADVISER, "mortgage@1", "share:off", "chat:off")

    assert decide(POLICY, after, Permission.SHARE_WINDOW).rule == "raise/share:off"
    assert decide(POLICY, after, Permission.CHAT).rule == "raise/chat:off"
    assert decide(POLICY, after, Permission.SPEAK).allowed


def test_every_raise_there_is_can_be_reached_in_some_type() -> None:
    reached = {
        each.target
        for meeting_type in POLICY.types.values()
        for raises in reachable_raises(POLICY, meeting_type)
        for each in raises
    }

    assert reached == set(RAISE_TARGETS)


@pytest.mark.requirement("R024")
def test_booking_asks_for_the_right_the_segment_and_the_package() -> None:
    mortgage = POLICY.type("mortgage@1")

    assert may_book(POLICY, ADVISER_PACKAGES, Segment.PRIVATE, mortgage).allowed
    company = may_book(POLICY, ADVISER_PACKAGES, Segment.CORPORATE, mortgage)
    assert (company.allowed, company.rule) == (False, "mortgage@1/segments")
    service = may_book(POLICY, frozenset({"customer-service"}), Segment.PRIVATE, mortgage)
    assert (service.allowed, service.rule) == (False, "mortgage@1/packages")
    reader = may_book(POLICY, frozenset({"compliance"}), Segment.PRIVATE, mortgage)
    assert (reader.allowed, reader.rule) == (False, "default/not-granted")


@pytest.mark.requirement("R067", "R129")
def test_rights_at_the_desk_come_from_packages_and_from_nowhere_else() -> None:
    assert may_staff(POLICY, frozenset({"administrator"}), Right.EDIT_MESSAGES).allowed
    assert may_staff(POLICY, frozenset({"compliance"}), Right.READ_ALL_JOURNALS).allowed
    assert not may_staff(POLICY, ADVISER_PACKAGES, Right.EDIT_MESSAGES).allowed
    assert not may_staff(POLICY, ADVISER_PACKAGES, Right.READ_ALL_JOURNALS).allowed
    assert not may_staff(POLICY, frozenset({"administrator"}), "invented").allowed
    assert not may_staff(POLICY, frozenset(), Right.READ_RULES).allowed


@pytest.mark.requirement("R008")
def test_the_same_group_is_always_the_same_package_and_an_unknown_group_gives_nothing() -> None:
    groups = ["bank-mortgage-advisers", "everyone", "BANK-ADMINISTRATORS"]

    assert POLICY.packages_for(groups) == frozenset({"mortgage-adviser"})
    assert POLICY.packages_for(reversed(groups)) == frozenset({"mortgage-adviser"})
    assert POLICY.packages_for([]) == frozenset()


@pytest.mark.requirement("R026")
def test_three_types_are_the_ordinary_choice_and_the_special_one_comes_after() -> None:
    current = POLICY.current_types(today=TODAY)

    assert [each.ref for each in current if each.ordinary] == ["advice@1", "onboarding@1", "mortgage@1"]
    assert [each.ref for each in current if not each.ordinary] == ["corporate-fx@1"]


def test_an_unknown_type_or_version_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        POLICY.type("mortgage@99")
    with pytest.raises(NotFoundError):
        POLICY.current("lottery", today=TODAY)
    with pytest.raises(NotFoundError):
        POLICY.current("mortgage", today=date(2025, 12, 31))


@pytest.mark.requirement("R216")
def test_every_jitsi_flag_is_set_explicitly_and_follows_the_permissions() -> None:
    adviser = jitsi_features(permissions_for(POLICY, place(Capacity.ADVISER)))
    observer = jitsi_features(permissions_for(POLICY, place(Capacity.OBSERVER)))

    assert set(adviser) == set(JITSI_FEATURES)
    assert {flag for flag, on in adviser.items() if on} == {
        "lobby",
        "moderation",
        "screen-sharing",
        "send-groupchat",
    }
    assert not any(observer.values())
    assert all(isinstance(value, bool) for value in adviser.values())

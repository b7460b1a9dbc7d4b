"""The rule files: what the loader refuses, and that it says where and why."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sidecar.adapters.policy_files import SHIPPED, load_policy, policy_from
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy import (
    LANGUAGES,
    Raise,
    RecordingRule,
    Segment,
    Situation,
    decide,
    overdue,
    policy_digest,
    promise,
    recording_for,
    rules_digest,
    sign_in_for,
    staff_sign_in_for,
)

FILES = {path.relative_to(SHIPPED).as_posix(): path.read_text() for path in SHIPPED.rglob("*.toml")}
MORTGAGE = "types/mortgage-1.toml"
ADVICE = "types/advice-1.toml"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FX = "types/corporate-fx-1.toml"


def changed(file: str, old: str, new: str, **more: str) -> dict[str, str]:
    """The shipped files with one place changed."""
    assert old in FILES[file], f"{file} has no {old!r}"
    return {**FILES, file: FILES[file].replace(old, new, 1), **more}


def refusal(files: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        policy_from(files)
    return caught.value.detail


def test_the_shipped_rules_load() -> None:
    policy = load_policy()

    assert set(policy.types) == {"advice@1", "onboarding@1", "mortgage@1", "corporate-fx@1"}
    assert policy_from(FILES).proved == policy.proved


@pytest.mark.requirement("R027", "R203")
@pytest.mark.parametrize(
    ("file", "old", "new", "key", "rule"),
    [
        (MORTGAGE, 'kinds = ["eid"]', 'kinds = ["eid", "code"]', "sign_in.kinds", "code is below the floor"),
        (MORTGAGE, '"country-highest"', '"substantial"', "sign_in.level", "below the floor of band high"),
        (MORTGAGE, "\nfactors = 2", "\nfactors = 1", "sign_in.factors", "1 is below the floor"),
        (MORTGAGE, "each_act = true", "each_act = false", "sign_in.step_up_each_act", "a new check"),
        (MORTGAGE, "desk_factors = 2", "desk_factors = 1", "staff.desk_factors", "below the floor"),
        (MORTGAGE, "seconds = 300", "seconds = 900", "staff.call_fresh_seconds", "longer than band high"),
        (MORTGAGE, '["hwk", "sc", "swk"]', '["sms"]', "staff.strong_methods", "does not accept"),
        (MORTGAGE, '["hwk", "sc", "swk"]', "[]", "staff.strong_methods", "does not accept"),
        (MORTGAGE, '["eid_step_up"]', '["eid_step_up", "touch"]', "signing.methods", "touch is below"),
        (MORTGAGE, 'mode = "bridge"', 'mode = "transit"', "encryption.mode", "below the floor"),
        (MORTGAGE, 'level = "chat"', 'level = "events"', "log.level", "below the floor"),
        (MORTGAGE, '"forms", "calc', '"crm_webhook", "calc', "integrations.during", "crm_webhook is not for"),
        (MORTGAGE, 'rule = "never"', 'rule = "justified"', "recording.rule", "below the floor of band high"),
        (ADVICE, 'rule = "never"', 'rule = "legal"', "recording.rule", "below the floor of band low"),
        (
            MORTGAGE,
            'to = ["adviser"]\nmay = ["share_window"]',
            'to = ["customer"]\nmay = ["share_window"]',
            "grant.customer.share_window",
            "below the floor of band high",
        ),
    ],
)
def test_a_type_below_its_floor_is_refused_with_the_combination_named(
    file: str, old: str, new: str, key: str, rule: str
) -> None:
    detail = refusal(changed(file, old, new))

    assert f"{file}: {key}: " in detail
    assert rule in detail
    assert "(type " in detail
    assert "segment " in detail
    assert "packages " in detail
    assert "capacity " in detail
    assert "raises none" in detail


@pytest.mark.requirement("R028")
@pytest.mark.parametrize(
    ("file", "old", "new", "event"),
    [
        (
            ADVICE,
            '"customer", "representative"]\nmay = ["view_document"]',
            '"customer", "observer"]\nmay = ["view_document"]',
            "observer-documents",
        ),
        (MORTGAGE, 'may = ["share_window"]', 'may = ["share_window", "share_screen"]', "high-whole-screen"),
        (MORTGAGE, 'may = ["calculate"]', 'may = ["calculate", "record"]', "high-recording-without-law"),
        (FX, 'may = ["approve_transaction"]', 'may = ["approve_transaction", "admit"]', "guest-in-charge"),
        (MORTGAGE, 'may = ["sign"]', 'may = ["sign", "send_file"]', "file-outside-document-room"),
        (ADVICE, 'may = ["sign"]', 'may = ["sign", "see_unmasked"]', "low-personal-data"),
        (MORTGAGE, 'kinds = ["eid"]', 'kinds = ["code"]', "code-above-low"),
        (ADVICE, "\nfactors = 2", "\nfactors = 1", "one-factor"),
        (MORTGAGE, '"forms", "calc', '"cobrowsing", "calc', "high-outside-integration"),
    ],
)
def test_what_must_never_happen_is_refused_in_a_type(file: str, old: str, new: str, event: str) -> None:
    detail = refusal(changed(file, old, new))

    assert f"never-event {event}" in detail
    assert file in detail


@pytest.mark.requirement("R028")
@pytest.mark.parametrize(
    ("old", "new", "key", "rule"),
    [
        ('"country-highest"\nkinds = ["eid"]', '"country-highest"\nkinds = ["eid", "code"]',
         "high.sign_in.kinds", "never-event code-above-low"),
        ('"share_firewall",\n]', '"share_firewall", "crm_webhook",\n]',
         "high.plugins", "never-event high-outside-integration"),
        ('[high.sign_in]\nlevel = "country-highest"', '[high.sign_in]\nlevel = "low"',
         "high.sign_in.level", "weaker than band medium"),
        ('log = "chat"', 'log = "events"', "high.log", "less than band medium"),
        ('signing = ["eid_step_up"]', 'signing = ["eid_step_up", "touch"]',
         "high.signing", "a method that band medium lacks"),
    ],
)  # fmt: skip
def test_a_floor_below_the_band_under_it_or_a_never_event_is_refused(old: str, new: str, key: str, rule: str) -> None:
    detail = refusal(changed("bands.toml", old, new))

    assert f"bands.toml: {key}: {rule}" in detail


def test_the_high_floor_may_not_let_anybody_share_a_whole_screen() -> None:
    head, high = FILES["bands.toml"].split("[high.may_grant]")
    weak = high.replace("share_screen = []", 'share_screen = ["adviser"]', 1)

    detail = refusal({**FILES, "bands.toml": f"{head}[high.may_grant]{weak}"})

    assert "bands.toml: high.may_grant.share_screen: never-event high-whole-screen" in detail


@pytest.mark.requirement("R027")
@pytest.mark.parametrize(
    ("file", "old", "new", "key", "rule"),
    [
        (MORTGAGE, "on_demand = false", 'on_demand = false\ncolour = "blue"', "colour", "unknown key"),
        (MORTGAGE, "on_demand = false", 'on_demand = "no"', "on_demand", "must be true or false"),
        (MORTGAGE, "rejoin_minutes = 30", "rejoin_minutes = 9000", "rejoin_minutes", "from 0 to 240"),
        (MORTGAGE, "rejoin_minutes = 30", "rejoin_minutes = true", "rejoin_minutes", "a whole number"),
        (MORTGAGE, "rejoin_minutes = 30\n", "", "rejoin_minutes", "missing"),
        (MORTGAGE, 'band = "high"', 'band = "extreme"', "band", "one of low, medium, high"),
        (MORTGAGE, "2027-01-15", "2026-01-15", "next_review", "before reviewed_on"),
        (MORTGAGE, "2027-01-15", '"soon"', "next_review", "must be a date"),
        (MORTGAGE, 'fi = "Asuntolaina"\n', "", "title.fi", "missing in this language"),
        (MORTGAGE, 'fi = "Asuntolaina"\n', 'fi = " "\n', "title.fi", "not empty"),
        (MORTGAGE, 'fi = "Asuntolaina"\n', 'fi = "a"\nde = "b"\n', "title.de", "unknown key"),
        (MORTGAGE, '"speak", ', '"fly", ', "grant[1].may", "fly is not on the closed list"),
        (MORTGAGE, '"speak", ', '"crm.read", ', "grant[1].may", "crm.read is not on the closed list"),
        (MORTGAGE, 'may = ["chat"]', 'may = ["speak"]', "grant[2].may", "said twice"),
        (MORTGAGE, 'may = ["chat"]', 'may = ["chat", "chat"]', "grant[2].may", "stands twice"),
        (MORTGAGE, 'packages = ["mortgage', 'packages = ["invented", "mortgage', "packages", "closed list"),
        (MORTGAGE, 'segments = ["private"]', "segments = []", "segments", "may not be empty"),
        (MORTGAGE, '"share:off", "chat', '"band:low", "chat', "raises", "band:low is not on the closed"),
        (MORTGAGE, '"share:off", "chat', '"band:medium", "chat', "raises", "raises nothing here"),
        (MORTGAGE, '["SE", "NO"', '["SE", "XX"', "sign_in.countries", "no eID of XX"),
        (MORTGAGE, "version = 1", "version = 2", "version", "must be called mortgage-2.toml"),
        (MORTGAGE, 'name = "mortgage"', 'name = "Mortgage!"', "name", "small letters"),
        (ADVICE, "ordinary = true", "ordinary = true\nordinary = false", "", "not TOML"),
        ("packages.toml", '= "fx-desk"', '= "nobody"', "groups.bank-fx-desk", "no package nobody"),
        ("packages.toml", '"take_on_demand", "read', '"fire_staff", "read', "rights", "closed list"),
        ("never.toml", 'name = "one-factor"', 'name = "low-recording"', "name", "stands twice"),
        ("never.toml", "fewer_factors_than = 2\n", "", "name", "forbids 0 things"),
        ("eids.toml", 'kind = "code"\nloa = "low"', 'kind = "code"\nloa = "high"', "loa", "low at the most"),
        ("eids.toml", 'loa = "substantial"\ncountry = "SE"', 'loa = "high"\ncountry = "SE"', "loa", "highest of SE"),
        ("bands.toml", 'raise_security = ["adviser"]\n', "", "high.may_grant.raise_security", "missing"),
        ("sentences/da.toml", "cannot-lower", "cannot-lover", "cannot-lower", "missing in this language"),
        ("sentences/da.toml", "{phone}", "{telefon}", "", "placeholder"),
        ("sentences/da.toml", 'cannot-lower = "', 'cannot-lower = "{adviser} ', "cannot-lower", "last wording"),
        ("sentences/da.toml", 'cannot-lower = "', 'cannot-lower = "{} ', "cannot-lower", "a brace"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_file_key_and_rule(file: str, old: str, new: str, key: str, rule: str) -> None:
    detail = refusal(changed(file, old, new))

    assert detail.startswith(f"{file}: ") or (file.startswith("sentences/") and "sentences/" in detail)
    assert key in detail
    assert rule in detail


def test_every_fault_is_told_at_once() -> None:
    files = changed(MORTGAGE, 'kinds = ["eid"]', 'kinds = ["eid", "code"]')
    files[ADVICE] = FILES[ADVICE].replace('rule = "never"', 'rule = "legal"')

    lines = refusal(files).splitlines()

    assert {line.split(": ")[0] for line in lines} == {MORTGAGE, ADVICE}


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"bands\.toml: cannot be read"):
        load_policy(tmp_path)


@pytest.mark.requirement("R026")
def test_a_fourth_ordinary_type_is_refused() -> None:
    detail = refusal(changed(FX, "ordinary = false", "ordinary = true"))

    assert "at most 3 types in the ordinary choice" in detail


@pytest.mark.requirement("R021", "R102")
def test_a_recording_by_law_needs_the_law_a_purpose_and_a_deletion_date() -> None:
    assert "recording.purposes" in refusal(changed(FX, 'purposes = ["client-order"]', "purposes = []"))
    assert "recording.retention_days" in refusal(changed(FX, "retention_days = 1826\n", ""))
    assert "longer than the named law" in refusal(changed(FX, "retention_days = 1826\n", "retention_days = 1827\n"))
    head, rest = FILES[FX].split("[[recording.references]]")
    without = head + "[encryption]" + rest.split("[encryption]")[1]
    assert "recording.references" in refusal({**FILES, FX: without})


def test_a_meeting_the_law_wants_recorded_cannot_be_raised_to_strict() -> None:
    detail = refusal(changed(FX, 'raises = ["share:off"', 'raises = ["encryption:strict", "share:off"'))

    assert f"{FX}: raises: " in detail


def test_a_recording_permission_where_the_rule_says_never_is_refused() -> None:
    detail = refusal(changed(FX, 'rule = "legal"', 'rule = "never"'))

    assert f"{FX}: grant.adviser.record: recording.rule says never" in detail


def test_a_grant_to_staff_that_no_package_carries_is_refused() -> None:
    detail = refusal(changed("packages.toml", '"see_unmasked", "record",', '"see_unmasked",'))

    assert "grant.adviser.record: no role package of this type carries it" in detail


@pytest.mark.requirement("R141", "R213")
def test_a_plugins_permission_is_known_only_when_the_plugin_declares_it() -> None:
    files = changed(MORTGAGE, 'may = ["sign"]', 'may = ["sign", "document_room.annotate"]')
    files["packages.toml"] = FILES["packages.toml"].replace(
        '"see_unmasked",', '"see_unmasked", "document_room.annotate",'
    )
    customer = ("mortgage@1", Segment.PRIVATE, frozenset({"mortgage-adviser"}), Capacity.CUSTOMER)

    assert "is not on the closed list" in refusal(files)
    policy = policy_from(files, plugin_permissions=["document_room.annotate"])
    situation = Situation(policy.type(customer[0]), *customer[1:])
    assert decide(policy, situation, "document_room.annotate").allowed
    observer = Situation(*(policy.type(customer[0]), *customer[1:3]), Capacity.OBSERVER)
    refused = decide(policy, observer, "document_room.annotate")
    assert (refused.allowed, refused.rule) == (False, "band.high/plugin_permissions")


@pytest.mark.requirement("R033")
def test_an_observer_is_granted_no_permission_of_a_plugin() -> None:
    files = changed(
        MORTGAGE,
        '"representative", "observer"]\nmay = ["speak", ',
        '"representative", "observer"]\nmay = ["document_room.annotate", "speak", ',
    )

    with pytest.raises(ConfigurationError, match=r"grant\.observer\.document_room\.annotate: below the floor"):
        policy_from(files, plugin_permissions=["document_room.annotate"])


@pytest.mark.requirement("R140", "R141")
def test_a_permission_of_a_plugin_the_type_does_not_use_is_refused_at_load() -> None:
    files = changed(MORTGAGE, 'may = ["sign"]', 'may = ["sign", "whiteboard.import"]')
    files["packages.toml"] = FILES["packages.toml"].replace('"see_unmasked",', '"see_unmasked", "whiteboard.import",')

    with pytest.raises(ConfigurationError, match="its plugin is not among integrations"):
        policy_from(files, plugin_permissions=["whiteboard.import"])


@pytest.mark.requirement("R006")
def test_a_type_can_accept_one_countrys_eids_only() -> None:
    policy = policy_from(changed(MORTGAGE, '["SE", "NO", "DK", "FI"]', '["NO"]'))
    situation = Situation(
        policy.type("mortgage@1"), Segment.PRIVATE, frozenset({"mortgage-adviser"}), Capacity.CUSTOMER
    )

    assert sign_in_for(policy, situation).providers == {"nbid"}


def test_a_type_nobody_could_sign_in_to_is_refused() -> None:
    files = changed(MORTGAGE, '["SE", "NO", "DK", "FI"]', '["SE"]')
    files[MORTGAGE] = files[MORTGAGE].replace('"country-highest"', '"high"')

    assert "nobody could come in" in refusal(files)


@pytest.mark.requirement("R030", "R031")
def test_a_new_version_waits_for_its_day_and_the_old_one_stays_for_meetings_booked_with_it() -> None:
    second = (
        FILES[MORTGAGE]
        .replace("version = 1", "version = 2")
        .replace("in_force_from = 2026-01-07", "in_force_from = 2026-12-01")
        .replace("rejoin_minutes = 30", "rejoin_minutes = 10")
    )
    policy = policy_from({**FILES, "types/mortgage-2.toml": second})

    assert policy.current("mortgage", today=date(2026, 11, 30)).ref == "mortgage@1"
    assert policy.current("mortgage", today=date(2026, 12, 1)).ref == "mortgage@2"
    assert policy.type("mortgage@1").rejoin_minutes == 30
    assert policy.type("mortgage@2").rejoin_minutes == 10
    assert len(policy.current_types(today=date(2026, 12, 1))) == 4


def test_a_version_that_would_come_into_force_before_the_one_it_follows_is_refused() -> None:
    second = FILES[MORTGAGE].replace("version = 1", "version = 2").replace("2026-01-07", "2025-12-01")

    detail = refusal({**FILES, "types/mortgage-2.toml": second})

    assert "types/mortgage-2.toml: in_force_from: before mortgage@1" in detail


@pytest.mark.requirement("R030", "R201")
def test_the_digest_follows_the_content_and_not_the_layout() -> None:
    before = load_policy().type("mortgage@1")
    commented = changed(MORTGAGE, 'band = "high"', '# a remark\nband   =  "high"')
    stricter = changed(MORTGAGE, "rejoin_minutes = 30", "rejoin_minutes = 29")

    assert before.source_text == FILES[MORTGAGE]
    assert policy_digest(policy_from(commented).type("mortgage@1")) == policy_digest(before)
    assert policy_digest(policy_from(stricter).type("mortgage@1")) != policy_digest(before)
    assert len(policy_digest(before)) == len(hashlib.sha256().hexdigest())


def test_the_digest_of_all_rules_follows_every_file() -> None:
    before = rules_digest(load_policy())

    for file, old, new in (
        ("bands.toml", '"sc", "swk"]', '"sc", "swk", "pop"]'),
        ("never.toml", "Ett samtal", "Ett möte"),
        ("sentences/fi.toml", "Asiakas", "Kunde"),
    ):
        assert rules_digest(policy_from(changed(file, old, new))) != before


@pytest.mark.requirement("R029")
def test_an_overdue_review_is_shown_from_the_day_after() -> None:
    policy = policy_from(changed(ADVICE, "2027-01-15", "2026-12-24"))

    assert overdue(policy, date(2026, 12, 24)) == ()
    assert [each.name for each in overdue(policy, date(2026, 12, 25))] == ["advice"]
    assert [each.name for each in overdue(policy, date(2027, 1, 16))] == [
        "advice",
        "corporate-fx",
        "mortgage",
        "onboarding",
    ]


@pytest.mark.requirement("R027", "R126")
def test_every_grant_and_topic_has_a_reason_a_lawyer_can_read() -> None:
    for meeting_type in load_policy().types.values():
        reasons = list(meeting_type.reasons.values())
        reasons += [reason for grants in meeting_type.grants.values() for reason in grants.values()]
        for reason in reasons:
            assert set(reason) == {"sv", "en"}
            assert all(words.endswith(".") and len(words) > 20 for words in reason.values())
        assert set(meeting_type.purpose) == set(LANGUAGES)


def with_justified_recording() -> dict[str, str]:
    """A bank's own medium type in which a meeting may be recorded for a purpose, with everybody's consent."""
    file = "types/onboarding-1.toml"
    files = changed(
        file,
        'rule = "never"',
        'rule = "justified"\npurposes = ["identification"]\nretention_days = 90',
    )
    files[file] = files[file].replace('may = ["calculate"]', 'may = ["calculate", "record"]')
    files["packages.toml"] = FILES["packages.toml"].replace('"see_unmasked",\n', '"see_unmasked", "record",\n')
    return files


@pytest.mark.requirement("R019", "R021", "R107")
def test_a_recording_by_consent_ends_when_the_meeting_is_raised_to_high_or_to_strict() -> None:
    policy = policy_from(with_justified_recording())
    meeting_type = policy.type("onboarding@1")
    who = (Segment.PRIVATE, frozenset({"private-banker"}), Capacity.ADVISER)
    high, strict = (Raise(target, NOON, "st_elin") for target in ("band:high", "encryption:strict"))

    before = Situation(meeting_type, *who)
    assert decide(policy, before, Permission.RECORD).allowed
    assert recording_for(policy, before) is RecordingRule.JUSTIFIED
    assert "only if everybody says yes" in promise(policy, before, "en")

    raised = Situation(meeting_type, *who, (high,))
    assert decide(policy, raised, Permission.RECORD).rule == "never/high-recording-without-law"
    sealed = Situation(meeting_type, *who, (strict,))
    assert decide(policy, sealed, Permission.RECORD).rule == "never/strict-recording"
    assert recording_for(policy, sealed) is RecordingRule.NEVER
    assert promise(policy, sealed, "en").startswith("The meeting is not recorded")


@pytest.mark.requirement("R021")
def test_without_the_never_event_the_missing_law_still_refuses() -> None:
    """Two rules stand behind each other, so that a slip in one file opens nothing."""
    files = with_justified_recording()
    files["never.toml"] = FILES["never.toml"].replace('permissions = ["record", "transcribe"]', 'plugins = ["none"]')
    policy = policy_from(files)
    high = (Raise("band:high", NOON, "st_elin"),)
    where = Situation(
        policy.type("onboarding@1"), Segment.PRIVATE, frozenset({"private-banker"}), Capacity.ADVISER, high
    )

    assert decide(policy, where, Permission.RECORD).rule == "onboarding@1/recording"


@pytest.mark.requirement("R009")
def test_methods_that_type_and_raised_band_do_not_share_leave_none() -> None:
    policy = policy_from(changed(ADVICE, "strong_methods = []", 'strong_methods = ["sms"]'))
    advice, high = policy.type("advice@1"), (Raise("band:high", NOON, "st_elin"),)
    now = {"authenticated_at": NOON, "now": NOON}

    assert staff_sign_in_for(policy, advice).judge_call(amr=["pwd", "sms"], **now).allowed
    raised = staff_sign_in_for(policy, advice, high)
    for amr in (["pwd", "sms"], ["pwd", "hwk"], ["pwd", "sms", "hwk"], ["mfa"]):
        assert not raised.judge_call(amr=amr, **now).allowed

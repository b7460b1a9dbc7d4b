"""What followed from the choice of type, in words: for the booking page and the strip above the meeting."""

from collections.abc import Sequence
from dataclasses import replace

from sidecar.domain.permissions import Capacity, Permission
from sidecar.domain.policy.deciding import decide
from sidecar.domain.policy.floors import recording_for
from sidecar.domain.policy.model import Policy, Situation
from sidecar.domain.policy.sentences import Sentences
from sidecar.domain.policy.sign_in import sign_in_for
from sidecar.domain.policy.values import RecordingRule, Segment

Line = tuple[str, str, str]  # icon, heading, text

_DAYS_A_YEAR = 365.25
_LEAP_DAYS = 3  # ten years are 3652 or 3653 days; both read "ten years"


def consequences(
    policy: Policy,
    situation: Situation,
    language: str,
    *,
    customer: str = "",
    country: str = "",
    stored_in: str = "",
    observers: Sequence[str] = (),
) -> list[Line]:
    """Return what the choice of this type brings, about five lines of (icon, heading, text).

    customer, observers: given names. country: the customer's domicile; stored_in: where the data will lie;
    both ISO 3166-1 alpha-2. Each line has a neutral wording for what is left out. Written to the adviser.
    """
    say = policy.sentences.say
    lines = [_sign_in_line(policy, situation, language, customer=customer, country=country)]
    recording = recording_for(policy, situation)
    references = situation.type.recording_references
    reference = references[0].text if references and recording is RecordingRule.LEGAL else None
    icon = "norec" if recording is RecordingRule.NEVER else "rec"
    lines.append(
        (
            icon,
            say(f"follows.recording.{recording}", language),
            say(f"follows.recording.{recording}.text", language, reference=reference),
        )
    )
    lines.append(_share_line(policy, situation, language, customer=customer))
    if Capacity.OBSERVER in situation.type.capacities:
        many = "many" if len(observers) > 1 else "one"
        names = _joined(observers, language, policy.sentences)
        lines.append(
            (
                "eyeoff",
                say(f"follows.observer.{many}", language, observers=names),
                say("follows.observer.text", language),
            )
        )
    private = situation.segment is Segment.PRIVATE
    lines.append(
        (
            "lock",
            say(
                "follows.kept",
                language,
                stored_in=_in_country(stored_in, language, policy.sentences),
                duration=duration_text(policy.sentences, situation.type.retention_days, language),
            ),
            say(
                "follows.kept.private" if private else "follows.kept.corporate",
                language,
                customer=customer,
                domicile=_in_country(country, language, policy.sentences),
            ),
        )
    )
    return lines


def promise(policy: Policy, situation: Situation, language: str, *, recorded_until: str = "") -> str:
    """Return the sentence that stays in sight through the meeting: whether it is recorded.

    recorded_until: the deletion date as the reader writes dates, while a recording runs; "" otherwise.
    """
    rule = recording_for(policy, situation)
    params = {"type": situation.type.ref, "until": recorded_until}
    if recorded_until:
        on = "recording-on-by-consent" if rule is RecordingRule.JUSTIFIED else "recording-on"
        return policy.sentences.say(on, language, **params)
    key = {
        RecordingRule.NEVER: "not-recorded",
        RecordingRule.LEGAL: "recorded-only-by-law",
        RecordingRule.JUSTIFIED: "recorded-only-if-asked",
    }[rule]
    return policy.sentences.say(key, language, **params)


def duration_text(texts: Sentences, days: int, language: str) -> str:
    """Return a length of time as a person says it: "ten years", "90 days"."""
    years = round(days / _DAYS_A_YEAR)
    if years < 1 or abs(days - years * _DAYS_A_YEAR) > _LEAP_DAYS:
        return texts.say("duration.days", language, n=days)
    if years == 1:
        return texts.say("duration.year", language)
    key = f"number.{years}"
    number = texts.say(key, language) if key in texts.keys else str(years)
    return texts.say("duration.years", language, n=number)


def _sign_in_line(policy: Policy, situation: Situation, language: str, *, customer: str, country: str) -> Line:
    rule = sign_in_for(policy, replace(situation, capacity=Capacity.CUSTOMER))
    say = policy.sentences.say
    accepted = [policy.eids[name] for name in policy.eids if name in rule.providers]
    titles = [eid.title for eid in accepted if eid.kind == "eid" and eid.country == country]
    if "code" in rule.kinds:
        heading, text = "follows.code", "follows.code.text"
    else:
        heading = "follows.eid"
        text = "follows.eid.again" if rule.step_up_each_act else "follows.eid.once"
    method = titles[0] if titles else None
    return "shield", say(heading, language, customer=customer, method=method), say(text, language)


def _share_line(policy: Policy, situation: Situation, language: str, *, customer: str) -> Line:
    def shares(capacity: Capacity) -> bool:
        return decide(policy, replace(situation, capacity=capacity), Permission.SHARE_WINDOW).allowed

    if shares(Capacity.CUSTOMER) and shares(Capacity.ADVISER):
        key = "follows.share.both"
    elif shares(Capacity.ADVISER):
        key = "follows.share.adviser"
    else:
        key = "follows.share.nobody"
    say = policy.sentences.say
    return "share", say(key, language, customer=customer), say(f"{key}.text", language)


def _in_country(country: str, language: str, texts: Sentences) -> str:
    key = f"in-country.{country}"
    return texts.say(key, language) if country and key in texts.keys else ""


def _joined(names: Sequence[str], language: str, texts: Sentences) -> str:
    if len(names) < 2:
        return "".join(names)
    return texts.say("and", language, first=", ".join(names[:-1]), last=names[-1])

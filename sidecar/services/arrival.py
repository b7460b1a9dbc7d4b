"""From the invitation's link to a verified person: arrive, consent, identify."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from sidecar.domain.identity import IdentityAssertion, LoA, Subject
from sidecar.domain.ids import PersonId, new_id
from sidecar.domain.meetings import (
    FINAL_STATES,
    SHUT_OUT,
    Consent,
    Identified,
    Meeting,
    Participant,
    ParticipantState,
    may_open_door,
)
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Decision, MeetingType, Policy, SignInRule, Situation, integrations_for, sign_in_for
from sidecar.services.acts import Act, Acts
from sidecar.services.links import Links
from sidecar.services.ports import (
    Errand,
    Extensions,
    IdentityMethod,
    MeetingStore,
    MeetingTx,
    ObjectStore,
    PeopleStore,
    Person,
    SignInRequest,
    SignInStep,
)

_WRONG_PERSON = Decision(False, "default/right-person", "wrong-person")
_NO_CONSENT = Decision(False, "default/consent-first", "consent-missing")
_NOT_INVITED = Decision(False, "default/invited-only", "not-invited")
_TOO_EARLY = Decision(False, "default/door-opens", "too-early")


@dataclass(frozen=True)
class Choice:
    """One sign-in method the policy leaves for this person in this meeting."""

    name: str
    kind: str
    loa: LoA


class Arrival:
    """Takes a guest from the link to the door of the lobby."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        objects: ObjectStore,
        policy: Policy,
        extensions: Extensions,
        links: Links,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._objects = objects
        self._policy = policy
        self._extensions = extensions
        self._links = links
        self._clock = clock

    def open_link(self, secret: str) -> Participant:
        """Return the place the link leads to. Raises NotFoundError, the same for every wrong link."""
        place = self._meetings.find_by_link(self._links.digest(secret)) if len(secret) < 100 else None
        if place is None:
            raise NotFoundError("This link leads nowhere.")
        if place.state is not ParticipantState.INVITED:
            return place
        act = Act("invitation.opened", _actor(place), self._clock(), place.meeting, place.id)
        opened = replace(place, state=ParticipantState.ARRIVED)
        return self._acts.perform(act, effect=lambda tx: tx.save_participant(opened))

    def door(self, meeting: Meeting) -> str:
        """Return "" when one may go on to consent and identify, else the reason (may_open_door)."""
        return may_open_door(meeting, opens_before=self._opens_before(meeting), now=self._clock())

    def opens_at(self, meeting: Meeting) -> datetime:
        """Return when one may go on from getting ready to identifying."""
        return meeting.starts_at - self._opens_before(meeting)

    def was_moved(self, place: Participant) -> bool:
        """Say whether this person was told of another time before the one that holds."""
        told = (errand.body for errand in self._meetings.errands(place.meeting))
        return any(body.get("template") == "moved" and body.get("participant") == place.id for body in told)

    def _opens_before(self, meeting: Meeting) -> timedelta:
        return timedelta(minutes=self._policy.type(meeting.type_ref).opens_before_minutes)

    def consent(self, place: Participant, version: str, *, digest: str, language: str) -> Participant:
        """Keep that the person accepted the text of this version (R065). digest: SHA-256 of the whole text."""
        if self._meetings.get(place.meeting).state in FINAL_STATES:
            raise ConflictError("The meeting is over.")
        act = Act(
            "consent.given",
            _actor(place),
            self._clock(),
            place.meeting,
            place.id,
            {"version": version, "text_sha256": digest, "language": language},
        )
        given = replace(
            place,
            consent_version=version,
            consent_at=self._clock(),
            consent_digest=digest,
            state=ParticipantState.CONSENTED
            if place.state in (ParticipantState.INVITED, ParticipantState.ARRIVED)
            else place.state,
        )
        return self._acts.perform(act, effect=lambda tx: tx.save_participant(given))

    def consents(self, place: Participant) -> list[Consent]:
        """Return the texts this place's person accepted before, in any meeting, the newest yes first."""
        return self._meetings.consents(place.person) if place.person else []

    def rule(self, meeting: Meeting, place: Participant) -> SignInRule:
        return sign_in_for(self._policy, self._situation(meeting, place))

    def choices(self, meeting: Meeting, place: Participant) -> list[Choice]:
        """Return the sign-in methods that the policy leaves, strongest first."""
        return [Choice(m.name, m.kind, m.loa) for m in self._allowed_methods(meeting, place).values()]

    def methods_for(self, meeting_type: MeetingType) -> list[str]:
        """Return the names of the sign-ins a customer of this type is left, for a page without a meeting."""
        where = Situation(
            type=meeting_type,
            segment=sorted(meeting_type.segments)[0],
            packages=frozenset(),
            capacity=Capacity.CUSTOMER,
        )
        rule = sign_in_for(self._policy, where)
        return [name for name in self._extensions.identity_methods() if name in rule.providers]

    def start(self, place: Participant, method: str, request: SignInRequest) -> SignInStep:
        """Begin a sign-in. Raises RefusedError for a method the policy does not leave, or before the door opens."""
        offered = self._extensions.identity_methods().get(method)
        if offered is None:
            raise InvalidInputError("There is no such way to sign in.", field="method")
        meeting = self._meetings.get(place.meeting)
        now = self._clock()
        act = Act("sign_in.started", _actor(place), now, meeting.id, place.id, {"method": method})
        self._check_may_identify(meeting, place, act)
        if self.door(meeting) == "too-early":
            self._acts.refuse(act, _TOO_EARLY)
        found = self._allowed_methods(meeting, place).get(method)
        if found is None:
            self._acts.refuse(act, self._why_not(meeting, place, offered))
        used = {"plugin": self._extensions.plugin_of(method)}
        self._acts.note(act, Act("plugin.used", "system", now, meeting.id, data=used))
        return found.start(request)

    def proceed(
        self,
        place: Participant,
        method: str,
        request: SignInRequest,
        state: Mapping[str, object],
        answer: Mapping[str, str] | None = None,
    ) -> SignInStep:
        """Poll a sign-in, or hand over an answer. On completion the person is matched and stored."""
        found = self._method(place, method)
        if answer is None:
            step = found.poll(request, state)
        else:
            step = found.submit(request, state, answer)
        if step.status == "failed":
            data = {"method": method, "reason": step.message}
            self._acts.note(Act("sign_in.failed", _actor(place), self._clock(), place.meeting, place.id, data))
            if step.view.get("alert_adviser"):
                self._declined_call(place, method)
        if step.status == "complete" and step.assertion is not None:
            self._identified(place, step.assertion)
        return step

    def cancel(self, place: Participant, method: str, request: SignInRequest, state: Mapping[str, object]) -> None:
        self._method(place, method).cancel(request, state)

    def _declined_call(self, place: Participant, method: str) -> None:
        """Keep, for the adviser to see, that the owner of the eID says somebody else is on the line with them."""
        place = self._meetings.participant(place.id)
        told = replace(place, declined_calls=place.declined_calls + 1)
        act = Act("sign_in.declined_call", _actor(place), self._clock(), place.meeting, place.id, {"method": method})
        self._acts.perform(act, effect=lambda tx: tx.save_participant(told))

    def _identified(self, place: Participant, assertion: IdentityAssertion) -> Participant:
        """Check level and person, keep the proof, mark the place as identified."""
        now = self._clock()
        place = self._meetings.participant(place.id)
        meeting = self._meetings.get(place.meeting)
        rule = self.rule(meeting, place)
        act = Act("sign_in.completed", _actor(place), now, meeting.id, place.id)
        self._check_may_identify(meeting, place, act)
        method = self._method(place, assertion.provider)
        self._acts.require(
            act,
            rule.judge(provider=assertion.provider, kind=method.kind, loa=assertion.loa, factors=assertion.factors),
        )
        person = self._match(place, assertion)
        if person is None:
            tried = replace(place, wrong_person_tries=place.wrong_person_tries + 1)
            wrong = Act(
                "sign_in.wrong_person",
                _actor(place),
                now,
                meeting.id,
                place.id,
                {"method": assertion.method, "tries": tried.wrong_person_tries},
            )
            self._acts.perform(wrong, effect=lambda tx: tx.save_participant(tried))
            raise RefusedError(
                "Another person than the one invited identified.",
                rule=_WRONG_PERSON.rule,
                sentence=_WRONG_PERSON.sentence,
            )
        digests = tuple(part.sha256 for part in assertion.evidence)
        how = Identified(
            provider=assertion.provider,
            method=assertion.method,
            kind=method.kind,
            loa=int(assertion.loa),
            factors=assertion.factors,
            at=assertion.asserted_at,
            evidence_digests=digests,
        )
        identified = replace(
            place,
            person=PersonId(person.id),
            state=ParticipantState.IDENTIFIED,
            left_at=None,
            hand=False,
            sharing=False,
        )
        objects: list[str] = []
        known = replace(person, verified_name=assertion.name or person.verified_name)

        def before() -> None:
            if known != person or place.person is None:
                self._people.put(known)
            objects.extend(
                self._objects.put(object_class="identity-evidence", meeting=meeting.id, data=part.data)
                for part in assertion.evidence
            )

        data = {
            "provider": assertion.provider,
            "method": assertion.method,
            "loa": assertion.loa.name.lower(),
            "proof": list(digests),
        }
        done = Act("sign_in.completed", person.id, now, meeting.id, place.id, data)

        def effect(tx: MeetingTx) -> Participant:
            if place.state is ParticipantState.IN_ROOM:  # who identifies anew waits anew: the old media is cut
                tx.add_errand(_cut(meeting, place, now))
            if place.consent_digest and place.consent_at is not None:  # a link alone does not say whose yes it was
                tx.put_consent(
                    PersonId(person.id), Consent(place.consent_version, place.consent_digest, place.consent_at)
                )
            return tx.save_participant(replace(identified, identified=replace(how, evidence=tuple(objects))))

        return self._acts.perform(done, effect=effect, before=before)

    def _match(self, place: Participant, assertion: IdentityAssertion) -> Person | None:
        """Return the invited person when the assertion is about that very person, else None."""
        if place.person is None:  # on demand: whoever identifies takes the place
            return self._people.find_by_subject(assertion.subject) or Person(
                id=new_id("per"),
                kind="guest",
                name=assertion.name,
                subjects=(assertion.subject,),
                language=place.language,
            )
        person = self._people.get(place.person)
        expected = person.subjects
        if assertion.subject.scheme in ("phone", "email"):
            address = getattr(person, assertion.subject.scheme)
            expected = (Subject(assertion.subject.scheme, address),) if address else ()
        same = [
            hmac.compare_digest(subject.value.encode(), assertion.subject.value.encode())
            for subject in expected
            if subject.scheme == assertion.subject.scheme
        ]
        return person if any(same) else None

    def _check_may_identify(self, meeting: Meeting, place: Participant, act: Act) -> None:
        if meeting.state in FINAL_STATES:
            raise ConflictError("The meeting is over.")
        if place.state in SHUT_OUT:
            self._acts.refuse(act, _NOT_INVITED)
        if not place.consent_version and not place.is_staff:
            self._acts.refuse(act, _NO_CONSENT)

    def _allowed_methods(self, meeting: Meeting, place: Participant) -> dict[str, IdentityMethod]:
        rule = self.rule(meeting, place)
        integrations = integrations_for(self._policy, self._situation(meeting, place))
        left = {
            name: method
            for name, method in self._extensions.identity_methods().items()
            if name in rule.providers and name in integrations and method.loa >= rule.required[name]
        }
        return dict(sorted(left.items(), key=lambda item: -item[1].loa))

    def _why_not(self, meeting: Meeting, place: Participant, method: IdentityMethod) -> Decision:
        """Return the refusal of a method the policy does not leave, by the rule that struck it."""
        rule = self.rule(meeting, place)
        judged = rule.judge(provider=method.name, kind=method.kind, loa=method.loa, factors=rule.factors)
        return Decision(False, rule.rule, "level-too-low", rule.params) if judged.allowed else judged

    def _method(self, place: Participant, method: str) -> IdentityMethod:
        found = self._allowed_methods(self._meetings.get(place.meeting), place).get(method)
        if found is None:
            raise NotFoundError("There is no such sign-in under way.")
        return found

    def _situation(self, meeting: Meeting, place: Participant) -> Situation:
        return situation(self._policy, meeting, place)


def situation(policy: Policy, meeting: Meeting, place: Participant) -> Situation:
    """Return what the policy decides upon for one person in one meeting."""
    return Situation(
        type=policy.type(meeting.type_ref),
        segment=meeting.segment,
        packages=meeting.packages,
        capacity=place.capacity,
        raises=meeting.raises,
    )


def _cut(meeting: Meeting, place: Participant, now: datetime) -> Errand:
    return Errand(
        id=new_id("e"),
        kind="bridge.expel",
        meeting=meeting.id,
        due_at=now,
        body={"room": meeting.room, "participant": place.id, "reason": "identified-anew"},
    )


def _actor(place: Participant) -> str:
    """Return the pseudonym the audit log knows this place's person by."""
    return place.person or place.staff or place.id

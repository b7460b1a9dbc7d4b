"""Who may sign how, and the request a signing method gets: the number and the address never pass a plugin's hands."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from sidecar.domain.ids import ParticipantId, PersonId, new_id
from sidecar.domain.meetings import Meeting, Participant
from sidecar.domain.policy import Decision, Policy, decide, sign_in_for, signing_for
from sidecar.services.acts import Act, Acts
from sidecar.services.arrival import situation
from sidecar.services.plugin_ports import BrandView, PlaceView
from sidecar.services.plugin_views import as_customer, let_in, number_of
from sidecar.services.ports import Extensions, MeetingStore, PeopleStore, Person
from sidecar.services.signing_ports import ClientView, SigningMethod, SigningRequest, SignQuestion
from sidecar.services.ways import may_send_code

# An eID that signs one text is a fresh check bound to that act: what "eid_step_up" asks for (bands.toml).
_MEETS: Mapping[str, frozenset[str]] = {
    "touch": frozenset({"touch"}),
    "sms": frozenset({"sms"}),
    "eid": frozenset({"eid", "eid_step_up"}),
}


class PluginSigning:
    """The core's part in a signature: the floor, the judges, whom it must be."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        extensions: Extensions,
        brand: Callable[[str], BrandView],
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._extensions = extensions
        self._brand = brand
        self._clock = clock

    def methods(self, place: PlaceView | None) -> list[SigningMethod]:
        """Return the methods the policy leaves at this place and its person can answer, the strongest first.

        All of them without a place.
        """
        if place is None:
            found = list(self._extensions.signing_methods().values())
        else:
            participant = self._meetings.participant(ParticipantId(place.participant))
            meeting = self._meetings.get(participant.meeting)
            offered = self._extensions.signing_methods(let_in(self._policy, meeting))
            answers = self._answers_of(participant)
            found = [
                each
                for each in offered.values()
                if answers(each) and self._floor(meeting, each.name, each.kind).allowed
            ]
        return sorted(found, key=lambda each: (-each.loa, each.name))

    def require(self, question: SignQuestion, act: str) -> None:
        """Raise RefusedError, recorded, unless permission, floor and every judge let this signing."""
        place = self._meetings.participant(ParticipantId(question.participant))
        meeting = self._meetings.get(place.meeting)
        asked = Act(
            act,
            place.person or place.staff or place.id,
            self._clock(),
            meeting.id,
            place.id,
            {"method": question.method, "documents": [each for each, _ in question.documents]},
        )
        where = situation(self._policy, meeting, place)
        self._acts.require(asked, decide(self._policy, where, question.permission))
        self._acts.require(asked, self._allowed_method(question))
        verdict = self._extensions.judge_sign(question, let_in(self._policy, meeting))
        if verdict is not None:
            self._acts.require(asked, verdict)

    def request(
        self,
        of: PlaceView | str,
        client: ClientView,
        *,
        visible_text: str,
        hidden_data: bytes,
        same_device: bool,
        return_url: str,
        language: str | None,
        brand: str,
    ) -> SigningRequest:
        """Return the request for a method. Raises NotFoundError for somebody nobody knows."""
        person = self._people.get(PersonId(of.person if isinstance(of, PlaceView) else of))
        place = self._meetings.participant(ParticipantId(of.participant)) if isinstance(of, PlaceView) else None
        return SigningRequest(
            id=new_id("sg"),
            meeting=of.meeting if isinstance(of, PlaceView) else "",
            participant=of.participant if isinstance(of, PlaceView) else "",
            brand_name=self._brand(brand).name,
            language=language or (of.language if isinstance(of, PlaceView) else person.language),
            end_user_ip=client.ip,
            user_agent=client.user_agent,
            referring_domain=client.referring_domain,
            device=client.device,
            same_device=same_device,
            return_url=return_url if same_device else None,
            visible_text=visible_text,
            hidden_data=hidden_data,
            subject=number_of(person),
            contact=_contact(person, place),
        )

    def _answers_of(self, participant: Participant) -> Callable[[SigningMethod], bool]:
        """Return what says whether this person can answer a method: an eID by their number, a code by telephone."""
        of = participant.person or participant.staff
        person = self._people.find(of) if of is not None else None
        number = number_of(person) if person is not None else None
        reached = person is not None and bool(_contact(person, participant))

        def answers(method: SigningMethod) -> bool:
            if method.kind == "eid":
                schemes: Collection[str] | None = getattr(method, "number_schemes", None)
                return number is not None and (schemes is None or number.scheme in schemes)
            return method.kind == "touch" or reached

        return answers

    def _allowed_method(self, question: SignQuestion) -> Decision:
        place = self._meetings.participant(ParticipantId(question.participant))
        meeting = self._meetings.get(place.meeting)
        offered = self._extensions.signing_methods(let_in(self._policy, meeting)).get(question.method)
        if offered is None or offered.kind != question.kind:
            return Decision(False, f"{meeting.type_ref}/signing", "signing-method", {"type": meeting.type_ref})
        return self._floor(meeting, question.method, question.kind)

    def _floor(self, meeting: Meeting, method: str, kind: str) -> Decision:
        """Say whether type and floors leave this method. Whoever signs, the customer's eIDs are what counts."""
        where = as_customer(self._policy, meeting)
        params = {"type": meeting.type_ref}
        left = _MEETS.get(kind, frozenset()) & signing_for(self._policy, where)
        if not left:
            return Decision(False, f"{meeting.type_ref}/signing", "signing-method", params)
        if kind == "eid":
            offered = self._extensions.signing_methods()[method]
            rule = sign_in_for(self._policy, where)
            if method not in rule.providers or offered.loa < rule.required[method]:
                return Decision(False, rule.rule, "eid-not-accepted", params)
        return Decision(True, f"{meeting.type_ref}/signing/{min(left)}", "may.sign", params)


def _contact(person: Person, place: Participant | None) -> dict[str, str]:
    """Return where a code may go. It proves a second way to the person, so never where a link went (R060)."""
    apart = place is None or may_send_code(place, person, "sms").allowed
    return {"sms": person.phone} if person.phone and apart else {}

"""Staff: sign-in through the bank's identity service, and the check before a call."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn

from sidecar.domain.errors import ConflictError
from sidecar.domain.identity import StaffAssertion, Subject
from sidecar.domain.ids import StaffId, new_id
from sidecar.domain.meetings import CallCheck, Meeting, MeetingState
from sidecar.domain.policy import Band, Decision, Policy, count_factors, may_hold, may_staff, staff_sign_in_for
from sidecar.services.acts import Act, Acts
from sidecar.services.ports import MeetingStore, MeetingTx, PeopleStore, Person

_NO_PACKAGE = Decision(False, "default/no-role-package", "no-role")
_ONE_FACTOR = Decision(False, "band.low/staff", "staff-two-factors-missing")
_NOT_YOURS = Decision(False, "default/own-meetings", "not-your-case")
_TAKEN = Decision(False, "default/taken", "call-taken")


@dataclass(frozen=True)
class StaffMember:
    """A signed-in staff member with the role packages their groups give, always the same for the same."""

    id: StaffId
    name: str
    title: str
    office: str
    packages: frozenset[str]


class Staff:
    """Who works here and what their role lets them do outside meetings."""

    def __init__(
        self,
        *,
        acts: Acts,
        meetings: MeetingStore,
        people: PeopleStore,
        policy: Policy,
        clock: Callable[[], datetime],
    ) -> None:
        self._acts = acts
        self._meetings = meetings
        self._people = people
        self._policy = policy
        self._clock = clock

    def signed_in(self, assertion: StaffAssertion, *, language: str) -> StaffMember:
        """Take in what the identity service said. Raises RefusedError where no group gives a role package."""
        subject = Subject(f"staff:{assertion.provider}", assertion.subject)
        known = self._people.find_by_subject(subject)
        person = Person(
            id=known.id if known else new_id("st"),
            kind="staff",
            name=assertion.name,
            subjects=(subject,),
            language=known.language if known else language,
            title=assertion.title,
            office=assertion.office,
            groups=assertion.groups,
        )
        packages = self._policy.packages_for(assertion.groups)
        act = Act(
            "staff.signed_in",
            person.id,
            self._clock(),
            data={"acr": assertion.acr, "amr": list(assertion.amr), "packages": sorted(packages)},
        )
        # The identity service may vouch by its acr alone; methods it does name must be of two kinds (R002).
        least = self._policy.bands[Band.LOW].staff.desk_factors
        if assertion.amr and count_factors(assertion.amr) < least:
            self._acts.refuse(act, _ONE_FACTOR)
        if not packages:
            self._acts.refuse(act, _NO_PACKAGE)
        self._acts.perform(act, effect=lambda _tx: None, before=lambda: self._people.put(person))
        return self._member(person)

    def call_checked(self, staff: StaffMember, assertion: StaffAssertion, meeting: Meeting) -> datetime:
        """Keep that a fresh, strong sign-in was made for this call; return its moment. Same person only.

        The role counts as the identity service tells it now, not as it was when the desk was opened (R011).
        """
        now = self._clock()
        meeting_type = self._policy.type(meeting.type_ref)
        same = self._people.find_by_subject(Subject(f"staff:{assertion.provider}", assertion.subject))
        rule = staff_sign_in_for(self._policy, meeting_type, meeting.raises)
        verdict = rule.judge_call(amr=assertion.amr, authenticated_at=assertion.authenticated_at, now=now)
        packages = self._policy.packages_for(assertion.groups)
        data = {
            "passed": verdict.allowed,
            "acr": assertion.acr,
            "amr": list(assertion.amr),
            "packages": sorted(packages),
        }
        act = Act("staff.call_check", staff.id, now, meeting.id, data=data)
        if same is None or same.id != staff.id:
            wrong = replace(act, data=data | {"passed": False})
            self._acts.refuse(wrong, Decision(False, rule.rule, "call-check-missing"))
        self._acts.require(act, verdict)
        if same.groups != assertion.groups:
            self._people.put(replace(same, groups=assertion.groups))
        role = may_hold(packages, meeting_type)
        self._acts.require(replace(act, data=data | {"passed": role.allowed}), role)
        place = next((p for p in self._meetings.participants(meeting.id) if p.staff == staff.id), None)

        def effect(tx: MeetingTx) -> None:
            if place is not None:
                tx.save_participant(replace(place, call_check=CallCheck(assertion.amr, now)))
            if place is not None and meeting.packages != packages:
                tx.save_meeting(replace(meeting, packages=packages))

        self._acts.perform(act, effect=effect)
        return now

    def call_refused(self, staff: StaffMember, meeting: Meeting) -> NoReturn:
        """Record that the identity service did not vouch for this call, and raise RefusedError."""
        rule = staff_sign_in_for(self._policy, self._policy.type(meeting.type_ref), meeting.raises)
        act = Act("staff.call_check", staff.id, self._clock(), meeting.id, data={"passed": False})
        self._acts.refuse(act, Decision(False, rule.rule, "staff-key-missing"))

    def member(self, staff: StaffId) -> StaffMember:
        """Return a staff member as of the last sign-in. Raises NotFoundError."""
        return self._member(self._people.get(staff))

    def require(self, staff: StaffMember, right: str) -> None:
        """Raise RefusedError, recorded, unless the role packages give this right of the desk."""
        act = Act(f"desk.{right}", staff.id, self._clock())
        self._acts.require(act, may_staff(self._policy, staff.packages, right))

    def may(self, staff: StaffMember, right: str) -> bool:
        return may_staff(self._policy, staff.packages, right).allowed

    def running_late(self, staff: StaffMember, meeting: Meeting) -> None:
        """Tell those who wait that the adviser is on the way."""
        act = Act("adviser.late", staff.id, self._clock(), meeting.id)
        if meeting.adviser != staff.id:
            self._acts.refuse(act, _NOT_YOURS)
        if meeting.state is not MeetingState.BOOKED:
            raise ConflictError("Only a meeting that has not begun can be late.")
        late = replace(meeting, late_notice_at=self._clock())
        self._acts.perform(act, effect=lambda tx: tx.save_meeting(late))

    def pick_up(self, staff: StaffMember, meeting: Meeting) -> Meeting:
        """Take an on-demand call that nobody has taken yet.

        Raises RefusedError where somebody has, ConflictError for the second of two who try at once.
        """
        self.require(staff, "take_on_demand")
        act = Act("call.picked_up", staff.id, self._clock(), meeting.id)
        if meeting.adviser is not None or meeting.state is not MeetingState.BOOKED:
            self._acts.refuse(act, _TAKEN)
        self._acts.require(act, may_hold(staff.packages, self._policy.type(meeting.type_ref)))
        taken = replace(meeting, adviser=staff.id, packages=staff.packages)
        places = self._meetings.participants(meeting.id)
        mine = next(p for p in places if p.is_staff)

        def effect(tx: MeetingTx) -> Meeting:
            tx.save_participant(replace(mine, staff=staff.id))
            return tx.save_meeting(taken)

        return self._acts.perform(act, effect=effect)

    def _member(self, person: Person) -> StaffMember:
        return StaffMember(
            id=StaffId(person.id),
            name=person.name,
            title=person.title,
            office=person.office,
            packages=self._policy.packages_for(person.groups),
        )

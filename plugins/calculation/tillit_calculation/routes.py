"""The calculator in the room, and its card at the desk."""

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.plugin_api import (
    Core,
    DeskSection,
    InvalidInputError,
    MeetingView,
    NotFoundError,
    PluginRefusedError,
    PluginRequest,
    PluginResponse,
    Route,
    StaffView,
)
from tillit_calculation.calculations import Calculations, Kept, default_inputs
from tillit_calculation.inputs import YEARS
from tillit_calculation.rates import RateTable

SEE, CALCULATE = "view_document", "calculate"


class Routes:
    """Routes for those inside the room: who may calculate does, all others see the same figures."""

    def __init__(self, *, core: Core, calculations: Calculations) -> None:
        self._core, self._calculations = core, calculations

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "calculations", "occupant", self.state, permission=SEE),
            # One after the other: a field that was left with Enter asks twice, and the same figures are made once.
            Route("POST", "calculations", "occupant", self.make, permission=CALCULATE, in_turn=True),
            Route("POST", "calculations/<calculation>/carry", "occupant", self.carry, permission=CALCULATE),
            Route("GET", "calculations/<calculation>/replay", "occupant", self.replay, permission=SEE),
        )

    def sections(self) -> Sequence[DeskSection]:
        title = "calculation.desk.title"
        return (DeskSection("calculation", title, "meeting", template="calculation/card.html", context=self._card),)

    def state(self, request: PluginRequest) -> PluginResponse:
        """Return the newest figures, and what may be set. The figures are recorded as seen first."""
        made = self._calculations.of_meeting(request.here.meeting)
        return PluginResponse(json=self._shown(request, made))

    def make(self, request: PluginRequest) -> PluginResponse:
        given = request.json
        if not isinstance(given, dict):
            raise InvalidInputError("A calculation is an object.", field="body")
        try:
            self._calculations.make(given.get("inputs"), place=request.here, undo=given.get("undo") is True)
        except InvalidInputError as error:
            raise _refused(error) from error
        return PluginResponse(
            status=201, json=self._shown(request, self._calculations.of_meeting(request.here.meeting))
        )

    def carry(self, request: PluginRequest) -> PluginResponse:
        """Carry the figures into the form that is open."""
        place = request.here
        kept = self._calculations.get(request.path["calculation"], meeting=place.meeting)
        try:
            forms = self._core.service("forms")
            done = forms.carry(place, self._calculations.figures_for_form(kept))
        except NotFoundError:
            raise PluginRefusedError("No form takes these.", sentence="calculation.no_form") from None
        return PluginResponse(json={"title": done["title"], "fields": done["fields"]})

    def replay(self, request: PluginRequest) -> PluginResponse:
        kept = self._calculations.get(request.path["calculation"], meeting=request.here.meeting)
        found = self._calculations.replay(kept)
        return PluginResponse(json={"same": found.same, "sha256": found.digest, "kept_sha256": kept.digest})

    def _shown(self, request: PluginRequest, made: list[Kept]) -> dict[str, Any]:
        place = request.here
        table = self._calculations.table(place.brand)
        last = made[-1] if made else None
        if last is not None:
            self._calculations.note_shown(last, place)
        names = {each.person: each.name for each in self._core.places(place.meeting) if each.person}
        return {
            "may": CALCULATE in place.permissions,
            "limits": _limits(table, request.language),
            "inputs": dict(last.inputs) if last else default_inputs(table).as_values(),
            "before": dict(made[-2].inputs) if len(made) > 1 else None,
            "last": {
                "id": last.id,
                "n": last.n,
                "by": names.get(last.by, ""),
                "table": last.table,
                "formula": last.formula,
                "sha256": last.digest,
                "figures": dict(last.figures),
            }
            if last
            else None,
        }

    def _card(self, meeting: MeetingView | None, _staff: StaffView) -> Mapping[str, Any]:
        if meeting is None:
            return {"rows": []}
        rows = []
        for each in self._calculations.of_meeting(meeting.id)[-20:]:
            try:
                same = self._calculations.replay(each).same
            except NotFoundError:
                same = False
            rows.append(
                {
                    "n": each.n,
                    "table": each.table,
                    "formula": each.formula,
                    "figures": each.figures,
                    "inputs": each.inputs,
                    "digest": each.digest,
                    "viewers": len(self._calculations.viewers(each)),
                    "same": same,
                }
            )
        return {"rows": rows}


def _limits(table: RateTable, language: str) -> dict[str, Any]:
    return {
        "table": table.ref,
        "currency": table.currency,
        "amount": [int(table.least_amount), int(table.most_amount)],
        "years": list(YEARS),
        "highest_share": f"{table.highest_share:f}",
        "bindings": [
            {"value": each.binding, "title": each.title[language], "percent": f"{each.percent:f}"}
            for each in table.rates
        ],
    }


def _refused(error: InvalidInputError) -> PluginRefusedError:
    """Return the refusal in a sentence that says what helps."""
    field = str(error.params.get("field", ""))
    limit = str(error.params.get("limit", ""))
    known = {"amount", "value", "years", "share"}
    sentence = f"calculation.wrong.{field}" if field in known and limit else "calculation.wrong.input"
    return PluginRefusedError(error.detail, sentence=sentence, **({"limit": limit} if limit else {}))

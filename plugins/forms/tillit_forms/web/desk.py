"""Where staff see what went out, and put what failed back in line."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sidecar.plugin_api import DeskSection, MeetingView, PluginRequest, PluginResponse, Route, StaffView
from tillit_forms.delivery.acts import Deliveries, Delivery
from tillit_forms.forms import Forms
from tillit_forms.kept import Form
from tillit_forms.library import Library

RIGHT = "read_rules"


class DeskRoutes:
    """Routes for staff, and the card on a meeting's page."""

    def __init__(self, *, forms: Forms, library: Library, deliveries: Deliveries) -> None:
        self._forms, self._library, self._deliveries = forms, library, deliveries

    def routes(self) -> Sequence[Route]:
        return (
            Route("GET", "deliveries", "staff", self.page, permission=RIGHT),
            Route("POST", "deliveries/<delivery>/again", "staff", self.again, permission=RIGHT),
        )

    def sections(self) -> Sequence[DeskSection]:
        return (
            DeskSection("deliveries", "forms.desk.deliveries", "menu", path="deliveries", right=RIGHT),
            DeskSection("forms", "forms.desk.forms", "meeting", template="forms/card.html", context=self._card),
        )

    def page(self, request: PluginRequest) -> PluginResponse:
        """List deliveries, those that were given up first, and the forms with their owners and reviews."""
        today = request.now.date()
        templates = [
            {
                "ref": each.ref,
                "title": each.title[each.language(request.language)],
                "owner": each.owner,
                "review": each.next_review,
                "overdue": each.next_review < today,
            }
            for each in self._library.all()
        ]
        rows = [self._row(each, request.language) for each in self._deliveries.all()[:200]]
        context = {"rows": rows, "dead": sum(row["state"] == "dead" for row in rows), "templates": templates}
        return PluginResponse(page="forms/deliveries.html", context={**context, "csrf": request.csrf})

    def again(self, request: PluginRequest) -> PluginResponse:
        assert request.staff is not None  # a staff route
        delivery = self._deliveries.again(request.path["delivery"], by=request.staff.id)
        return PluginResponse(json={"delivery": delivery.id, "state": delivery.state})

    def _card(self, meeting: MeetingView | None, _staff: StaffView) -> Mapping[str, Any]:
        if meeting is None:
            return {"forms": [], "deliveries": []}
        forms = [{"title": self._title(each), "state": str(each.state)} for each in self._forms.of_meeting(meeting.id)]
        return {
            "forms": forms,
            "deliveries": [self._row(each, "sv") for each in self._deliveries.all(meeting=meeting.id)],
        }

    def _title(self, form: Form) -> str:
        template = self._forms.template(form)
        return template.title[template.language("sv")]

    def _row(self, delivery: Delivery, language: str) -> dict[str, Any]:
        template = self._library.get(delivery.template)
        return {
            "title": template.title[template.language(language)],
            "id": delivery.id,
            "to": delivery.to,
            "form": delivery.form,
            "state": delivery.state,
            "attempts": delivery.attempts,
            "problem": delivery.problem,
            "signed_at": datetime.fromisoformat(delivery.signed_at),
            "due_at": datetime.fromisoformat(delivery.due_at) if delivery.due_at else None,
        }

"""Send again what did not arrive."""

from flask import Response, jsonify

from sidecar.domain.errors import NotFoundError
from sidecar.web.access import access
from sidecar.web.desk.blueprint import desk, my_meeting
from sidecar.web.forms import json_body, text_of
from sidecar.web.guard import services, staff


@desk.post("/deliveries/<errand>/again")
@access("staff")
def send_again(errand: str) -> Response:
    """Put a delivery that was given up back in line, by another way where one is named."""
    found = services().meetings.get_errand(errand)
    if found.meeting is None:
        raise NotFoundError("There is no such delivery.")
    my_meeting(found.meeting)
    channel = text_of(json_body(), "channel", longest=20, required=False)
    services().messages.send_again(errand, channel=channel, actor=staff().id)
    return jsonify({})

"""The adviser's desk, one file a page: importing a page hangs its routes on the blueprint."""

from sidecar.web.desk.blueprint import desk
from sidecar.web.desk.booking import book_page
from sidecar.web.desk.deliveries import send_again
from sidecar.web.desk.journal import journals
from sidecar.web.desk.meeting import meeting_page
from sidecar.web.desk.plugins import work
from sidecar.web.desk.recordings import recordings
from sidecar.web.desk.rules import rules
from sidecar.web.desk.times import times
from sidecar.web.desk.today import today

PAGES = (today, book_page, times, meeting_page, send_again, journals, rules, recordings, work)

__all__ = ["PAGES", "desk"]

"""The demo's own paper: a promissory note of three pages, made anew each time and the same each time."""

import io

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

NOTE_NAME = "Skuldebrev.pdf"
CLAUSE = ("Räntan kan ändras", "3.2 Räntan")  # what the adviser calls it, and the words it begins with
_LEFT, _TOP, _LINE = 70, 760, 24  # points

_PAGES = (
    (
        "Skuldebrev",
        (
            "Exempelbanken och låntagaren avtalar om ett lån med bostaden som säkerhet.",
            "1.1 Lånet är 2 270 000 kr och betalas ut när skuldebrevet är underskrivet.",
            "1.2 Lånet betalas tillbaka på 30 år.",
        ),
    ),
    (
        "3. Ränta och betalning",
        (
            "3.1 Räntan är 3,42 procent när lånet betalas ut.",
            "3.2 Räntan kan ändras var tredje månad, och då får låntagaren veta det i förväg.",
            "3.3 Den som betalar för sent betalar också en avgift.",
        ),
    ),
    (
        "7. Underskrift",
        (
            "Den som skriver under har läst villkoren och fått ett eget exemplar.",
            "Underskriften görs med e-legitimation och står på sidan efter den här.",
        ),
    ),
)


def promissory_note() -> bytes:
    """Return the note as a PDF."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.setTitle("Skuldebrev")
    for heading, lines in _PAGES:
        canvas.setFont("Times-Bold", 22)
        canvas.drawString(_LEFT, _TOP, heading)
        canvas.setFont("Times-Roman", 13)
        for number, line in enumerate(lines, start=2):
            canvas.drawString(_LEFT, _TOP - number * _LINE, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()

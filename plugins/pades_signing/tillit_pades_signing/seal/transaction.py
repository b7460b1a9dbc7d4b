"""The paper of a transaction that has no document of its own: what is approved, on one page."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from reportlab.pdfgen import canvas

from sidecar.plugin_api import InvalidInputError
from tillit_pades_signing.model import Amount
from tillit_pades_signing.seal.page import HEIGHT, MARGIN, WIDTH, wrapped


def transaction_paper(
    *, title: str, text: str, amount: Mapping[str, Any] | None, t: Callable[..., str], bank: str
) -> bytes:
    """Return a PDF of one page. Raises InvalidInputError without an amount or with letters it cannot draw."""
    if amount is None or type(amount.get("minor")) is not int:
        raise InvalidInputError("An approval is of an amount.", field="amount")
    said = str(Amount(int(amount["minor"]), str(amount.get("currency", ""))))
    buffer = io.BytesIO()
    # invariant: the same transaction is the same bytes, without a time of its own.
    paper = canvas.Canvas(buffer, pagesize=(WIDTH, HEIGHT), invariant=1)
    paper.setTitle(title[:200])
    y = float(HEIGHT - MARGIN)
    lines = [(10, "Helvetica-Bold", bank), (20, "Helvetica-Bold", title[:200])]
    lines += [(11, "Helvetica", line) for line in wrapped(text[:4000], width=WIDTH - 2 * MARGIN, size=11, font="F1")]
    lines.append((13, "Helvetica-Bold", f"{t('pades_signing.page.amount')}: {said}"))
    for size, font, line in lines:
        y -= size * 1.6
        paper.setFont(font, size)
        paper.drawString(MARGIN, y, line)
    paper.showPage()
    paper.save()
    return buffer.getvalue()

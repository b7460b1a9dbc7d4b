"""Pages as banks show them: mostly text, some with colour and a table, now and then a photograph of a paper."""

import io

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

_LINE = "Räntan är rörlig och bestäms om var tredje månad. Banken meddelar en ändring senast 14 dagar innan."


def sample(pages: int, *, title: str = "") -> bytes:
    """Return an A4 document: of eight pages five are black text, two have colour, one is a photograph."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    photograph = _photograph()
    for number in range(pages):
        kind = number % 8
        if kind == 7:
            canvas.drawImage(photograph, 40, 40, width=A4[0] - 80, height=A4[1] - 80)
        else:
            if kind in (2, 5):
                canvas.setFillColorRGB(0.05, 0.29, 0.36)
                canvas.rect(0, 790, A4[0], 52, stroke=0, fill=1)
                canvas.setFillColorRGB(0.05, 0.29, 0.36)
            canvas.setFont("Times-Roman", 10.5)
            for line in range(52):
                canvas.drawString(60, 760 - 13.5 * line, f"{title}{number}.{line} {_LINE}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _photograph() -> ImageReader:
    """Return a picture with the noise of a camera: the hardest thing to pack without loss."""
    grain = Image.effect_noise((1240, 1754), 18).convert("RGB")
    light = Image.linear_gradient("L").resize((1240, 1754)).convert("RGB")
    out = io.BytesIO()
    Image.blend(light, grain, 0.35).save(out, "JPEG", quality=88)
    out.seek(0)
    return ImageReader(out)

"""Ordinary windows, drawn: what people share that is no internal page, as grey pictures. Many kinds, never twice."""

import io
import math
import random
from collections.abc import Callable

import numpy as np
import pypdfium2
import segno
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

Plane = NDArray[np.uint8]
SIZES = ((1920, 1080), (1280, 720), (1600, 900), (960, 540), (640, 360), (1366, 768), (800, 1000))
_LETTERS = "abcdefghijklmnoprstuvåäöABCDEFGHIKLMNOPRSTUV     .,;:-0123456789"


def ordinary_page(number: int) -> Plane:
    """Return page `number`: always the same one for a number, of a kind, size and look that vary with it."""
    dice = random.Random(number)
    size = dice.choice(SIZES)
    image = KINDS[number % len(KINDS)](dice, size)
    look = dice.random()
    if look < 0.2:
        image = image.point(lambda grey: 255 - grey)  # a dark page
    elif look < 0.35:
        scale = dice.uniform(0.4, 0.9)  # a large window in a small picture
        image = image.resize((int(size[0] * scale), int(size[1] * scale)), Image.Resampling.BILINEAR)
    elif look < 0.55:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=dice.randint(10, 60))
        image = Image.open(packed)
    return np.asarray(image.convert("L"))


def _words(dice: random.Random, count: int) -> str:
    return "".join(dice.choices(_LETTERS, k=count))


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _text(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    image = Image.new("L", size, dice.randint(235, 255))
    draw, high = ImageDraw.Draw(image), dice.randint(9, 26)
    font, y = _font(high), dice.randint(5, 40)
    while y < size[1]:
        if dice.random() < 0.85:
            draw.text(
                (dice.randint(10, 60), y),
                _words(dice, dice.randint(10, 2 * size[0] // high)),
                dice.randint(0, 90),
                font,
            )
        y += int(high * dice.choice((1.2, 1.2, 1.6, 2.4)))
    return image


def _table(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    image = Image.new("L", size, 255)
    draw, row, column = ImageDraw.Draw(image), dice.randint(14, 40), dice.randint(24, 160)
    font = _font(max(8, row - 8))
    for line, y in enumerate(range(dice.randint(0, 40), size[1], row)):
        if line % 2:
            draw.rectangle((0, y, size[0], y + row), fill=dice.choice((225, 235, 245)))
        if dice.random() < 0.1:
            draw.rectangle((0, y, size[0], y + row), fill=dice.randint(0, 120))
        draw.line((0, y, size[0], y), fill=dice.choice((0, 128, 200)))
        for x in range(0, size[0], column):
            if line == 0 or dice.random() < 0.5:
                draw.text((x + 3, y + 2), _words(dice, max(2, column // row)), 20, font)
    for x in range(0, size[0], column):
        draw.line((x, 0, x, size[1]), fill=180)
    return image


def _codes(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    image = _text(dice, size)
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(1, 4)):
        if dice.random() < 0.5:
            packed = io.BytesIO()
            segno.make(_words(dice, dice.randint(5, 200)), micro=False).save(
                packed, kind="png", scale=dice.randint(2, 12)
            )
            image.paste(Image.open(packed).convert("L"), (dice.randint(0, size[0] // 2), dice.randint(0, size[1] // 2)))
        else:
            x, y, module = dice.randint(0, size[0] // 2), dice.randint(0, size[1] // 2), dice.randint(1, 12)
            for _ in range(dice.randint(40, 200)):
                wide = dice.randint(1, 4) * module
                draw.rectangle((x, y, x + wide, y + 80), fill=dice.choice((0, 255)))
                x += wide
    return image


def _chart(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    image = Image.new("L", size, 250)
    draw, wide = ImageDraw.Draw(image), dice.randint(3, 60)
    for y in range(20, size[1], dice.randint(20, 90)):
        draw.line((0, y, size[0], y), fill=210)
    for x in range(20, size[0] - 20, wide + dice.randint(0, wide)):
        draw.rectangle((x, dice.randint(40, size[1] - 10), x + wide, size[1] - 10), fill=dice.randint(30, 220))
    points = [(x, size[1] / 2 + size[1] / 3 * math.sin(x / dice.randint(20, 200))) for x in range(0, size[0], 7)]
    draw.line(points, fill=0, width=dice.randint(1, 5))
    draw.pieslice((50, 50, 300, 300), 0, dice.randint(20, 340), fill=90)
    return image


def _photograph(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    noise, made = np.random.default_rng(dice.randrange(1 << 30)), np.zeros((size[1], size[0]))
    for coarse in (2, 5, 16, 60, 240):
        small = noise.random((max(2, size[1] // coarse), max(2, size[0] // coarse))).astype(np.float32)
        made += np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)) * coarse ** dice.uniform(
            0.2, 0.8
        )
    made -= made.min()
    return Image.fromarray((made / made.max() * 255).astype(np.uint8))


def _pattern(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    """Chequers, dots, stripes, rulers, pianos: what repeats."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    a, b = dice.uniform(1.5, 40), dice.uniform(1.5, 40)
    kind = dice.randrange(5)
    if kind == 0:
        made = (x // a + y // b) % 2
    elif kind == 1:
        made = ((x % a - a / 2) ** 2 + (y % a - a / 2) ** 2) < (a * dice.uniform(0.2, 0.5)) ** 2
    elif kind == 2:
        made = (x * dice.uniform(-1, 1) + y * dice.uniform(-1, 1)) // a % 2
    elif kind == 3:
        made = (x % a < a / 2) ^ (y % (4 * b) < b)
    else:
        made = np.random.default_rng(dice.randrange(1 << 30)).random((size[1], size[0])) < dice.uniform(0.2, 0.8)
    light, dark = dice.randint(140, 255), dice.randint(0, 110)
    return Image.fromarray(np.where(made, light, dark).astype(np.uint8))


def _strips(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    """Two rows of cells as a canary has them, with columns by chance: only the check tells them apart."""
    image = _text(dice, size)
    for _ in range(dice.randint(1, 5)):
        cell, columns = dice.randint(3, 14), [dice.random() < 0.5 for _ in range(dice.choice((32, 63, 64, 65, 128)))]
        step = dice.randint(30, 200)
        cells = np.where([columns, [not each for each in columns]], 255, 255 - step).astype(np.uint8)
        strip = np.tile(cells.repeat(cell, axis=0).repeat(cell, axis=1), (1, 1 + size[0] // (cell * len(columns))))
        image.paste(Image.fromarray(strip), (0, dice.randint(0, size[1] - 2 * cell)))
    return image


def _printed(dice: random.Random, size: tuple[int, int]) -> Image.Image:
    """A PDF as the document viewer draws it."""
    packed = io.BytesIO()
    sheet = Canvas(packed, pagesize=(595, 842))
    sheet.setFont("Helvetica", dice.randint(7, 16))
    for y in range(800, 40, -dice.randint(10, 24)):
        if dice.random() < 0.2:
            sheet.rect(40, y - 3, 500, 12, fill=dice.random() < 0.3)
        else:
            sheet.drawString(40, y, _words(dice, dice.randint(20, 100)))
    sheet.save()
    page = pypdfium2.PdfDocument(packed.getvalue())[0]
    return page.render(scale=size[1] / 842).to_pil().convert("L")


Kind = Callable[[random.Random, tuple[int, int]], Image.Image]
KINDS: tuple[Kind, ...] = (_text, _table, _codes, _chart, _photograph, _pattern, _strips, _printed, _text, _table)

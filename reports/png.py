"""A drawing as PNG, for programs that cannot read SVG."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from io import BytesIO

from django.contrib.staticfiles import finders
from PIL import Image, ImageColor, ImageDraw, ImageFont

from .drawing import Box, Curve, Drawing, Line, Shape, Text

SCALE = 2  # pixels a unit of the drawing
FINER = 3  # drawn so many times larger, then made smaller: smooth edges
GROUND, INK = (255, 255, 255), "#1c1d22"
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
FONT = "unfold/fonts/inter/Inter-{}.woff2"  # comes with the look of the admin; knows Latin and Cyrillic letters


def png(drawing: Drawing) -> bytes:
    """Return the drawing as a PNG on white."""
    scale = SCALE * FINER
    sheet = Image.new("RGB", (round(drawing.width * scale), round(drawing.height * scale)), GROUND)
    pen = ImageDraw.Draw(sheet)
    for shape in drawing.shapes:
        _draw(pen, shape, scale)
    small = sheet.resize((round(drawing.width * SCALE), round(drawing.height * SCALE)), Image.Resampling.BOX)
    out = BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, scale: int) -> None:
    color = _color(shape)
    if isinstance(shape, Curve):
        radius = shape.radius + shape.width / 2
        corners = [(shape.x - radius, shape.y - radius), (shape.x + radius, shape.y + radius)]
        pen.arc(_scale(corners, scale), -90, shape.angle - 90, fill=color, width=round(shape.width * scale))
    elif isinstance(shape, Box):
        corners = [(shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)]
        pen.rounded_rectangle(_scale(corners, scale), shape.rounded * scale, fill=color)
    elif isinstance(shape, Line):
        pen.line(_scale(shape.points, scale), fill=color, width=round(shape.width * scale))
    elif isinstance(shape, Text):
        font = _font("SemiBold" if shape.bold else "Regular", round(shape.size * scale))
        pen.text((shape.x * scale, shape.y * scale), shape.text, fill=color, font=font, anchor=ANCHORS[shape.anchor])


def _scale(points: Iterable[tuple[float, float]], scale: int) -> list[tuple[float, float]]:
    return [(x * scale, y * scale) for x, y in points]


def _color(shape: Shape) -> tuple[int, ...]:
    """Return the colour of the shape on white, with its opacity applied."""
    paint = ImageColor.getrgb(INK if shape.paint == "currentColor" else shape.paint)
    return tuple(round(p * shape.opacity + g * (1 - shape.opacity)) for p, g in zip(paint, GROUND, strict=True))


@cache
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(finders.find(FONT.format(weight))), size)

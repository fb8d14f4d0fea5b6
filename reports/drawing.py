"""What charts are made of: shapes on a sheet, the same for SVG and PNG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

# Middle tones, to be seen on light and dark grounds alike; writing takes the colour of the text around it.
PALETTE = {
    "lilac": "#9f7aea",
    "blue": "#3b82f6",
    "yellow": "#e5ac00",
    "red": "#ef4444",
    "green": "#22a55a",
    "grey": "#9ca3af",
    "text": "currentColor",
}
FAINT = 0.68  # opacity of what is said beside
TRACK = 0.1  # opacity of what lies behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    color: str = "text"  # name in PALETTE
    opacity: float = 1.0

    @property
    def paint(self) -> str:
        return PALETTE[self.color]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve(Shape):
    """A part of a circle, from twelve o'clock clockwise."""

    x: float  # of the centre
    y: float
    radius: float  # of the middle of the stroke
    width: float
    angle: float  # degrees, less than 360

    @property
    def path(self) -> str:
        turn, large = radians(self.angle), int(self.angle > 180)
        x, y = self.x + self.radius * sin(turn), self.y - self.radius * cos(turn)
        return f"M{self.x:g} {self.y - self.radius:g}A{self.radius:g} {self.radius:g} 0 {large} 1 {x:.2f} {y:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box(Shape):
    x: float
    y: float
    width: float
    height: float
    rounded: float = 0.0
    title: str = ""  # shown when pointed at


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Shape):
    points: Sequence[tuple[float, float]]
    width: float = 1.0

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Shape):
    x: float
    y: float  # of the base line
    text: str
    size: float = 12
    anchor: str = "start"  # start, middle, end
    bold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Shapes on a sheet, the first at the bottom; a text describes them too."""

    width: float
    height: float
    shapes: Sequence[Shape]
    title: str
    narrow: "Drawing | None" = None  # the same for a phone, where this one would be too wide

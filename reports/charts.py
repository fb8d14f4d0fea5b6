"""Bars, lines and heat maps as drawings, each for a desk and for a phone. Pure: numbers and words in, shapes out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .drawing import FAINT, TRACK, Box, Drawing, Line, Shape, Text


class Sheet(NamedTuple):
    """The measures of a chart, chosen so that its text is readable at the size shown."""

    width: float
    labels: float  # width of the names on the left; 0: they stand above their bars
    row: float
    cell: tuple[float, float]  # of a heat map: width and height
    gap: float


WIDE = Sheet(width=760, labels=190, row=32, cell=(26, 26), gap=3)
NARROW = Sheet(width=330, labels=0, row=46, cell=(10, 20), gap=1)
LETTER = 6.4  # how wide a letter of size 12 is, about
THICK = 18.0  # a bar
HUES = ("lilac", "blue", "yellow", "red", "green")
LONGEST_NAME = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of a bar chart."""

    name: str
    parts: Sequence[tuple[str, float]]  # colour, value; one after the other
    said: str  # what stands behind the bar
    mark: float | None = None  # where a line stands: what it should be, or may be
    interval: tuple[float, float] | None = None  # between which the truth lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a line chart."""

    name: str
    color: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a colour stands for."""

    name: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The labels along a chart."""

    names: Sequence[str]
    every: int = field(default=1)  # how many stand between two that are written


def on_both(draw: Callable[[Sheet], Drawing]) -> Drawing:
    """Return the drawing for a desktop, with the one for a phone."""
    return replace(draw(WIDE), narrow=draw(NARROW))


def bars(lines: Sequence[Bar], *, title: str, keys: Sequence[Key] = (), largest: float | None = None) -> Drawing:
    """Return horizontal bars, one below the other."""
    reach = largest or max((_reach(bar) for bar in lines), default=0) or 1

    def draw(sheet: Sheet) -> Drawing:
        right = sheet.width - 14 - 8 * max((len(bar.said) for bar in lines), default=0)
        shapes, top = _legend(keys, sheet, x=sheet.labels)
        for n, bar in enumerate(lines):
            shapes += _bar(bar, sheet, top + n * sheet.row, right, reach)
        return Drawing(width=sheet.width, height=top + len(lines) * sheet.row + 4, shapes=shapes, title=title)

    return on_both(draw)


def _reach(bar: Bar) -> float:
    return max(sum(value for _, value in bar.parts), bar.mark or 0, bar.interval[1] if bar.interval else 0)


def _bar(bar: Bar, sheet: Sheet, y: float, right: float, reach: float) -> Iterator[Shape]:
    left, y = sheet.labels, y + sheet.row - 25
    scale = (right - left) / reach
    middle = y + THICK / 2
    if left:
        yield Text(x=left - 10, y=middle + 4, text=shorten(bar.name), anchor="end", size=13)
    else:
        yield Text(x=0, y=y - 7, text=shorten(bar.name, 40), size=13)
    yield Box(x=left, y=y, width=right - left, height=THICK, rounded=3, opacity=0.06)
    x = left
    for color, value in bar.parts:
        width = max(0.0, value * scale)
        yield Box(x=x, y=y, width=width, height=THICK, color=color, rounded=3, title=f"{bar.name}: {bar.said}")
        x += width
    if bar.interval:
        low, high = (left + edge * scale for edge in bar.interval)
        yield Line(points=[(low, middle), (high, middle)], width=2)
        for edge in (low, high):
            yield Line(points=[(edge, middle - 5), (edge, middle + 5)], width=2)
    if bar.mark is not None:
        at = left + bar.mark * scale
        yield Line(points=[(at, y - 4), (at, y + THICK + 4)], width=2.5)
    yield Text(x=right + 10, y=middle + 4, text=bar.said, size=13)


def _legend(keys: Sequence[Key], sheet: Sheet, *, x: float) -> tuple[list[Shape], float]:
    """Return what the colours stand for, in as many lines as it takes, and how far down it reaches."""
    shapes: list[Shape] = []
    left, y = x, 8.0
    for key in keys:
        width = 18 + LETTER * len(key.name)
        if x > left and x + width > sheet.width:
            x, y = left, y + 20
        shapes.append(Box(x=x, y=y, width=12, height=12, rounded=3, color=key.color))
        shapes.append(Text(x=x + 18, y=y + 10, text=key.name, size=12, opacity=FAINT))
        x += width + 14
    return shapes, y + 28 if keys else 8.0


def shorten(name: str, longest: int = LONGEST_NAME) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


# Lines

LEFT, RIGHT, HEIGHT = 46.0, 12.0, 200.0


def lines(series: Sequence[Series], *, along: Axis, title: str, steps: Sequence[tuple[float, str]]) -> Drawing:
    """Return lines over time. steps: the horizontal grid lines, from the lowest, each with its label."""
    low, high = steps[0][0], steps[-1][0]
    keys = [Key(name=shorten(one.name, 40), color=one.color) for one in series]

    def draw(sheet: Sheet) -> Drawing:
        shapes, top = _legend(keys, sheet, x=LEFT)

        def y(value: float) -> float:
            return top + HEIGHT * (high - value) / ((high - low) or 1)

        for level, said in steps:
            points = [(LEFT, y(level)), (sheet.width - RIGHT, y(level))]
            shapes.append(Line(points=points, opacity=0.5 if level == 0 else 0.15))
            shapes.append(Text(x=LEFT - 8, y=y(level) + 4, text=said, size=12, anchor="end", opacity=FAINT))
        shapes += _along(along, sheet, top + HEIGHT + 20)
        for one in series:
            points = [(_x(n, along, sheet), y(value)) for n, value in enumerate(one.values)]
            shapes.append(Line(points=points, color=one.color, width=2.5))
        return Drawing(width=sheet.width, height=top + HEIGHT + 28, shapes=shapes, title=title)

    return on_both(draw)


def _x(number: int, along: Axis, sheet: Sheet) -> float:
    return LEFT + (sheet.width - LEFT - RIGHT) * (number + 0.5) / max(len(along.names), 1)


def _along(along: Axis, sheet: Sheet, y: float) -> Iterator[Shape]:
    """Yield as many names as stand side by side and can be read."""
    widest = LETTER * max((len(name) for name in along.names), default=0)
    room = (sheet.width - LEFT - RIGHT) / max(len(along.names), 1)
    every = max(along.every, int((widest + 16) // room) + 1)
    for number, name in enumerate(along.names):
        x = _x(number, along, sheet)
        if number % every == 0 and x + widest / 2 <= sheet.width:
            yield Text(x=x, y=y, text=name, size=12, anchor="middle", opacity=FAINT)


def levels(lowest: float, highest: float) -> list[float]:
    """Return round numbers, 0 among them, that reach from the lowest to the highest value."""
    span = max(highest, 0.0) - min(lowest, 0.0) or 1.0
    step = next(s * 10**e for e in range(-3, 12) for s in (1, 2, 5) if s * 10**e * 5 >= span)
    first, last = int(min(lowest, 0.0) // step), int(-(-max(highest, 0.0) // step))
    return [number * step for number in range(first, max(last, first + 1) + 1)]


# Heat maps

NAMES = 84.0


def heat(
    cells: Mapping[tuple[int, int], tuple[float, str]], *, down: Sequence[str], across: Axis, title: str
) -> Drawing:
    """Return a field of cells, darker for larger values. cells: (row, column) -> value, label."""
    largest = max((value for value, _ in cells.values()), default=0) or 1

    def draw(sheet: Sheet) -> Drawing:
        width, height = sheet.cell
        shapes: list[Shape] = []
        for row, name in enumerate(down):
            y = 6 + row * height
            shapes.append(Text(x=NAMES - 10, y=y + height / 2 + 4, text=name, size=12, anchor="end"))
            for column in range(len(across.names)):
                value, said = cells.get((row, column), (None, ""))
                depth = None if value is None else value / largest
                shapes.append(_cell(NAMES + column * width, y, depth, said, sheet))
        for column, name in enumerate(across.names):
            if column % across.every == 0:
                x, y = NAMES + column * width + (width - sheet.gap) / 2, 22 + len(down) * height
                shapes.append(Text(x=x, y=y, text=name, size=12, anchor="middle", opacity=FAINT))
        right, bottom = NAMES + len(across.names) * width, len(down) * height
        return Drawing(width=right, height=30 + bottom, shapes=shapes, title=title)

    return on_both(draw)


def _cell(x: float, y: float, depth: float | None, said: str, sheet: Sheet) -> Box:
    """Return one cell; depth: from 0 to 1, None where there is nothing."""
    color, opacity = ("text", TRACK / 2) if depth is None else ("blue", 0.15 + 0.85 * depth)
    width, height = (side - sheet.gap for side in sheet.cell)
    return Box(x=x, y=y, width=width, height=height, rounded=sheet.gap + 1, color=color, opacity=opacity, title=said)

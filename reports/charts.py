"""Bars, lines and heat maps as drawings. Pure: numbers and words in, shapes out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .drawing import FAINT, TRACK, Box, Drawing, Line, Shape, Text

WIDTH = 760.0
LABELS = 190.0  # width of the names on the left
SAID = 96.0  # width of what is said on the right
ROW = 32.0
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
    """What stands along a chart."""

    names: Sequence[str]
    every: int = field(default=1)  # how many stand between two that are written


def bars(lines: Sequence[Bar], *, title: str, keys: Sequence[Key] = (), largest: float | None = None) -> Drawing:
    """Return horizontal bars, one below the other."""
    reach = largest or max((_reach(bar) for bar in lines), default=0) or 1
    scale = (WIDTH - LABELS - SAID) / reach
    top = 36.0 if keys else 8.0
    shapes = [
        *_legend(keys, x=LABELS),
        *(shape for n, bar in enumerate(lines) for shape in _bar(bar, top + n * ROW, scale)),
    ]
    return Drawing(width=WIDTH, height=top + len(lines) * ROW + 4, shapes=shapes, title=title)


def _reach(bar: Bar) -> float:
    return max(sum(value for _, value in bar.parts), bar.mark or 0, bar.interval[1] if bar.interval else 0)


def _bar(bar: Bar, y: float, scale: float) -> Iterator[Shape]:
    middle = y + ROW / 2
    yield Text(x=LABELS - 10, y=middle + 4, text=shortened(bar.name), anchor="end", size=13)
    yield Box(x=LABELS, y=y + 7, width=WIDTH - LABELS - SAID, height=ROW - 14, rounded=3, opacity=0.06)
    x = LABELS
    for color, value in bar.parts:
        width = max(0.0, value * scale)
        yield Box(x=x, y=y + 7, width=width, height=ROW - 14, color=color, rounded=3, title=f"{bar.name}: {bar.said}")
        x += width
    if bar.interval:
        low, high = (LABELS + edge * scale for edge in bar.interval)
        yield Line(points=[(low, middle), (high, middle)], width=2)
        for edge in (low, high):
            yield Line(points=[(edge, middle - 5), (edge, middle + 5)], width=2)
    if bar.mark is not None:
        at = LABELS + bar.mark * scale
        yield Line(points=[(at, y + 3), (at, y + ROW - 3)], width=2.5)
    yield Text(x=WIDTH - SAID + 10, y=middle + 4, text=bar.said, size=13)


def _legend(keys: Sequence[Key], *, x: float) -> Iterator[Shape]:
    for key in keys:
        yield Box(x=x, y=8, width=12, height=12, rounded=3, color=key.color)
        yield Text(x=x + 18, y=18, text=key.name, size=12, opacity=FAINT)
        x += 32 + 6.2 * len(key.name)


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


# Lines

LEFT, RIGHT, TOP, HEIGHT = 46.0, 12.0, 36.0, 200.0


def lines(series: Sequence[Series], *, along: Axis, title: str, steps: Sequence[tuple[float, str]]) -> Drawing:
    """Return lines over time. steps: the levels that are drawn across, from the lowest, each with what it says."""
    low, high = steps[0][0], steps[-1][0]
    shapes = [
        *_legend([Key(name=shortened(one.name), color=one.color) for one in series], x=LEFT),
        *_levels(steps, low, high),
        *_along(along),
        *(
            Line(points=[(_x(n, len(along.names)), _y(v, low, high)) for n, v in enumerate(one.values)],
                 color=one.color, width=2.5)
            for one in series
        ),
    ]  # fmt: skip
    return Drawing(width=WIDTH, height=TOP + HEIGHT + 28, shapes=shapes, title=title)


def _x(number: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / max(count, 1)


def _y(value: float, low: float, high: float) -> float:
    return TOP + HEIGHT * (high - value) / ((high - low) or 1)


def _levels(steps: Sequence[tuple[float, str]], low: float, high: float) -> Iterator[Shape]:
    for level, said in steps:
        y = _y(level, low, high)
        yield Line(points=[(LEFT, y), (WIDTH - RIGHT, y)], opacity=0.5 if level == 0 else 0.15)
        yield Text(x=LEFT - 8, y=y + 4, text=said, size=12, anchor="end", opacity=FAINT)


def _along(along: Axis) -> Iterator[Shape]:
    for number, name in enumerate(along.names):
        if number % along.every == 0:
            x = _x(number, len(along.names))
            yield Text(x=x, y=TOP + HEIGHT + 20, text=name, size=12, anchor="middle", opacity=FAINT)


def levels(lowest: float, highest: float) -> list[float]:
    """Return round numbers, 0 among them, that reach from the lowest to the highest value."""
    span = max(highest, 0.0) - min(lowest, 0.0) or 1.0
    step = next(s * 10**e for e in range(-3, 12) for s in (1, 2, 5) if s * 10**e * 5 >= span)
    first, last = int(min(lowest, 0.0) // step), int(-(-max(highest, 0.0) // step))
    return [number * step for number in range(first, max(last, first + 1) + 1)]


# Heat maps

CELL = 26.0
NAMES = 84.0


def heat(
    cells: Mapping[tuple[int, int], tuple[float, str]], *, down: Sequence[str], across: Axis, title: str
) -> Drawing:
    """Return a field of cells, the deeper the larger their value. cells: (row, column) -> value, what it says."""
    largest = max((value for value, _ in cells.values()), default=0) or 1
    shapes: list[Shape] = []
    for row, name in enumerate(down):
        y = 6 + row * CELL
        shapes.append(Text(x=NAMES - 10, y=y + CELL / 2 + 4, text=name, size=12, anchor="end"))
        for column in range(len(across.names)):
            value, said = cells.get((row, column), (None, ""))
            shapes.append(_cell(NAMES + column * CELL, y, None if value is None else value / largest, said))
    for column, name in enumerate(across.names):
        if column % across.every == 0:
            x = NAMES + column * CELL + (CELL - 3) / 2
            shapes.append(Text(x=x, y=22 + len(down) * CELL, text=name, size=12, anchor="middle", opacity=FAINT))
    return Drawing(width=NAMES + len(across.names) * CELL, height=30 + len(down) * CELL, shapes=shapes, title=title)


def _cell(x: float, y: float, depth: float | None, said: str) -> Box:
    """Return one cell; depth: from 0 to 1, None where there is nothing."""
    color, opacity = ("text", TRACK / 2) if depth is None else ("blue", 0.15 + 0.85 * depth)
    return Box(x=x, y=y, width=CELL - 3, height=CELL - 3, rounded=4, color=color, opacity=opacity, title=said)

"""The ring of sources as a drawing: alone for our pages, and as a card to use elsewhere. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .drawing import FAINT, PALETTE, TRACK, Box, Curve, Drawing, Line, Shape, Text
from .rings import LONGEST, Arc

OUTERMOST, STEP, STROKE = 126.0, 23.0, 17.0  # radius of the first ring, from ring to ring, width of the stroke


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A channel in the legend, in the reader's language."""

    arc: Arc
    label: str
    leads: str
    share: str  # of all leads

    @property
    def paint(self) -> str:
        return PALETTE[self.arc.color]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The other texts of the card."""

    title: str
    period: str
    leads: str  # heading of the counts
    share: str  # heading of the shares
    inactive: str
    total: str
    number: str  # of all leads
    nothing: str = ""  # why there is no ring


def ring(legend: Sequence[Entry], words: Words) -> Drawing:
    """Return the ring alone, with each arc's name where it begins."""
    shapes = tuple(_rings(legend, x=142, y=142))
    return Drawing(width=284, height=284, shapes=shapes, title=f"{words.title}: {words.period}")


def card(legend: Sequence[Entry], words: Words) -> Drawing:
    """Return the ring with its title and legend; without leads, the reason why there is no ring."""
    head = [
        Text(x=28, y=44, text=words.title, size=20, bold=True),
        Text(x=28, y=68, text=words.period, size=13, opacity=FAINT),
    ]
    if words.nothing:
        body: list[Shape] = [Text(x=28, y=200, text=words.nothing, size=16)]
    else:
        body = [*_rings(legend, x=170, y=226), *_legend(legend, words)]
    return Drawing(width=680, height=380, shapes=(*head, *body), title=f"{words.title}: {words.period}")


def _rings(legend: Sequence[Entry], *, x: float, y: float) -> Iterator[Shape]:
    for entry in legend:
        arc = entry.arc
        if arc.ring is None:
            continue
        radius = OUTERMOST - STEP * (arc.ring - 1)
        yield Curve(x=x, y=y, radius=radius, width=STROKE, angle=LONGEST, opacity=TRACK)
        yield Curve(x=x, y=y, radius=radius, width=STROKE, angle=arc.angle, color=arc.color)
        yield Text(x=x - 8, y=y - radius + 4, text=entry.label, size=12, anchor="end")


def _legend(legend: Sequence[Entry], words: Words) -> Iterator[Shape]:
    left, leads, share, top = 366, 560, 648, 122
    yield Text(x=leads, y=top, text=words.leads, anchor="end", opacity=FAINT)
    yield Text(x=share, y=top, text=words.share, anchor="end", opacity=FAINT)
    for row, entry in enumerate(legend, 1):
        y, active = top + 32 * row, entry.arc.active
        yield Box(x=left, y=y - 11, width=12, height=12, rounded=6, color=entry.arc.color)
        yield Text(x=left + 24, y=y, text=entry.label, size=14, opacity=1 if active else FAINT)
        if active:
            yield Text(x=leads, y=y, text=entry.leads, size=14, anchor="end")
        yield Text(x=share, y=y, text=entry.share if active else words.inactive, size=14, anchor="end")
    y = top + 32 * (len(legend) + 1)
    yield Line(points=[(left, y - 22), (share, y - 22)], opacity=0.25)
    yield Text(x=left + 24, y=y, text=words.total, size=14, bold=True)
    yield Text(x=leads, y=y, text=words.number, size=14, anchor="end", bold=True)

"""The ring of sources: leads by channel → arcs, their colours and their order. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

COLORS = {"site": "lilac", "phone": "blue", "mail": "yellow", "api": "red", "chat": "green"}  # in the order of ties
INACTIVE = "grey"
LONGEST = 270  # degrees, of the channel with most leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """One channel in the ring of sources."""

    channel: str
    color: str
    active: bool
    count: int = 0  # leads; those of an inactive channel are not counted
    percent: float = 0.0  # of the channel with most leads
    angle: float = 0.0  # degrees
    ring: int | None = None  # 1 is the outermost; None: no leads, no ring


def arcs(counts: Mapping[str, int], active: Mapping[str, bool]) -> tuple[Arc, ...]:
    """Return the arc of each channel, in the order of the colours.

    counts: leads by channel; active: which channels are. Source: docs/reports.md, "Sources of leads".
    """
    counted = {channel: counts.get(channel, 0) for channel in COLORS if active.get(channel)}
    outwards = sorted((channel for channel, count in counted.items() if count), key=counted.__getitem__, reverse=True)
    largest = max(counted.values(), default=0)
    return tuple(
        _arc(channel, counted[channel], largest, outwards)
        if channel in counted
        else Arc(channel=channel, color=INACTIVE, active=False)
        for channel in COLORS
    )


def _arc(channel: str, count: int, largest: int, outwards: list[str]) -> Arc:
    color = COLORS[channel]
    if not count:
        return Arc(channel=channel, color=color, active=True)
    return Arc(
        channel=channel,
        color=color,
        active=True,
        count=count,
        percent=100 * count / largest,
        angle=LONGEST * count / largest,
        ring=outwards.index(channel) + 1,
    )

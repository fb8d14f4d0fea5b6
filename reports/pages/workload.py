"""Workload: what managers hold now against their limits, and what they were given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from reports import charts, names, queries
from reports.charts import Bar
from reports.drawing import Drawing
from reports.questions import Question
from reports.tables import Column, ReportContent, Table, number
from routing.roster import current

FILTERS = ("manager", "trigger")
MOST_BARS = 20


class Workload(NamedTuple):
    """A manager in a trigger: a member, or somebody besides whom it gave leads in the range."""

    manager: int
    trigger: str
    part: str  # member, duty, or other: an old customer's manager, a former member
    held: int  # leads in the stages that the trigger's limit counts
    limit: int | None
    given: int  # leads in the range

    @property
    def usage(self) -> float | None:
        return None if self.limit is None else self.held / self.limit if self.limit else 1.0


def content(asked: Question) -> ReportContent:
    places = sorted(_places(asked), key=lambda place: (-(place.usage or 0), -place.held, place.manager))
    limited = [place for place in places if place.limit is not None]
    called, parts = names.managers(), _parts()
    return ReportContent(
        facts=[
            (_("Held now under a limit"), number(sum(place.held for place in limited))),
            (_("Room left under the limits"), number(sum(max((p.limit or 0) - p.held, 0) for p in limited))),
            (_("Limits reached"), number(sum(place.held >= (place.limit or 0) for place in limited))),
        ],
        charts=[_chart(places, called)] if places else [],
        tables=[
            Table(
                code="limits",
                caption=_("Held now, by manager and trigger"),
                columns=[
                    Column(heading=pgettext("column", "Manager")),
                    Column(heading=pgettext("column", "Trigger")),
                    Column(heading=pgettext("column", "Role")),
                    Column(heading=_("Held"), kind="count"),
                    Column(heading=_("Limit"), kind="count", absent=_("no limit")),
                    Column(heading=_("Used"), kind="percent"),
                    Column(heading=_("Assigned in the range"), kind="count"),
                ],
                rows=[(called[p.manager], p.trigger, parts[p.part], p.held, p.limit, p.usage, p.given) for p in places],
            )
        ],
    )


def _parts() -> dict[str, str]:
    return {
        "member": pgettext("in a trigger", "member"),
        "duty": pgettext("in a trigger", "duty, not a member"),
        "other": pgettext("in a trigger", "not a member"),
    }


def _places(asked: Question) -> Iterator[Workload]:
    """Yield the members of the triggers, as the engine sees them at this moment, and who got leads without being one."""
    held, given = queries.loads(), queries.assignments(start=asked.start, end=asked.end)
    for trigger in current().triggers.values():
        if asked.trigger not in (None, trigger.id):
            continue
        stages, limits, got = (
            set(trigger.limit_stages),
            dict(zip(trigger.managers, trigger.limits, strict=True)),
            given[trigger.id],
        )
        for manager in {**limits, **got}:
            if asked.manager in (None, manager):
                part = "member" if manager in limits else "duty" if manager == trigger.duty else "other"
                holds = sum(leads for stage, leads in held.get(manager, {}).items() if stage in stages)
                yield Workload(manager, trigger.code, part, holds, limits.get(manager), got.get(manager, 0))


def _chart(places: list[Workload], called: dict[int, str]) -> Drawing:
    bars = [
        Bar(
            name=f"{called[place.manager]} · {place.trigger}",
            parts=[
                ("red" if (place.usage or 0) >= 1 else "yellow" if (place.usage or 0) >= 0.8 else "blue", place.held)
            ],
            said=f"{number(place.held)} / {'∞' if place.limit is None else number(place.limit)}",
            mark=place.limit,
        )
        for place in places[:MOST_BARS]
    ]
    return charts.bars(bars, title=_("Leads held; the line is the limit"))

"""The list of reports, and who may see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .pages import conversion, fairness, redistribution, response, waiting, workload
from .questions import Question
from .tables import ReportContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    code: str  # in its address
    permission: str
    title: str | Promise
    about: str | Promise

    @property
    def address(self) -> str:
        return f"report-{self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged(Report):
    """A report over a range of dates."""

    content: Callable[[Question], ReportContent]
    filters: tuple[str, ...]  # fields of QuestionForm


SOURCES = Report(
    code="sources",
    permission="routing.view_unqualified",
    title=_("Sources of leads"),
    about=_("Where leads that arrived as Unqualified came from."),
)
RANGED = [
    Ranged(
        code="fairness",
        permission="reports.view_fairness",
        title=_("Fairness"),
        about=_(
            "Leads received compared with leads due, by manager and registry, and the difference at the end of each day, week or month."
        ),
        content=fairness.content,
        filters=fairness.FILTERS,
    ),
    Ranged(
        code="response",
        permission="reports.view_response",
        title=_("Response times"),
        about=_(
            "How long it took to assign and accept leads that arrived in the range. Medians and "
            "shares cover the leads that got that far; the report also shows how many did not."
        ),
        content=response.content,
        filters=response.FILTERS,
    ),
    Ranged(
        code="workload",
        permission="reports.view_workload",
        title=_("Workload"),
        about=_(
            "Leads that managers hold now compared with their limits, and how many leads they "
            "were assigned in the range."
        ),
        content=workload.content,
        filters=workload.FILTERS,
    ),
    Ranged(
        code="redistribution",
        permission="reports.view_redistribution",
        title=_("Redistribution"),
        about=_("The outcomes of offers made in the range: how often leads were redistributed, from whom and why."),
        content=redistribution.content,
        filters=redistribution.FILTERS,
    ),
    Ranged(
        code="conversion",
        permission="reports.view_conversion",
        title=_("Conversion"),
        about=_(
            "Where leads that arrived in the range stand today. The thin line is the 95 % "
            "confidence interval: the fewer the leads, the longer the line."
        ),
        content=conversion.content,
        filters=conversion.FILTERS,
    ),
    Ranged(
        code="waiting",
        permission="reports.view_waiting",
        title=_("Waiting leads"),
        about=_("Leads that arrived in the range and are waiting now, and why nobody can take them."),
        content=waiting.content,
        filters=waiting.FILTERS,
    ),
]
ALL: list[Report] = [SOURCES, *RANGED]

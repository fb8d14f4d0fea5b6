"""Ask a report without its page."""

from __future__ import annotations

from datetime import date
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from reports.questions import Question
from tests.factories import DAY, MONDAY


def asked(first: str, last: str, *, zone: str = "UTC", **facts: Any) -> Question:
    return Question(
        at=facts.pop("at", MONDAY + DAY),
        zone=ZoneInfo(zone),
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        **facts,
    )


def tables(report: ModuleType, question: Question) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each of the report's tables."""
    return {one.code: [tuple(row) for row in one.rows] for one in report.content(question).tables}


def table(report: ModuleType, code: str, question: Question) -> list[tuple[Any, ...]]:
    return tables(report, question)[code]

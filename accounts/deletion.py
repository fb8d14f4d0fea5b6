"""What depends on an object that somebody wants to delete, counted no further than a person would read.

Django's admin loads all of it, with everything behind it, before it says that it may not be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, models, transaction
from django.db.models.deletion import CASCADE, DO_NOTHING, PROTECT, RESTRICT, get_candidate_relations_to_delete
from django.utils.text import capfirst
from django.utils.translation import gettext as _

MOST = 1_000  # rows deleted with it, or left without their reference; with more, an object counts as in use
# How long a table is searched that has no index of the reference. A page that asks whether to delete does not wait for it;
# whoever has said yes does, since what refers to a thing keeps it in any case. A trigger has four such tables, the most.
ASKED_MILLISECONDS, SURE_MILLISECONDS = 40, 8_000


@dataclass(frozen=True, slots=True)
class Hanging:
    """The rows of one kind that refer to the things, as far as they were counted."""

    kind: type[models.Model]
    number: int
    in_use: bool  # they forbid to delete the objects
    goes: bool  # they are deleted as well

    @property
    def words(self) -> str:
        number = f"{self.number:,}" if self.number <= MOST else _("more than %(number)s") % {"number": f"{MOST:,}"}
        return f"{capfirst(str(self.kind._meta.verbose_name_plural))}: {number}"


def hanging_on(model: type[models.Model], keys: Sequence[Any], *, sure: bool) -> list[Hanging]:
    """Return what refers to the rows, first what forbids to delete them; of that, one kind is enough.

    sure: search tables without an index to their ends.
    """
    found: list[Hanging] = []
    relations: list[Any] = list(get_candidate_relations_to_delete(model._meta))
    for relation in sorted(relations, key=_cost):
        hanging, behind = _of_relation(relation, keys, left=MOST - sum(each.number for each in found), sure=sure)
        found += hanging
        if any(each.in_use for each in hanging):
            break  # one reason is enough; another may be slow to find
        if behind:
            found += hanging_on(relation.field.model, behind, sure=sure)
            if any(each.in_use for each in found):
                break
    return sorted(found, key=lambda each: not each.in_use)


def _cost(relation: Any) -> tuple[bool, bool]:
    """Put first what an index answers, and among that what forbids."""
    return not _is_indexed(relation.field), relation.on_delete not in (PROTECT, RESTRICT)


def _is_indexed(field: Any) -> bool:
    options = field.model._meta
    filled = models.Q(**{f"{field.name}__isnull": False})
    unique = [constraint for constraint in options.constraints if isinstance(constraint, models.UniqueConstraint)]
    leading = [each.fields[:1] for each in (*options.indexes, *unique) if each.condition in (None, filled)]
    return field.db_index or field.unique or [field.name] in map(list, leading)


def _of_relation(relation: Any, keys: Sequence[Any], *, left: int, sure: bool) -> tuple[list[Hanging], list[Any]]:
    """Return what one kind of reference holds, and the keys of the rows behind it that would go along."""
    kind, on_delete = relation.field.model, relation.on_delete
    if on_delete is DO_NOTHING:
        return [], []
    rows = kind._base_manager.filter(**{f"{relation.field.name}__in": keys}).order_by()
    forbids = on_delete in (PROTECT, RESTRICT)
    first = rows.values_list("pk", flat=True)[: (MOST if forbids else max(left, 0)) + 1]
    referring = list(first) if _is_indexed(relation.field) else _search_in_time(first, sure=sure)
    if not referring:
        return [], []
    number = len(referring)
    too_many = number > (MOST if forbids else left)
    hanging = Hanging(kind, MOST + 1 if too_many else number, forbids or too_many, on_delete is CASCADE)
    return [hanging], referring if on_delete is CASCADE and not too_many else []


def _search_in_time(rows: models.QuerySet[Any], *, sure: bool) -> list[Any]:
    """Return the rows, as far as they are found in time."""
    milliseconds = SURE_MILLISECONDS if sure else ASKED_MILLISECONDS
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [min(milliseconds, settings.STATEMENT_TIMEOUT)])
            found = list(rows)
            cursor.execute("SET LOCAL statement_timeout = %s", [settings.STATEMENT_TIMEOUT])
    except OperationalError:
        if sure:
            raise
        return []
    return found


def lines(things: Sequence[models.Model], found: Sequence[Hanging]) -> Iterator[Any]:
    """Yield the objects, and what would be deleted with them, as a list that a page can show."""
    yield from (f"{capfirst(str(thing._meta.verbose_name))}: {thing}" for thing in things)
    going = [each.words for each in found if each.goes]
    if going:
        yield _("Along with it:")
        yield going

"""Who changes the configuration, and what was changed, in words. The rows are written by triggers of the database."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import connection
from django.db.models import F, Field, ForeignKey, Model, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ..models import ConfigurationChange, User
from ..people.preferences import FOR_PROGRAMS

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
SAFE = ("GET", "HEAD", "OPTIONS")


@contextmanager
def sign_changes(*, by: User | None = None, way: str = "") -> Iterator[None]:
    """Record who makes the changes within, and in which way: "file team.yaml".

    The name travels in the statement that writes, and holds for its transaction: so it needs no transaction around it,
    no statement of its own, and leaves nothing behind in a connection that others use next.
    """
    actor = str(by.pk) if by is not None else ""
    said = way.replace("'", "''").replace("\x00", "")
    # Nothing in it comes from outside but the way, and that is quoted.
    sign = f"SELECT set_config('leadrouter.actor', '{actor}', true), set_config('leadrouter.way', '{said}', true);"
    before = connection.execute_wrappers
    connection.execute_wrappers = [w for w in before if not isinstance(w, _Signing)] + [_Signing(sign)]
    try:
        yield
    finally:
        connection.execute_wrappers = before


class _Signing:
    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if isinstance(sql, str) and not many and WRITES.match(sql):
            sql = (self.sign if params is None else self.sign.replace("%", "%%")) + sql
        return execute(sql, params, many, context)


class SignChanges:
    """Signs what a signed-in user changes by a page with their name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE or request.path.startswith(FOR_PROGRAMS) or not isinstance(request.user, User):
            return self.get_response(request)
        with sign_changes(by=request.user):
            return self.get_response(request)


# In words


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeInWords:
    """A change as people read it."""

    change: ConfigurationChange
    kind: str  # "Member"
    thing: str  # "Eva in new-leads"
    values: Sequence[tuple[str, str, str]]  # what, before, after


def describe_changes(changes: Sequence[ConfigurationChange]) -> list[ChangeInWords]:
    """Return the changes in words, in a fixed number of queries."""
    names = _names(row for change in changes for row in (*_naming_rows(change), *_references(change)))
    return [
        ChangeInWords(change=change, kind=change.kind, thing=_thing(change, names), values=list(_values(change, names)))
        for change in changes
    ]


def things_of(changes: Sequence[ConfigurationChange]) -> dict[int, str]:
    """Return the name of the object of each change, by the change's key: "Eva in new-leads" for a member."""
    names = _names(row for change in changes for row in _naming_rows(change))
    return {change.pk: _thing(change, names) for change in changes}


Names = dict[type[Model], dict[Any, str]]


def _person(path: str = "") -> Coalesce:
    return Coalesce(NullIf(f"{path}name", Value("")), f"{path}email", output_field=TextField())


# What `str` calls the rows that most changes refer to, for the database to say: of all of them at once.
CALLED: dict[str, Any] = {
    "accounts.manager": _person("user__"),
    "accounts.user": _person(),
    "accounts.workschedule": F("title"),
    "routing.member": _person("manager__user__"),
    "routing.pipeline": F("title"),
    "routing.placeholder": F("value"),
    "routing.registry": Coalesce(NullIf("title", Value("")), "code", "trigger__code"),
    "routing.stage": Concat("pipeline__code", Value("/"), "code"),
    "routing.trigger": F("code"),
}


def _names(rows: Iterable[tuple[type[Model], Any]]) -> Names:
    wanted: dict[type[Model], set[Any]] = defaultdict(set)
    for model, pk in rows:
        wanted[model].add(pk)
    names: Names = {model: {} for model in wanted}
    called = []
    for model, ids in wanted.items():
        if name := CALLED.get(model._meta.label_lower):
            found = model._default_manager.order_by().filter(pk__in=ids)
            called.append(found.values_list(Value(model._meta.label_lower), "pk", Cast(name, TextField())))
        else:
            names[model] = {pk: str(row) for pk, row in model._default_manager.in_bulk(ids).items()}
    for label, pk, name in called[0].union(*called[1:], all=True) if called else ():
        names[apps.get_model(label)][pk] = name
    return names


def _naming_rows(change: ConfigurationChange) -> Iterator[tuple[type[Model], Any]]:
    """Yield the rows whose names identify the object; a deleted row is known by what it referred to."""
    model, owner = _model(change.model), _model(change.owner_model)
    if owner is not None:
        yield owner, change.owner_id
    if model is not None and not change.name:
        if change.action == change.Action.CHANGED:  # and so not told in full
            yield model, change.row_id
        else:
            yield from _beside(change)


def _beside(change: ConfigurationChange) -> list[tuple[type[Model], Any]]:
    """Return the first related object other than the owner: for a member, the manager."""
    return [row for row in _references(change) if row[0] is not _model(change.owner_model)][:1]


def _references(change: ConfigurationChange) -> Iterator[tuple[type[Model], Any]]:
    model = _model(change.model)
    for column, value in [*change.before.items(), *change.after.items()]:
        field = _field(model, column)
        if isinstance(field, ForeignKey) and value is not None:
            yield field.related_model, value


def _thing(change: ConfigurationChange, names: Names) -> str:
    def name(model: type[Model] | None, pk: Any) -> str:
        return names.get(model, {}).get(pk, "") if model else ""

    changed = change.action == change.Action.CHANGED
    known = [(_model(change.model), change.row_id)] if changed else _beside(change)
    thing = change.name or "".join(name(*row) for row in known)
    thing = thing or str((change.after or change.before).get("value", ""))  # of a placeholder that was added or removed
    page = name(_model(change.owner_model), change.owner_id)
    if thing and page:
        return _("%(thing)s in %(page)s") % {"thing": thing, "page": page}
    return thing or page or f"#{change.row_id}"


def columns_of(change: ConfigurationChange) -> list[str]:
    """Return the names of the changed columns, as people call them."""
    model = _model(change.model)
    fields = {column: _field(model, column) for column in change.after or change.before if column != "id"}
    return [str(field.verbose_name) if field else column for column, field in fields.items()]


def _model(label: str) -> type[Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):  # of a version of the program that is gone; of nothing
        return None


def _field(model: type[Model] | None, column: str) -> Field[Any, Any] | None:
    try:
        return model._meta.get_field(column.removesuffix("_id")) if model else None  # type: ignore[return-value]
    except FieldDoesNotExist:
        found = (f for f in model._meta.concrete_fields if f.column == column) if model else iter(())
        return next(found, None)


def _values(change: ConfigurationChange, names: Names) -> Iterator[tuple[str, str, str]]:
    model = _model(change.model)
    for column in change.after or change.before:
        if column == "id":
            continue
        field = _field(model, column)
        what = capfirst(str(field.verbose_name)) if field else column
        before, after = (_describe_value(values.get(column), field, names) for values in (change.before, change.after))
        if change.action != "changed" and not (before or after):
            continue  # for added and removed rows, empty values say nothing
        yield what, before, after


def _describe_value(value: Any, field: Any, names: Names) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(field, ForeignKey):
        return names.get(field.related_model, {}).get(value, f"#{value}")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    choices = dict(getattr(field, "flatchoices", None) or [])
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(choices.get(value, value) if choices else value)

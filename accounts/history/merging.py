"""Two people edit one form: what the second changed stays, everything else becomes what is stored. Only names and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import QueryDict

Sent = dict[str, list[str]]  # what a browser sends of one form: name -> values
Version = dict[str, dict[str, Sent]]  # prefix -> key of the row -> Sent; the form itself is the row "" of the prefix ""
KEY = "id"  # of the rows of our inlines


def initial_values(form: forms.BaseForm, *, of_row: bool = False) -> Sent:
    """Return what a browser would send of the form if nobody touched it.

    of_row: of a formset, whose names carry the row's number: it is left out.
    """
    sent: Sent = {}
    for name, field in form.fields.items():
        if not field.disabled:
            sent |= _of_widget(field.widget, name if of_row else form[name].html_name, form[name].value())
    return sent


def _of_widget(widget: Any, name: str, value: Any) -> Sent:
    widget = getattr(widget, "widget", widget)  # the admin wraps those of related things
    if isinstance(widget, forms.MultiWidget):
        parts: list[Any] = value if isinstance(value, list) else widget.decompress(value) or []
        names: list[str] = widget.widgets_names  # type: ignore[attr-defined]  # the stubs leave it out
        suffixes = zip(names, widget.widgets, parts, strict=True)
        return {name + suffix: sent for suffix, part, of in suffixes for sent in _of_widget(part, "", of).values()}
    if isinstance(widget, forms.CheckboxInput):
        return {name: ["on"] if widget.check_test(value) else []}
    shown = widget.format_value(value)
    return {name: list(map(str, shown)) if isinstance(shown, list) else ["" if shown is None else str(shown)]}


def merge(post: QueryDict, *, seen: Version, now: Version) -> QueryDict:
    """Return the form as it was sent, but with what is stored now wherever its sender changed nothing."""
    data = post.copy()
    for prefix, rows in now.items():
        before = seen.get(prefix, {})
        if prefix:
            _put_rows(data, prefix, list(_rows_merged(_rows(post, prefix), before, rows)), initial=len(rows))
        else:
            _put(data, _one_merged({name: post.getlist(name) for name in rows[""]}, before.get("", {}), rows[""]))
    return data


def _one_merged(sent: Sent, before: Sent, now: Sent) -> Sent:
    return {name: now[name] if name in now and _same(sent[name], before.get(name)) else sent[name] for name in sent}


def _same(sent: list[str], before: list[str] | None) -> bool:
    return [value.replace("\r\n", "\n") for value in sent] == before


def _rows(post: QueryDict, prefix: str) -> list[Sent]:
    rows: dict[int, Sent] = {}
    for name in post:
        if found := re.fullmatch(rf"{re.escape(prefix)}-(\d{{1,6}})-(.+)", name):
            rows.setdefault(int(found[1]), {})[found[2]] = post.getlist(name)
    return [rows[number] for number in sorted(rows)]


def _rows_merged(sent: list[Sent], before: dict[str, Sent], now: dict[str, Sent]) -> Iterator[Sent]:
    """Yield the stored rows with what was changed in them, then the new ones; deleted rows stay deleted."""
    by_key = {row[KEY][-1]: row for row in sent if row.get(KEY, [""])[-1]}
    for key, row in now.items():
        nothing: Sent = {name: [] for name in row}  # a box without its tick is not sent
        mine = nothing | by_key[key] if key in by_key else row
        yield _one_merged(mine, before.get(key, {}), row)
    yield from (row for row in sent if not row.get(KEY, [""])[-1])


def _put_rows(data: QueryDict, prefix: str, rows: list[Sent], *, initial: int) -> None:
    for name in [name for name in data if re.fullmatch(rf"{re.escape(prefix)}-\d+-.+", name)]:
        del data[name]
    for number, row in enumerate(rows):
        _put(data, {f"{prefix}-{number}-{name}": values for name, values in row.items()})
    data[f"{prefix}-TOTAL_FORMS"], data[f"{prefix}-INITIAL_FORMS"] = str(len(rows)), str(initial)


def _put(data: QueryDict, sent: Sent) -> None:
    for name, values in sent.items():
        if values:
            data.setlist(name, values)
        else:
            data.pop(name, None)

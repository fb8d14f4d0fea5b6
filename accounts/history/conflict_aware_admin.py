"""Pages on which configuration is edited: two people do not overwrite each other unseen, and every change is shown.

A form carries, signed, what it was made from. Whoever saves it after somebody else is told what changed meanwhile, and
may save again, knowing it: what they changed themselves stands as they wrote it, everything else as it is stored now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.utils import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.admin_theme import ModelAdmin

from ..models import ConfigurationChange
from .changes import describe_changes
from .merging import Version, initial_values, merge

SEEN = "seen"  # the form's field
SALT = "accounts.history.conflict_aware_admin"
MOST_SHOWN = 200  # changes on the page of a thing's history
NOT_COMPARED = ("password", "last_login")  # nobody may read the first; the second is no change
State = dict[str, list[str]]  # what -> its value, and the value as people read it


class ConflictAwareAdmin(ModelAdmin):
    """The page of an object that several people may edit at once."""

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST" or object_id is None or SEEN not in request.POST:
            return super().changeform_view(request, object_id, *args, **kwargs)
        try:
            with transaction.atomic():
                self._look(request, object_id)
                return super().changeform_view(request, object_id, *args, **kwargs)
        except OperationalError:  # the lock was not available
            messages.error(request, _("Somebody else is saving this right now. Try again."))
            return HttpResponseRedirect(request.get_full_path())

    def _look(self, request: HttpRequest, object_id: str) -> None:
        """Lock the row, and note what has changed since the form was loaded."""
        rows = self.model._base_manager.filter(pk=unquote(object_id)).select_for_update(of=("self",), no_key=True)
        row = rows.first()
        if row is None:
            return
        try:
            seen, form_seen = signing.loads(request.POST[SEEN], salt=SALT)
        except signing.BadSignature:
            request.overtaken = [_("The form data is damaged. Reload the page.")]  # type: ignore[attr-defined]
            return
        found = differences(seen, self.state_of(request, row))
        if found:
            request.POST = merge(request.POST, seen=form_seen, now=self.form_of(request, row))  # type: ignore[assignment]
            request.overtaken = [self._who(row), *found]  # type: ignore[attr-defined]

    def _who(self, row: models.Model) -> str:
        change = ConfigurationChange.objects.of(row._meta.label_lower, row.pk).select_related("by").first()
        who = change.by if change and change.by else _("Somebody")
        return _(
            "%(who)s changed this while you were editing. The form below keeps your changes and "
            "shows the current values of everything else. If this is right, save again. Changed "
            "since you opened the page:"
        ) % {"who": who}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        overtaken = getattr(request, "overtaken", None)
        if overtaken is None:
            return form
        return type(form)(form.__name__, (Overtaken, form), {"overtaken": overtaken})

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None and row.pk and self.has_change_permission(request, row):
            stored = self.model._base_manager.filter(pk=row.pk).first()  # a form that was refused has filled the row
            seen = [self.state_of(request, stored), self.form_of(request, stored)] if stored else None
            context[SEEN] = signing.dumps(seen, salt=SALT, compress=True) if seen else ""
        return super().render_change_form(request, context, *args, **kwargs)

    def state_of(self, request: HttpRequest, row: Any) -> State:
        """Return the editable values of the row, as they are stored."""
        state = dict(_values(row))
        for inline in self.get_inline_instances(request, row):
            for below in inline.get_queryset(request).filter(**{_key_to(self.model, inline): row}):
                state |= {f"{inline.opts.model_name}:{below.pk}:{what}": value for what, value in _values(below)}
        return state

    def form_of(self, request: HttpRequest, row: Any) -> Version:
        """Return what the form of the row would send if nothing were edited."""
        version: Version = {"": {"": initial_values(self.get_form(request, row, change=True)(instance=row))}}
        for kind, inline in self.get_formsets_with_inlines(request, row):
            rows = kind(instance=row, queryset=inline.get_queryset(request))
            version[rows.prefix] = {
                str(form.instance.pk): initial_values(form, of_row=True) for form in rows.initial_forms
            }
        return version

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every change of the object and of what belongs to it: who, when, what."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        changes = ConfigurationChange.objects.of(self.opts.label_lower, row.pk).select_related("by")[:MOST_SHOWN]
        context = self.admin_site.each_context(request) | {
            "title": _("History: %s") % row,
            "changes": describe_changes(list(changes)),
            "opts": self.opts,
            "object": row,
        }
        return TemplateResponse(request, "accounts/changes_page.html", context | (extra_context or {}))


class Overtaken:
    """A form that says what somebody else has changed in the meantime."""

    overtaken: list[str]

    def clean(self) -> Any:
        super().clean()  # type: ignore[misc]
        raise ValidationError(self.overtaken)


def _key_to(parent: type[models.Model], inline: Any) -> str:
    key = next(f for f in inline.model._meta.concrete_fields if f.is_relation and f.related_model is parent)
    return inline.fk_name or key.name


def _values(row: models.Model) -> Iterator[tuple[str, list[str]]]:
    for field in row._meta.concrete_fields:
        if field.editable and not field.primary_key and field.name not in NOT_COMPARED:
            raw = getattr(row, field.attname)
            shown = getattr(row, field.name) if field.is_relation else field.value_from_object(row)
            display = getattr(row, f"get_{field.name}_display", None)
            words = _words(display() if display else shown)
            yield field.name, [repr(raw), words, str(field.verbose_name), str(row)]
    for many in row._meta.many_to_many:
        rows = sorted(getattr(row, many.name).all(), key=lambda each: each.pk)
        yield many.name, [repr([each.pk for each in rows]), ", ".join(map(str, rows)), str(many.verbose_name), str(row)]


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def differences(seen: State, now: State) -> list[str]:
    """Return in words what differs from what the editor saw; rows of an inline are named."""
    found: list[str] = []
    for what in [*now, *(what for what in seen if what not in now)]:
        before, after = seen.get(what), now.get(what)
        if before and after and before[0] == after[0]:
            continue
        _value, _shown, name, row = after or before or ["", "", "", ""]
        was, now_is = before[1] if before else "", after[1] if after else ""
        if before and after is None:  # a row that is gone, said once for all it had
            found.append(_("%(row)s: removed") % {"row": row})
        elif was or now_is:
            label = f"{row}: {capfirst(name)}" if ":" in what else capfirst(name)
            found.append(f"{label}: {was or '–'} → {now_is or '–'}")
    return list(dict.fromkeys(found))

"""The look of the admin, in one place: django-unfold where it is installed, else Django's own.

Every admin.py takes its classes and widgets from here, so that another theme is a change of this file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db import IntegrityError, OperationalError, models, transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.templatetags.moments import here

from . import deletion as deletion

DAY = timedelta(days=1)
IN_USE = (models.ProtectedError, models.RestrictedError, IntegrityError, OperationalError)
MOST_LINKS = 20  # ways out of one page
UNFOLD = apps.is_installed("unfold")

if UNFOLD:
    from unfold.admin import ModelAdmin as ThemeModelAdmin
    from unfold.admin import StackedInline
    from unfold.admin import TabularInline as ThemeTabularInline
    from unfold.contrib.filters.admin import AutocompleteSelectFilter as AutocompleteFilter
    from unfold.contrib.filters.admin import RangeDateFilter
    from unfold.decorators import action, display
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm
    from unfold.paginator import InfinitePaginator as UncountedPaginator
    from unfold.sites import UnfoldAdminSite as ThemeAdminSite
    from unfold.widgets import UnfoldAdminAutocompleteWidget as AutocompleteSelect
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxSelectMultiple
    from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminSplitDateTimeWidget as SplitDateTimeWidget
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput
    from unfold.widgets import UnfoldBooleanSwitchWidget as CheckboxInput

    class DaysForm(forms.Form):
        """Two days."""

        def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for end, label in (("from", _("From date")), ("to", _("To date"))):
                box = TextInput(attrs={"type": "date"})
                self.fields[f"{name}_{end}"] = forms.DateField(label=label, required=False, widget=box)

    class DaysFilter(RangeDateFilter):
        """From one day to another, both included, by the reader's clock."""

        form_class = DaysForm
        template = "unfold/filters/filters_field.html"

        def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
            form = DaysForm(self.parameter_name, self.used_parameters)
            if not form.is_valid():
                raise IncorrectLookupParameters
            first, last = form.cleaned_data.values()
            try:
                begin, end = first and _midnight(first), last and _midnight(last + DAY)
            except OverflowError as error:  # there is no day after the last of the calendar
                raise IncorrectLookupParameters from error
            ends = {f"{self.parameter_name}__gte": begin, f"{self.parameter_name}__lt": end}
            return queryset.filter(**{lookup: at for lookup, at in ends.items() if at})

    def _midnight(day: date) -> datetime:
        return timezone.make_aware(datetime.combine(day, time()))

else:
    from django.contrib.admin import AdminSite as ThemeAdminSite
    from django.contrib.admin import DateFieldListFilter as DaysFilter  # type: ignore[assignment]
    from django.contrib.admin import ModelAdmin as ThemeModelAdmin
    from django.contrib.admin import RelatedOnlyFieldListFilter as AutocompleteFilter
    from django.contrib.admin import StackedInline, action
    from django.contrib.admin import TabularInline as ThemeTabularInline
    from django.contrib.admin.widgets import AdminSplitDateTime as SplitDateTimeWidget
    from django.contrib.admin.widgets import AdminTextareaWidget as Textarea
    from django.contrib.admin.widgets import AdminTextInputWidget as TextInput
    from django.contrib.admin.widgets import AutocompleteSelect
    from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
    from django.forms import CheckboxInput, CheckboxSelectMultiple, FileInput, Select

    class UncountedPaginator(Paginator):  # type: ignore[no-redef]
        """Counts no further than a person would turn pages."""

        @cached_property
        def count(self) -> int:
            return len(list(self.object_list[:10_000]))

    def display(function: Any = None, *, label: Any = None, header: Any = None, **options: Any) -> Any:
        """Return Django's decorator; plain admin has no badges, so labels are ignored."""
        return admin.display(function, **options)


__all__ = [
    "UNFOLD",
    "AdminPasswordChangeForm",
    "AutocompleteFilter",
    "AutocompleteSelect",
    "CheckboxInput",
    "CheckboxSelectMultiple",
    "DaysFilter",
    "FileInput",
    "ModelAdmin",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "Select",
    "SplitDateTimeWidget",
    "StackedInline",
    "TabularInline",
    "TextInput",
    "Textarea",
    "ThemeAdminSite",
    "UncountedPaginator",
    "UserChangeForm",
    "action",
    "display",
]


@cache
def _box_to_choose(language: str) -> str:
    """Return the checkbox of a row as a format string for the row's key."""
    rendered = ThemeModelAdmin.action_checkbox(None, SimpleNamespace(pk="row's key"))
    return str(rendered).replace("{", "{{").replace("}", "}}").replace(escape("row's key"), "{}")


def _instant(field: models.DateTimeField[Any, Any]) -> Callable[[models.Model], str]:
    """Make a column that shows an instant in the reader's zone, and in the account's if that differs."""

    def column(obj: models.Model) -> str:
        return here(field.value_from_object(obj), "DATETIME_FORMAT") or "-"

    column.__name__ = field.name  # by which the admin finds its help text, and names the classes of its cells
    return admin.display(column, description=field.verbose_name, ordering=field.name)


def back_to_first_steps(request: HttpRequest) -> HttpResponseRedirect | None:
    """Send people who came from the first steps back to them, for the next one."""
    return redirect("admin:index") if "first-steps" in request.GET else None


class ModelAdmin(ThemeModelAdmin):
    """What all our pages share."""

    list_per_page = 25  # a row costs more than the query for it
    list_max_show_all = 200
    show_full_result_count = False
    list_filter_submit = True  # of Unfold: filters with a box to type in need a button
    warn_unsaved_form = True  # of Unfold

    def action_checkbox(self, obj: models.Model) -> SafeString:
        """Draw the checkbox of a row without a widget: the theme's costs as much as the rest of the row."""
        return format_html(_box_to_choose(translation.get_language()), obj.pk)

    action_checkbox.short_description = ThemeModelAdmin.action_checkbox.short_description  # type: ignore[attr-defined]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._instants.get(name, name) for name in super().get_list_display(request)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        form = context["adminform"]
        instants = {name: column for name, column in self._instants.items() if name in form.readonly_fields}
        form.readonly_fields = [instants.get(name, name) for name in form.readonly_fields]
        form.fieldsets = [
            (title, {**options, "fields": [instants.get(name, name) for name in options["fields"]]})
            for title, options in form.fieldsets
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    @cached_property
    def _instants(self) -> dict[Any, Callable[[models.Model], str]]:
        fields = [field for field in self.model._meta.concrete_fields if isinstance(field, models.DateTimeField)]
        return {field.name: _instant(field) for field in fields}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Join the tables that the names of the rows need, for lists, choosers and pages."""
        joins = self.list_select_related
        rows = super().get_queryset(request)
        return rows.select_related(*joins) if isinstance(joins, tuple) and joins else rows

    def response_post_save_add(self, request: HttpRequest, obj: models.Model) -> HttpResponseRedirect:
        return back_to_first_steps(request) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: models.Model) -> HttpResponseRedirect:
        return back_to_first_steps(request) or super().response_post_save_change(request, obj)

    def save_model(self, request: HttpRequest, obj: models.Model, form: forms.ModelForm, change: bool) -> None:
        """Save only what was changed: a stale page must not undo what a service has written since."""
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        changed = (columns & set(form.changed_data)) | set(getattr(form, "derived_columns", ()))
        if changed:
            obj.save(update_fields=changed)

    # Deleting

    way_out: Any = None  # label of the button that says what to do instead; None: the page itself says it
    way_out_words: Any = ""
    delete_confirmation_template: Any = "admin/delete_one.html"
    delete_selected_confirmation_template: Any = "admin/delete_some.html"

    def way_out_of(self, obj: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let people who may delete an object delete what depends on it, facts included; objects in use stay."""
        things = list(objs)
        found = deletion.hanging_on(self.model, [thing.pk for thing in things], sure=request.POST.get("post") == "yes")
        counts = {self.opts.verbose_name_plural: len(things)}
        for each in found:
            if each.goes:
                label = each.kind._meta.verbose_name_plural
                counts[label] = counts.get(label, 0) + each.number
        in_use = [each.words for each in found if each.in_use]
        request.in_use = things if in_use else []  # type: ignore[attr-defined]
        return list(deletion.lines(things, found)), counts, set(), in_use

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, self._ways_out(request) | (extra_context or {}))
        except IN_USE:  # by what came in between
            messages.error(request, _("It has come into use in the meantime and was not deleted."))
            return redirect(request.path)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if "delete_selected" in actions:
            _function, name, description = actions["delete_selected"]
            actions["delete_selected"] = (ModelAdmin._delete_selected, name, description)
        return actions

    def _delete_selected(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        keys = list(queryset.order_by().values_list("pk", flat=True)[: deletion.MOST + 1])
        if len(keys) > deletion.MOST:
            messages.error(request, _("Choose at most %(most)s to delete at once.") % {"most": f"{deletion.MOST:,}"})
            return None
        chosen = self.get_queryset(request).filter(pk__in=keys)
        try:
            with transaction.atomic():
                page = delete_selected(self, request, chosen)
        except IN_USE:
            messages.error(request, _("Some of these objects have come into use in the meantime. Nothing was deleted."))
            return None
        if isinstance(page, TemplateResponse) and page.context_data is not None:
            page.context_data |= self._ways_out(request)
        return page

    def _ways_out(self, request: HttpRequest) -> dict[str, Any]:
        """Tell how to get rid of an object in use; looked up only when the page is rendered."""

        def links() -> list[tuple[str, str]]:
            things = getattr(request, "in_use", [])[:MOST_LINKS]
            return [(self.way_out_of(thing), f"{self.way_out or _('Open')}: {thing}") for thing in things]

        return {"ways_out": SimpleLazyObject(links), "way_out_words": self.way_out_words}


class TabularInline(ThemeTabularInline):
    """Rows of a table. Each control has a label: a screen reader does not read it the heading of its column."""

    show_title = True  # above each row; so the theme calls it since 0.100

    if UNFOLD and hasattr(ThemeTabularInline, "hide_title"):  # and so before, for Python 3.11

        @property
        def hide_title(self) -> bool:
            return not self.show_title

    def get_formset(self, request: HttpRequest, obj: models.Model | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        for field in formset.form.base_fields.values():
            field.widget.attrs.setdefault("aria-label", capfirst(str(field.label or "")))
        if order := formset.form.base_fields.get(getattr(self, "ordering_field", None)):
            order.widget.attrs |= {"data-up": _("Move up"), "data-down": _("Move down")}  # what order.js says
        return formset


class ReadOnlyAdmin(ModelAdmin):
    """Facts: people look at them and never edit them."""

    actions = None
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Facts about the object of the page."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

"""Imports of leads: upload a table, look at what it says, let it be taken, fetch what was refused."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.dates import MONTHS
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin_theme import CheckboxInput, FileInput, ReadOnlyAdmin, Select, display
from accounts.models import User
from accounts.time import clock

from ..exceptions import Refused
from ..models import ImportRow, LeadExport, LeadImport, Source, Stage
from ..roster import current
from ..services.imports import (
    check_more_rows,
    counts_of,
    keep_table,
    order_of_dates,
    preview,
    same_people,
    start_import,
    stop_import,
)
from ..spreadsheets.dates import DayOrder, split
from ..spreadsheets.leads import (
    CHOICES,
    FIELDS,
    OWN,
    TEMPLATE_HEADER,
    TEMPLATE_ROW,
    columns_added,
    columns_to_join,
    faults_of_columns,
    own_names,
    quote_titles,
)
from ..spreadsheets.reading import DELIMITERS, MOST_BYTES, MOST_ROWS, BadTable, Table, read_table
from ..spreadsheets.writing import csv_lines
from ..tasks import hurry_import
from .exports import filters_in_words

SHOWN = 20  # rows of the preview
MORE_SHOWN = 10  # rows that would be refused, beyond the first rows
AT_ONCE = 1_000  # rows checked in one request: a fifth of a second
PEOPLE_SHOWN = 5  # of those who are in several rows
ENCODINGS = [
    ("utf-8-sig", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1251", _("Windows-1251, Cyrillic")),
    ("cp1252", _("Windows-1252, Western")),
]


class UploadForm(forms.Form):
    """A file, and what is known of it."""

    file = forms.FileField(label=_("File"), widget=FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}))
    encoding = forms.ChoiceField(
        choices=[("", _("detect")), *ENCODINGS],
        required=False,
        label=_("Encoding"),
        widget=Select,
        help_text=_("Choose one only if letters look wrong."),
    )
    delimiter = forms.ChoiceField(
        choices=[("", _("detect")), *DELIMITERS.items()],
        required=False,
        label=_("Column separator"),
        widget=Select,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is None:
            return cleaned
        try:
            if file.size > MOST_BYTES:
                raise BadTable(_now("The file is larger than %(size)d MB. Split it.") % {"size": MOST_BYTES // 1024**2})
            self.data_read = file.read()
            self.table: Table = read_table(
                self.data_read, encoding=cleaned.get("encoding", ""), delimiter=cleaned.get("delimiter", "")
            )
        except BadTable as error:
            self.add_error("file", str(error))
        return cleaned


class ReadingForm(forms.ModelForm):
    """What each column is, and where the leads go."""

    month_first = forms.TypedChoiceField(
        label=_("Order of day and month"),
        required=False,
        coerce=lambda value: value == "True",
        empty_value=None,
        widget=Select,
    )

    class Meta:
        model = LeadImport
        fields = ["source", "stage", "month_first"]
        widgets = {"source": Select, "stage": Select}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["source"].queryset = Source.objects.filter(active=True)  # type: ignore[attr-defined]
        self.fields["source"].required = self.fields["stage"].required = False  # to look at it; starting asks for both
        stages = Stage.objects.select_related("pipeline").order_by(
            "pipeline__position", "pipeline_id", "position", "id"
        )
        self.fields["stage"].queryset = stages  # type: ignore[attr-defined]
        for place, (title, key) in enumerate(zip(self.instance.header, self.instance.columns, strict=True)):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                choices=CHOICES,
                required=False,
                initial=key,
                widget=Select(attrs={"aria-label": title or f"{place + 1}"}),
            )
        if self.is_bound:
            self.instance.columns = [
                self[f"column_{place}"].value() or "" for place in range(len(self.instance.header))
            ]
        self.order = order_of_dates(self.instance)
        if self.instance.month_first is None or self.order.fault(self.instance.month_first):
            self.initial["month_first"] = self.order.month_first_proposal
        self.fields["month_first"].choices = orders_of(self.order)  # type: ignore[attr-defined]
        self.alike = columns_to_join(self.instance.header, self.instance.columns, first_cells(self.instance))
        for key, places in self.alike.items():
            self.fields[f"join_{key}"] = forms.BooleanField(
                label=join_label(key, quote_titles(self.instance.header, places)),
                required=False,
                initial=key in self.instance.joined,
                widget=CheckboxInput,
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        columns, joined = self.instance.columns, [key for key in self.alike if cleaned.get(f"join_{key}")]
        for key in joined:
            columns = [key if place in self.alike[key] else column for place, column in enumerate(columns)]
        for fault in faults_of_columns(columns, self.instance.header, joined):
            self.add_error(None, fault)
        fault = self.order.fault(cleaned.get("month_first"))
        if fault and ("start" in self.data or cleaned.get("month_first") is not None):
            self.add_error("month_first", fault)
        self.instance.columns, self.instance.joined = columns, joined
        return cleaned

    @property
    def columns(self) -> list[forms.BoundField]:
        return [self[f"column_{place}"] for place in range(len(self.instance.header))]

    @property
    def joins(self) -> list[forms.BoundField]:
        return [self[f"join_{key}"] for key in self.alike]

    def question(self) -> str:
        """Return what is to be answered about the dates before anything begins."""
        return self.order.fault({"True": True, "False": False}.get(str(self["month_first"].value())))

    def choices(self) -> str:
        """Return what is chosen as one text: the page carries it, and nothing begins by choices it has not shown."""
        values = (self[name].value() for name in self.fields)
        return "|".join("" if value is None else str(value) for value in values)

    @property
    def where_to(self) -> list[forms.BoundField]:
        return [self["source"], self["stage"]]


def orders_of(order: DayOrder) -> list[tuple[str, Any]]:
    """Return the orders of day and month to choose from, with what a date of the file would be."""
    ways = [("False", _now("The day comes first")), ("True", _now("The month comes first"))]
    if order.unclear:
        for place, (value, label) in enumerate(ways):
            date, _time = split(order.unclear[1])
            day, month = (date.second, date.first) if value == "True" else (date.first, date.second)
            ways[place] = (value, f"{label}: {order.unclear[1]} = {day} {MONTHS[month]}")
    return [("", "–"), *ways]


def join_label(key: str, titles: str) -> str:
    values = {"titles": titles, "field": FIELDS[key].label}
    if FIELDS[key].joint is None:
        return _now("%(field)s: take the first filled cell of %(titles)s, and keep the others as fields") % values
    return _now("%(field)s: join %(titles)s") % values


def first_cells(batch: LeadImport) -> list[list[str]]:
    return list(batch.rows.order_by("number").values_list("cells", flat=True)[:50])


@admin.register(LeadImport)
class LeadImportAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "state", "created", "known", "refused", "source", "stage", "by", "created_at")
    list_select_related = ("source", "stage__pipeline", "by")
    list_filter = ("source",)
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("routing.add_leadimport")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The rows of an import hold what people sent; who no longer needs them may remove them. The leads stay."""
        may = request.user.has_perm("routing.delete_leadimport")
        return may and not (isinstance(obj, LeadImport) and obj.is_running)

    @display(
        description=pgettext_lazy("of an import", "state"),
        label={"running": "info", "finished": "success", "stopped": "warning", "to check": "default"},
    )
    def state(self, batch: LeadImport) -> tuple[str, Any]:
        return state_of(batch)

    @display(description=_("new leads"))
    def created(self, batch: LeadImport) -> int:
        return batch.counts.get("created", 0)

    @display(description=_("known leads"))
    def known(self, batch: LeadImport) -> int:
        return batch.counts.get("known", 0)

    @display(description=_("refused"))
    def refused(self, batch: LeadImport) -> int:
        return batch.counts.get("refused", 0)

    def get_urls(self) -> Any:
        wrap = self.admin_site.admin_view
        return [
            path("template.csv", wrap(self.template), name="routing_leadimport_template"),
            path("<int:object_id>/progress/", wrap(self.progress), name="routing_leadimport_progress"),
            path("<int:object_id>/count/", wrap(self.count), name="routing_leadimport_count"),
            path("<int:object_id>/refused.csv", wrap(self.refused_rows), name="routing_leadimport_refused"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Take a file and keep its rows, to be looked at."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            batch = keep_table(
                form.table, form.data_read, file_name=form.cleaned_data["file"].name, at=clock.now(),
                by=cast(User, request.user),                language=get_language() or "en",
            )  # fmt: skip
            return redirect("admin:routing_leadimport_change", batch.pk)
        context = {"form": form, "title": _("Import leads"), "most_rows": MOST_ROWS, "megabytes": MOST_BYTES // 1024**2}
        return self._page(request, "routing/import_upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the import: what it would do before it is started, how far it is afterwards."""
        batch = self._batch(request, object_id)
        if batch is None:
            return redirect("admin:routing_leadimport_changelist")
        if request.method == "POST" and not self.has_add_permission(request):
            raise PermissionDenied
        if "stop" in request.POST:
            if stop_import(batch, at=clock.now()):
                messages.warning(request, _("Stopped. Leads that are already imported stay."))
            return redirect("admin:routing_leadimport_change", batch.pk)
        if batch.started_at or batch.cancelled_at:
            return self._page(request, "routing/import_progress.html", self._standing(batch))
        return self._check(request, batch)

    def _check(self, request: HttpRequest, batch: LeadImport) -> HttpResponse:
        """Show what would become of the rows, read as the form says; start when asked to."""
        first = {} if batch.source_id or batch.stage_id else first_choices()
        form = ReadingForm(request.POST or None, instance=batch, initial=first)
        if request.method == "POST" and form.is_valid():
            form.save()
            LeadImport.objects.filter(pk=batch.pk, started_at=None).update(columns=batch.columns, joined=batch.joined)
            if "start" in request.POST and self._start(request, batch, form):
                return redirect("admin:routing_leadimport_change", batch.pk)
            if not form.errors:
                form = ReadingForm(instance=batch)  # with the columns that were joined, and whose order was found out
        return self._page(
            request, "routing/import_check.html", {"form": form, **look_at(batch, form)} | self._about(batch)
        )

    def _start(self, request: HttpRequest, batch: LeadImport, form: ReadingForm) -> bool:
        for name in ("source", "stage"):
            if not form.cleaned_data[name]:
                form.add_error(name, _("Choose one."))
        if form.errors:
            return False
        if request.POST.get("checked") != form.choices():
            messages.info(
                request, _("The rows were checked again with your choices. If everything is right, import them.")
            )
            return False
        try:
            start_import(batch, source=form.cleaned_data["source"], stage=form.cleaned_data["stage"], at=clock.now())
        except Refused as error:
            messages.error(request, error.detail)
        hurry_import(batch.pk)
        return True

    def count(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Check some more rows, and answer with how many would be taken, for the page to put in place of what it said."""
        batch = self._batch(request, str(object_id))
        if batch is None or batch.started_at or batch.cancelled_at:
            raise Http404
        source = _choice(Source.objects.all(), request.GET.get("source"))
        stage = _choice(Stage.objects.select_related("pipeline"), request.GET.get("stage"))
        return TemplateResponse(
            request, "routing/_import_count.html", {"batch": batch, "again": True} | check_counts(batch, source, stage)
        )

    def progress(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Answer with the standing alone, for the page to put in place of the one before."""
        batch = self._batch(request, str(object_id))
        if batch is None:
            raise Http404
        return TemplateResponse(request, "routing/_import_progress.html", self._standing(batch))

    def refused_rows(self, request: HttpRequest, object_id: int) -> StreamingHttpResponse:
        """Answer with the refused rows as they came, and why: mended, the file can be imported again."""
        batch = self._batch(request, str(object_id))
        if batch is None:
            raise Http404
        rows = batch.rows.filter(outcome=ImportRow.Outcome.REFUSED).order_by("number")
        width = len(batch.header)
        lines = csv_lines(
            [*batch.header, *columns_added()],
            ((*row.cells[:width], row.number, row.problem) for row in rows.iterator(chunk_size=500)),
        )
        return download(lines, f"refused-{batch.pk}.csv")

    def template(self, request: HttpRequest) -> StreamingHttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return download(csv_lines(TEMPLATE_HEADER, [TEMPLATE_ROW]), "leads.csv")

    def _batch(self, request: HttpRequest, object_id: str) -> LeadImport | None:
        batch = self.get_object(request, object_id)
        if batch is not None and not self.has_view_permission(request, batch):
            raise PermissionDenied
        return batch

    def _standing(self, batch: LeadImport) -> dict[str, Any]:
        counts = counts_of(batch)
        total = sum(counts.values())
        done = total - counts.get("", 0)
        return self._about(batch) | {
            "counts": {outcome: counts.get(outcome, 0) for outcome in ("created", "known", "refused")},
            "total": total,
            "done": done,
            "state": state_of(batch)[1],
            "refused": batch.rows.filter(outcome=ImportRow.Outcome.REFUSED).order_by("number")[:SHOWN],
        }

    def _about(self, batch: LeadImport) -> dict[str, Any]:
        return {
            "title": batch.file_name,
            "batch": batch,
            "encoding": dict(ENCODINGS).get(batch.encoding, batch.encoding),
            "delimiter": DELIMITERS.get(batch.delimiter, batch.delimiter),
        }

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        may = {"opts": self.opts, "has_add_permission": self.has_add_permission(request)}
        return TemplateResponse(request, template, self.admin_site.each_context(request) | may | context)


@admin.register(ImportRow)
class ImportRowAdmin(ReadOnlyAdmin):
    list_display = ("number", "batch", "outcome", "problem", "lead")
    list_filter = ("outcome",)
    list_select_related = ("batch", "lead__contact", "lead__company")
    ordering = ("-pk",)


@admin.register(LeadExport)
class LeadExportAdmin(ReadOnlyAdmin):
    list_display = ("at", "by", "kind", "leads", "filtered")
    list_select_related = ("by",)
    list_filter = ("kind", "by")
    fields = ("at", "by", "kind", "leads", "filtered")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the configuration once for the page: columns ask nobody."""
        exports = super().get_changelist_instance(request)
        roster = current()
        for export in exports.result_list:
            export.roster = roster
        return exports

    @display(description=pgettext_lazy("field", "filters"))
    def filtered(self, export: Any) -> SafeString:
        return filters_in_words(export, getattr(export, "roster", None) or current())


def state_of(batch: LeadImport) -> tuple[str, Any]:
    """Return how far an import is, as a word for programs and one for people."""
    if batch.cancelled_at:
        return "stopped", pgettext_lazy("import", "stopped")
    if batch.finished_at:
        return "finished", pgettext_lazy("import", "finished")
    if batch.started_at:
        return "running", pgettext_lazy("import", "running")
    return "to check", pgettext_lazy("import", "to be checked")


def first_choices() -> dict[str, Any]:
    """Return what is chosen where there is nothing to choose: the only source, the first stage of the first pipeline."""
    sources = list(Source.objects.filter(active=True)[:2])
    stage = (
        Stage.objects.filter(kind=Stage.Kind.OPEN)
        .order_by("pipeline__position", "pipeline_id", "position", "id")
        .first()
    )
    return {"source": sources[0].pk if len(sources) == 1 else None, "stage": stage and stage.pk}


def _choice(rows: QuerySet[Any], value: Any) -> Any:
    return rows.filter(pk=value).first() if str(value or "").isdecimal() else None


def look_at(batch: LeadImport, form: ReadingForm) -> dict[str, Any]:
    """Return what is shown of the rows: the first, some more of those that would be refused, and what to know before."""
    source = _choice(Source.objects.all(), form["source"].value())
    stage = _choice(Stage.objects.select_related("pipeline"), form["stage"].value())
    counts = check_counts(batch, source, stage)
    first = batch.rows.order_by("number")[:SHOWN]
    bad = batch.rows.filter(number__in=batch.checked["refused"][: SHOWN + MORE_SHOWN]).order_by("number")
    rows = list({row.number: row for row in (*first, *bad)}.values())[: SHOWN + MORE_SHOWN]
    answers = preview(batch, rows, source, stage, at=clock.now())
    people = same_people(batch, source)
    return counts | {
        "rows": [(row, faults) for row, (_form, faults) in zip(rows, answers, strict=True)],
        "shown": SHOWN,
        "choices": form.choices(),
        "renamed": [
            (batch.header[place], name)
            for place, name in own_names(batch.header, batch.columns).items()
            if batch.columns[place] == OWN and name != batch.header[place].strip()
        ],
        "people": [(person.known_by, ", ".join(map(str, person.rows[:10]))) for person in people[:PEOPLE_SHOWN]],
        "people_count": len(people),
        "before": LeadImport.objects.filter(digest=batch.digest, started_at__isnull=False).exclude(pk=batch.pk).first(),
    }


def check_counts(batch: LeadImport, source: Source | None, stage: Stage | None) -> dict[str, Any]:
    """Return how many rows would be taken, of those that were checked so far; without source and stage nobody can say."""
    checked = check_more_rows(batch, source, stage, rows=AT_ONCE, at=clock.now())
    return {
        "checked": checked,
        "ready": bool(source and stage),
        "asked": f"?source={source.pk if source else ''}&stage={stage.pk if stage else ''}",
    }


def download(lines: Any, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)

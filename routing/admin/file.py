"""The configuration as a file, in the admin: download it; upload one, see what it would change, and take it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts import admin_theme
from accounts.history.changes import sign_changes

from ..configuration import MAX_BYTES, BadConfiguration, ImportReport, export_configuration, import_configuration
from ..exceptions import Busy
from ..roster import read_version

# What one may do to each kind of thing by the admin's pages one may do by a file, and no more.
MODELS = {
    "account": "accounts.{}_account",
    "schedule": "accounts.{}_workschedule",
    "manager": "accounts.{}_manager",
    "source": "routing.{}_source",
    "placeholder": "routing.{}_placeholder",
    "pipeline": "routing.{}_pipeline",
    "pipeline order": "routing.{}_pipeline",
    "stage": "routing.{}_stage",
    "registry": "routing.{}_registry",
    "trigger": "routing.{}_trigger",
}
VERBS = {"add": "add", "remove": "delete"}  # all else is a change
ACTIONS = {
    "add": pgettext_lazy("change of configuration", "add"),
    "change": pgettext_lazy("change of configuration", "change"),
    "remove": pgettext_lazy("change of configuration", "remove"),
    "turn off": pgettext_lazy("change of configuration", "turn off"),
    "deactivate": pgettext_lazy("change of configuration", "deactivate"),
}


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Configuration file"),
        help_text=gettext_lazy("A YAML file like the one downloaded here."),
        widget=admin_theme.FileInput(attrs={"accept": ".yaml,.yml,.txt"}),
    )
    prune = forms.BooleanField(
        required=False,
        label=gettext_lazy("Remove objects that are not in the file"),
        help_text=gettext_lazy(
            "Only in the sections that the file has. Objects that leads refer to are turned off instead."
        ),
        widget=admin_theme.CheckboxInput,
    )

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise ValidationError(_("The file is too long: at most %(size)d KiB.") % {"size": MAX_BYTES // 1024})
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValidationError(_("The file is not UTF-8 text.")) from None


class ConfirmForm(forms.Form):
    """What was looked at, sent again to be taken."""

    text = forms.CharField(widget=forms.HiddenInput, strip=False, max_length=MAX_BYTES)
    name = forms.CharField(widget=forms.HiddenInput, max_length=200, required=False)
    prune = forms.BooleanField(widget=forms.HiddenInput, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)


def configuration_file(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show the page; a file that was sent is tried, a file that was confirmed is taken."""
    if not request.user.has_perm("routing.change_trigger"):
        raise PermissionDenied
    if request.method == "POST" and "text" in request.POST:
        confirmed = ConfirmForm(request.POST)
        if confirmed.is_valid():
            return _take(request, context, **confirmed.cleaned_data)
        return _page(request, context, FileForm())
    form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
    if form.is_bound and form.is_valid():
        facts = {"text": form.cleaned_data["file"], "prune": form.cleaned_data["prune"]}
        return _try(request, context, name=request.FILES["file"].name or "", **facts)  # type: ignore[union-attr]
    return _page(request, context, form)


def download(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("routing.view_trigger"):
        raise PermissionDenied
    try:
        text = export_configuration()
    except Busy as error:
        messages.error(request, error.detail)
        return redirect("admin:configuration")
    headers = {"Content-Disposition": 'attachment; filename="leadrouter.yaml"'}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


def _page(request: HttpRequest, context: dict[str, Any], form: FileForm, **more: Any) -> HttpResponse:
    shown = context | {"title": _("Configuration file"), "form": form, **more}
    return TemplateResponse(request, "routing/configuration_page.html", shown)


def _try(
    request: HttpRequest, context: dict[str, Any], *, text: str, prune: bool, name: str, notice: str = ""
) -> HttpResponse:
    """Show what the file would change, as the database is now."""
    version = read_version()
    try:
        report = import_configuration(text, dry_run=True, prune=prune)
    except BadConfiguration as error:
        return _page(
            request,
            context,
            FileForm(),
            faults=error.errors,
            more=f"{error.more:,}" if error.more else "",
            count=error.count,
            name=name,
        )
    except Busy as error:
        return _page(request, context, FileForm(), faults=[("", error.detail)], count=1, name=name)
    confirm = ConfirmForm(initial={"text": text, "prune": prune, "name": name, "version": version})
    refused = forbidden(request.user, report)
    changes = [(change, ACTIONS.get(change.action, change.action), kind_of(change.kind)) for change in report.changes]
    kept = [(kind_of(kind), key, why) for kind, key, why in report.kept]
    more = {"report": report, "changes": changes, "kept": kept, "confirm": confirm, "refused": refused}
    more |= {"name": name, "notice": notice}
    return _page(request, context, FileForm(), **more)


def _take(
    request: HttpRequest, context: dict[str, Any], *, text: str, prune: bool, name: str, version: int
) -> HttpResponse:
    """Import what was confirmed; where the configuration has changed since it was looked at, show it anew."""
    if read_version() != version:
        notice = _("The configuration has changed in the meantime. This is what the file would change now.")
        return _try(request, context, text=text, prune=prune, name=name, notice=notice)
    try:
        if forbidden(request.user, import_configuration(text, dry_run=True, prune=prune)):
            raise PermissionDenied
        with sign_changes(by=request.user, way=f"file {name}"):  # type: ignore[arg-type]
            report = import_configuration(text, prune=prune)
    except BadConfiguration as error:
        return _page(
            request,
            context,
            FileForm(),
            faults=error.errors,
            more=f"{error.more:,}" if error.more else "",
            count=error.count,
            name=name,
        )
    except Busy as error:
        return _page(request, context, FileForm(), faults=[("", error.detail)], count=1, name=name)
    messages.success(request, _("Imported: %(count)d changes.") % {"count": len(report.changes)})
    for email, path in report.invitations.items():
        link = format_html('<a href="{0}">{0}</a>', request.build_absolute_uri(path))
        messages.info(
            request, format_html(_("Send this link to {}. It sets a password and works once: {}"), email, link)
        )
    return redirect("admin:configuration")


def kind_of(kind: str) -> str:
    if kind == "pipeline order":
        return _("pipeline order")
    return str(apps.get_model(MODELS[kind].replace("{}_", ""))._meta.verbose_name)


def forbidden(user: Any, report: ImportReport) -> list[str]:
    """Return what of it the user may not do, each as a line of the report."""
    return [
        f"{ACTIONS.get(change.action, change.action)} {kind_of(change.kind)} {change.key}".strip()
        for change in report.changes
        if not user.has_perm(MODELS[change.kind].format(VERBS.get(change.action, "change")))
    ]

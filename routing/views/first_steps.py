"""From an empty installation to the first lead: what is done, what is missing, and the page on which it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import admin_theme
from accounts.models import Account, WorkSchedule
from accounts.people.names import refuse_unseen_signs
from accounts.time import clock
from routing import roster as rosters
from routing.exceptions import Refused
from routing.models import ApiKey, Lead, Source
from routing.services.intake import take_lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do."""

    title: Any
    why: Any
    address: str
    done: bool


def steps(current: rosters.Roster) -> list[Step]:
    """Return the steps in their order; the last one is done when a lead has gone to somebody."""
    account = current.account
    change_account = reverse("admin:accounts_account_changelist")
    routed = Lead.objects.filter(responsible__isnull=False).exists()
    done = {
        "account": account.time_zone != "UTC" or account.name != Account._meta.get_field("name").default,
        "managers": any(person.active for person in current.managers.values()),
        "schedule": WorkSchedule.objects.exists(),
        "pipeline": any(stage.kind == "open" for stage in current.stages.values()),
        "trigger": any(trigger.on for trigger in current.triggers.values()),
        "key": ApiKey.objects.filter(revoked_at=None).exists(),
        "lead": routed,
    }
    return [
        Step(
            title=title, why=why, address=reverse(address) if address.startswith("admin:") else address, done=done[name]
        )
        for name, title, why, address in (
            (
                "account",
                _("Name and time zone"),
                _("All work schedules run in the account's time zone."),
                change_account,
            ),
            (
                "schedule",
                _("Work schedule"),
                _("A week, or a cycle such as 2/2. Without one, managers are always on duty."),
                "admin:accounts_workschedule_add",
            ),
            ("managers", _("Managers"), _("Who receives leads."), "admin:accounts_manager_add"),
            (
                "pipeline",
                _("Pipeline and stages"),
                _("The stages of a lead: new, accepted, won, lost."),
                "admin:routing_pipeline_add",
            ),
            (
                "trigger",
                _("Trigger"),
                _("Distributes leads that enter a stage among managers."),
                "admin:routing_trigger_add",
            ),
            ("key", _("API key"), _("Forms and programs use it to send leads."), "admin:routing_apikey_add"),
            ("lead", _("First lead"), _("Enter one by hand to see who gets it and why."), "admin:enter_lead"),
        )
    ]


class EnterLeadForm(forms.Form):
    """A lead as somebody on the telephone tells it."""

    name = forms.CharField(
        max_length=500,
        label=gettext_lazy("What the lead is about"),
        widget=admin_theme.TextInput,
        validators=[refuse_unseen_signs],
    )
    contact_name = forms.CharField(
        max_length=500,
        required=False,
        label=gettext_lazy("Contact name"),
        widget=admin_theme.TextInput,
        validators=[refuse_unseen_signs],
    )
    email = forms.EmailField(required=False, label=gettext_lazy("E-mail"), widget=admin_theme.TextInput)
    phone = forms.CharField(max_length=200, required=False, label=gettext_lazy("Phone"), widget=admin_theme.TextInput)
    source = forms.ModelChoiceField(
        Source.objects.filter(active=True),
        required=False,
        label=gettext_lazy("Source"),
        widget=admin_theme.Select,
        help_text=gettext_lazy("Leave empty for the account's API source."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("email") and not cleaned.get("phone") and not self.errors:
            self.add_error("email", _("An e-mail or a phone number is needed to reach the contact."))
        return cleaned

    @property
    def lead(self) -> dict[str, Any]:
        """Return it as intake takes it."""
        contact = {
            "name": self.cleaned_data["contact_name"],
            "email": self.cleaned_data["email"] or None,
            "phone": self.cleaned_data["phone"] or None,
        }
        return {"name": self.cleaned_data["name"], "contact": contact}


def enter_lead(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Take a lead that is entered by hand, the way of all leads."""
    if not request.user.has_perm("routing.change_lead"):
        raise PermissionDenied
    form = EnterLeadForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        source = form.cleaned_data["source"]
        try:
            taken = take_lead(form.lead, source_id=source.pk if source else None, at=clock.now())
        except Refused as error:
            form.add_error(None, [e["detail"] for e in error.errors] or error.detail)
        else:
            created = _("The lead was created. Its decision says who got it and why.")
            messages.success(request, created if taken.created else taken.words)
            return redirect("admin:routing_lead_change", taken.lead_id)
    context |= {
        "title": _("Enter a lead"),
        "form": form,
        "verb": _("Create the lead"),
        "back": reverse("admin:index"),
    }
    return TemplateResponse(request, "routing/action_page.html", context)

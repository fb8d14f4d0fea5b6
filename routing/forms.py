"""Forms of the admin: triggers, keys, leads and the people behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts import admin_theme
from accounts.forms import WrittenField, clean_country
from accounts.models import Manager
from accounts.time import clock

from .exceptions import Conflict
from .intake import identity
from .intake.bodies import BadBody, parse_body
from .intake.fields import COMPANY, LEAD, LONGEST, STORED
from .intake.kinds import BadValue
from .intake.limits import LONGEST_KEY, LONGEST_TAG, MOST_KEYS, MOST_TAGS, too_long_key
from .intake.reading import read_lead
from .models import ApiKey, Company, Contact, ContactPoint, HandOver, Lead, Member, Source, Stage, Trigger
from .services.contact_points import Read, read_point


class ChoicesField(forms.TypedMultipleChoiceField):
    """A list of choices as check boxes."""

    widget = admin_theme.CheckboxSelectMultiple


class JsonObjectField(forms.JSONField):
    """A JSON object; null and lists are refused beside the box."""

    widget = admin_theme.Textarea(attrs={"rows": 4})

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise ValidationError(_('Write an object: {"field": "value"}.'), code="invalid")
        if "\\u0000" in str(value) or "\x00" in str(value):
            raise ValidationError(_("Null characters are not allowed."), code="null_characters_not_allowed")
        if len(found) > MOST_KEYS:
            raise ValidationError(
                _("At most %(count)d keys are allowed."), params={"count": MOST_KEYS}, code="too-many-keys"
            )
        if (key := too_long_key(found)) is not None:
            sentence = _("A key has at most %(count)d characters, but “%(key)s…” has %(length)d.")
            raise ValidationError(
                sentence, params={"count": LONGEST_KEY, "key": key[:40], "length": len(key)}, code="too-long"
            )
        return found


class LinesField(WrittenField):
    """A list of texts, a line each."""

    widget = admin_theme.Textarea(attrs={"rows": 3})

    def to_text(self, value: list[str] | None) -> str:
        return "\n".join(value or [])

    def read(self, text: str) -> list[str]:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if any(len(line) > LONGEST_TAG for line in lines):
            raise ValidationError(_("A tag has at most %(count)d characters."), params={"count": LONGEST_TAG})
        if len(lines) > MOST_TAGS:
            raise ValidationError(_("At most %(count)d tags are allowed."), params={"count": MOST_TAGS})
        return list(dict.fromkeys(lines))


# Triggers

OWNERS = [
    ("", pgettext_lazy("responsible check", "off")),
    ("contact", _("the contact's")),
    ("company", _("the company's")),
    ("contact,company", _("the contact's, then the company's")),
    ("company,contact", _("the company's, then the contact's")),
]


class ResponsibleCheckField(forms.ChoiceField):
    """Whose responsible gets the lead, in order. One choice, because boxes to tick would have no order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=OWNERS, widget=admin_theme.Select, required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return ",".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [owner for owner in super().clean(value).split(",") if owner]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial or []) != (data or "")


class TriggerForm(forms.ModelForm):
    """A trigger. What is missing is said beside the field that it is missing in."""

    on = ChoicesField(
        choices=Trigger.Event.choices,
        label=pgettext_lazy("trigger", "On"),
        error_messages={"required": _("Choose at least one event. Without one, the trigger never runs.")},
    )
    responsible_check = ResponsibleCheckField(
        label=_("Responsible check"),
        help_text=_("A lead from an existing customer goes to the manager who is already responsible for them."),
    )
    also_assign = ChoicesField(
        choices=Trigger.Related.choices,
        required=False,
        label=_("Also assign"),
        help_text=_("Follow the lead once it is accepted; at once if nobody has to accept it."),
    )
    set_fields = JsonObjectField(required=False, label=_("Change field"), help_text=_('For example {"taken": null}'))

    class Meta:
        model = Trigger
        fields = [
            "code", "stage", "on", "priority", "method", "registry", "limit", "limit_stages", "online_only",
            "responsible_check", "responsible_available", "responsible_count", "also_assign", "acceptance_minutes",
            "acceptance_clock", "max_attempts", "final_step", "on_pause", "if_nobody", "duty", "set_fields",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None and "on" in self.fields:
            self.initial.setdefault("on", [event.value for event in Trigger.Event])
            if not self.initial["on"]:
                self.initial["on"] = [event.value for event in Trigger.Event]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        asks_duty = cleaned.get("if_nobody") == Trigger.IfNobody.DUTY or (
            cleaned.get("acceptance_minutes") is not None and cleaned.get("final_step") == Trigger.FinalStep.DUTY
        )
        if asks_duty and not cleaned.get("duty") and "duty" not in self.errors:
            self.add_error("duty", _("Choose the manager on duty: “finally” or “if nobody” sends leads to them."))
        return cleaned

    def _post_clean(self) -> None:
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]  # the stubs leave it out


class MemberFormSet(admin_theme.TabularInline.formset if admin_theme.UNFOLD else BaseInlineFormSet):  # type: ignore[misc]
    """The members of a trigger; each is in it once."""

    def validate_unique(self) -> None:
        """Say who is named twice beside the name, not above the whole table."""
        seen: set[int] = set()
        twice = False
        for form in self.forms:
            manager = getattr(form, "cleaned_data", {}).get("manager")
            if manager is None or form in self.deleted_forms:
                continue
            if manager.pk in seen:
                twice = True
                form.add_error("manager", _("%(manager)s is already a member.") % {"manager": manager})
            seen.add(manager.pk)
        if twice:
            raise ValidationError(_("A manager can be a member only once. Give them a higher coefficient instead."))
        super().validate_unique()


class MemberForm(forms.ModelForm):
    class Meta:
        model = Member
        fields = ["manager", "coefficient", "limit", "schedule", "position"]


FIRST_YEAR_TRIED, LAST_YEAR_TRIED = 2000, 2100  # schedules know no others


TRIED = [field for field in STORED if field.skill or field.key in ("contact.email", "contact.phone", "company.domain")]
TRIAL_HELP = {
    "country": _("For example ES"),
    "email": _("Enter an existing customer to try the responsible check."),
    "phone": _("Instead of the e-mail, or in addition to it."),
}


class TrialForm(forms.Form):
    """A lead that is not there, to try a trigger on. Everything may be left empty."""

    at = forms.SplitDateTimeField(
        required=False,
        label=_("When"),
        widget=admin_theme.SplitDateTimeWidget,
        help_text=_("Leave empty for now. Limits and balances are always the current ones."),
    )
    fields = JsonObjectField(  # type: ignore[assignment]
        required=False, initial=dict, label=_("Fields"), help_text=_('Your own fields as an object: {"employees": 240}')
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in TRIED:
            self.fields[field.fact] = forms.CharField(  # type: ignore[index]
                required=False,
                max_length=LONGEST[field.key],
                label=_(field.label if field.skill else field.long_label),
                widget=admin_theme.TextInput,
                help_text=TRIAL_HELP.get(field.fact, ""),
            )
        self.order_fields(["at", *(field.fact for field in TRIED)])

    def clean_at(self) -> datetime | None:
        at = self.cleaned_data["at"]
        if at and not FIRST_YEAR_TRIED <= at.year <= LAST_YEAR_TRIED:
            sentence = _("Choose a time between the years %(first)s and %(last)s.")
            raise ValidationError(sentence, params={"first": FIRST_YEAR_TRIED, "last": LAST_YEAR_TRIED})
        return at

    def clean_country(self) -> str:
        return clean_country(self.cleaned_data["country"])


# Sources and keys


class SourceForm(forms.ModelForm):
    class Meta:
        model = Source
        fields = ["code", "title", "channel", "active", "country", "double_click", "known"]

    def clean_country(self) -> str:
        return clean_country(self.cleaned_data["country"])


class ApiKeyForm(forms.ModelForm):
    scopes = ChoicesField(
        choices=ApiKey.Scope.choices, initial=[ApiKey.Scope.INTAKE, ApiKey.Scope.READ], label=_("Scopes")
    )

    class Meta:
        model = ApiKey
        fields = ["name", "source", "user", "scopes", "requests_per_minute", "expires_at"]

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at and "expires_at" in self.changed_data and expires_at <= clock.now():
            raise ValidationError(_("This time is in the past. The key would never work."))
        return expires_at

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("source") and cleaned.get("user"):
            self.add_error(
                "user", _("A key belongs to a source, a user or the account. Leave at least one of the two empty.")
            )
        return cleaned

    def _post_clean(self) -> None:
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]  # the stubs leave it out


# Leads, and the people behind them


class LeadForm(forms.ModelForm):
    """What people know better than the form the lead came by. Stage, state and responsible change by actions."""

    tags = LinesField(required=False, label=_("Tags"), help_text=_("One per line"))
    fields = JsonObjectField(required=False, label=_("Fields"))  # type: ignore[assignment]

    class Meta:
        model = Lead
        fields = [field.name for field in LEAD if not field.origin]

    def clean_country(self) -> str:
        return clean_country(self.cleaned_data["country"])


class ContactForm(forms.ModelForm):
    class Meta:
        model = Contact
        fields = ["name", "company"]


class PointForm(forms.ModelForm):
    """A phone, e-mail or chat; what is written is kept in the form it is compared by."""

    text = forms.CharField(max_length=500, label=_("Number, address or handle"), widget=admin_theme.TextInput)

    class Meta:
        model = ContactPoint
        fields = ["kind", "text", "main"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["text"] = self.instance.written

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind, text = cleaned.get("kind"), cleaned.get("text")
        self.read: Read | None = None
        if kind and text and {"kind", "text"} & set(self.changed_data):
            try:
                self.read = read_point(kind, text, contact=self.instance.contact_id, point=self.instance.pk)
                cleaned["text"] = self.read.text
            except Conflict as conflict:
                self.add_error("text", conflict.detail)
        elif self.instance.pk:
            cleaned["text"] = self.instance.text  # its extension is not in it
        return cleaned


class PointFormSet(BaseInlineFormSet):
    """All of a contact's; one of each kind at most is the main one."""

    def clean(self) -> None:
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.is_valid() and not form.cleaned_data.get("DELETE")]
        main = [each["kind"] for each in kept if each.get("main")]
        if len(set(main)) < len(main):
            raise forms.ValidationError(_("Choose one main number, address and handle of each kind at most."))


class CompanyForm(forms.ModelForm):
    class Meta:
        model = Company
        fields = [field.name for field in COMPANY]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        domain = identity.normalise_domain(cleaned.get("domain") or "") or None
        name = identity.normalise_name(cleaned.get("name") or "")[:500]
        others = Company.objects.exclude(pk=self.instance.pk)
        if cleaned.get("domain") and domain is None:
            self.add_error("domain", _("This is not a domain. Write it as example.com."))
        elif domain and others.filter(domain_key=domain).exists():
            self.add_error("domain", _("Another company has this domain."))
        elif domain is None and others.filter(domain_key=None, name_key=name).exists():
            self.add_error("name", _("Another company has this name. Add a domain to tell them apart."))
        self.instance.name_key, self.instance.domain_key = name, domain
        self.derived_columns = ["name_key", "domain_key"]
        return cleaned


# Actions on leads


class ActionForm(forms.Form):
    """What an action on leads asks. `done` is the sentence with the count."""


class ReassignForm(ActionForm):
    manager = forms.ModelChoiceField(Manager.objects.none(), label=_("To"), widget=admin_theme.Select)
    count = forms.BooleanField(
        required=False,
        label=_("Counts in the registry"),
        widget=admin_theme.CheckboxInput,
        help_text=_("The lead costs the manager a turn."),
    )
    also = ChoicesField(
        choices=[
            (HandOver.Along.CONTACT, _("main contact")),
            (HandOver.Along.COMPANY, _("company")),
            (HandOver.Along.TASKS, _("open tasks of the lead")),
        ],
        required=False,
        label=_("Also assign"),
        help_text=_("The manager becomes responsible for these as well."),
    )
    reason = forms.CharField(required=False, max_length=500, label=_("Reason"), widget=admin_theme.TextInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["manager"].queryset = Manager.objects.active().select_related("user")  # type: ignore[attr-defined]


class MoveForm(ActionForm):
    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("To stage"), widget=admin_theme.Select)
    reason = forms.CharField(required=False, max_length=500, label=_("Reason"), widget=admin_theme.TextInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stage"].queryset = stages_in_order()  # type: ignore[attr-defined]


def stages_in_order() -> Any:
    return Stage.objects.select_related("pipeline").order_by("pipeline__position", "pipeline_id", "position", "id")


class QualifyForm(ActionForm):
    """Where an unqualified lead goes, and to whom."""

    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("To stage"), widget=admin_theme.Select)
    manager = forms.ModelChoiceField(
        Manager.objects.none(),
        required=False,
        label=_("To"),
        widget=admin_theme.Select,
        empty_label=_("let the stage's trigger choose"),
        help_text=_("A lead assigned by hand costs nobody a turn."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = stages_in_order().filter(kind__in=[Stage.Kind.OPEN, Stage.Kind.WON])
        self.fields["stage"].queryset = stages  # type: ignore[attr-defined]
        self.fields["stage"].initial = stages.first()
        self.fields["manager"].queryset = Manager.objects.active().select_related("user")  # type: ignore[attr-defined]


class DeclineUnqualifiedForm(ActionForm):
    """Why a lead is none."""

    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("To stage"), widget=admin_theme.Select)
    reason = forms.CharField(
        max_length=500,
        label=_("Reason"),
        widget=admin_theme.TextInput,
        help_text=_("Junk, a duplicate, a wrong number, …"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = stages_in_order().filter(kind=Stage.Kind.LOST)
        self.fields["stage"].queryset = stages  # type: ignore[attr-defined]
        self.fields["stage"].initial = stages.first()


class HandOverForm(forms.Form):
    """Which leads of a manager go to others, and to whom."""

    to = forms.ModelChoiceField(
        Manager.objects.none(),
        required=False,
        label=_("To"),
        empty_label=_("let the triggers decide"),
        widget=admin_theme.Select,
    )
    stages = forms.ModelMultipleChoiceField(
        Stage.objects.none(),
        required=False,
        label=_("Stages"),
        help_text=_("Select none for all active stages."),
        widget=admin_theme.CheckboxSelectMultiple,
    )
    also = forms.MultipleChoiceField(
        choices=HandOver.Along.choices,
        required=False,
        label=_("Also hand over (if owned by this manager)"),
        initial=HandOver.Along.values,
        widget=admin_theme.CheckboxSelectMultiple,
    )
    reason = forms.CharField(required=False, max_length=500, label=_("Reason"), widget=admin_theme.TextInput)

    def __init__(self, *args: Any, manager: Manager, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Manager.objects.active().exclude(pk=manager.pk).select_related("user")
        stages = Stage.objects.filter(kind__in=Stage.ACTIVE).select_related("pipeline")
        self.fields["to"].queryset = others  # type: ignore[attr-defined]
        self.fields["stages"].queryset = stages.order_by("pipeline__position", "pipeline_id", "position", "id")  # type: ignore[attr-defined]

    def service_arguments(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        return {
            "to": cleaned["to"].pk if cleaned["to"] else None,
            "stages": [stage.pk for stage in cleaned["stages"]],
            "also": cleaned["also"],
            "reason": cleaned["reason"],
        }


class CreditBackForm(ActionForm):
    reason = forms.CharField(
        max_length=500,
        label=_("Reason"),
        widget=admin_theme.TextInput,
        help_text=_("Junk, a duplicate, a wrong number, …"),
    )


class TakeAgainForm(forms.Form):
    """The body of a refused intake, mended."""

    body = forms.CharField(
        label=_("Body"), widget=admin_theme.Textarea(attrs={"rows": 24, "spellcheck": "false"}), strip=False
    )

    def __init__(self, *args: Any, at: Any = None, zone: ZoneInfo | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at, self.zone = at, zone

    def clean_body(self) -> str:
        """Read the body as the API would; its answers stand beside the box."""
        body = self.cleaned_data["body"]
        try:
            self.lead = read_lead(
                parse_body(body.encode("utf-8", "surrogatepass")), at=self.at, zone=self.zone or ZoneInfo("UTC")
            )
        except BadBody as error:
            raise ValidationError(error.detail) from None
        except BadValue as bad:
            raise ValidationError(
                [f"{place}: {fault}" if place else fault for place, fault in faults(bad.faults)]
            ) from None
        return body


def faults(detail: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every place in a refused lead with what is wrong there."""
    if isinstance(detail, dict):
        for key, below in detail.items():
            inner = place if key == "non_field_errors" else f"{place}.{key}".removeprefix(".")
            yield from faults(below, inner)
    elif isinstance(detail, list):
        for below in detail:
            yield from faults(below, place)
    else:
        yield place, str(detail)


class ErasureForm(forms.Form):
    """The word that makes an erasure no slip of the hand."""

    confirm = forms.CharField(
        label=_("Type erase to continue"), max_length=20, widget=admin_theme.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_confirm(self) -> str:
        word: str = self.cleaned_data["confirm"].strip().lower()
        if word != "erase":
            raise ValidationError(_("Type the word erase."))
        return word

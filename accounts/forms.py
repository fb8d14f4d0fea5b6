"""Forms about people and their time. Hours are written as people write them: 09:00-13:00, 14:00-18:00."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts import admin_theme

from .models import Account, Manager, Pause, ScheduleException, User, WorkSchedule
from .people.names import refuse_unseen_signs
from .time import holidays, schedules

DAY_OFF = "off"


# Fields


class TimeZoneInput(admin_theme.TextInput):
    """A box for a time zone that offers the known ones while one types."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"zones-for-{name}"
        box = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join("", '<option value="{}"></option>', ((zone,) for zone in schedules.zone_names()))
        return format_html('{}<datalist id="{}">{}</datalist>', box, list_id, options)


class SubdivisionInput(admin_theme.TextInput):
    """A box for a part of a country that offers those of the country by their codes and names."""

    country = ""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"parts-for-{name}"
        box = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        parts = holidays.subdivision_names(self.country) if self.country in holidays.countries() else {}
        options = format_html_join("", '<option value="{}">{}</option>', parts.items())
        return format_html('{}<datalist id="{}">{}</datalist>', box, list_id, options)


class WrittenField(forms.CharField):
    """A value that people edit as text: `to_text` makes the text, `read` the value. Subclasses say how."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else self.to_text(value)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        if "\x00" in text:
            raise ValidationError(_("Null characters are not allowed."), code="null_characters_not_allowed")
        return self.read(text)

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Leave the value to `read`: it is no text any more."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != (initial or self.read(""))
        except ValidationError:
            return True

    def to_text(self, value: Any) -> str:
        raise NotImplementedError

    def read(self, text: str) -> Any:
        raise NotImplementedError


class IntervalsField(WrittenField):
    """Working hours of a day: "09:00-13:00, 14:00-18:00" ↔ ["09:00-13:00", "14:00-18:00"]."""

    widget = admin_theme.TextInput

    def to_text(self, value: list[str] | None) -> str:
        return ", ".join(str(interval) for interval in value or [])

    def read(self, text: str) -> list[str]:
        return read_intervals(text)


class CycleDaysField(WrittenField):
    """The days of a cycle, a line each; "off" is a day without work."""

    widget = admin_theme.Textarea(attrs={"rows": 5})

    def to_text(self, value: list[list[str]] | None) -> str:
        return "\n".join(", ".join(day) or DAY_OFF for day in value or [])

    def read(self, text: str) -> list[list[str]]:
        days = []
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                days.append(read_intervals(line))
            except ValidationError as error:
                raise ValidationError(
                    _("Day %(number)s: %(fault)s"), params={"number": number, "fault": error.message}
                ) from None
        return days


class LinesField(WrittenField):
    """A list of texts, a line each."""

    widget = admin_theme.Textarea(attrs={"rows": 5})

    def to_text(self, value: list[str] | None) -> str:
        return "\n".join(value or [])

    def read(self, text: str) -> list[str]:
        return list(dict.fromkeys(filter(None, map(str.strip, text.splitlines()))))


class SkillsField(WrittenField):
    """What a manager can do, a line for each kind: "language: es, en" ↔ {"language": ["es", "en"]}."""

    widget = admin_theme.Textarea(attrs={"rows": 3})

    def to_text(self, value: dict[str, list[str]] | None) -> str:
        return "\n".join(f"{kind}: {', '.join(values)}" for kind, values in (value or {}).items())

    def read(self, text: str) -> dict[str, list[str]]:
        skills: dict[str, list[str]] = {}
        for line in filter(None, map(str.strip, text.splitlines())):
            kind, colon, values = line.partition(":")
            known = [value.strip() for value in values.split(",") if value.strip()]
            if not colon or not kind.strip() or not known:
                raise ValidationError(
                    _("“%(line)s”: write each line as “language: es, en”."), params={"line": line[:80]}
                )
            skills.setdefault(kind.strip(), []).extend(known)
        return skills


def read_intervals(text: str) -> list[str]:
    """Return the intervals of a line, each HH:MM-HH:MM. Raises ValidationError."""
    text = text.strip()
    if text.lower() in ("", "-", "–", DAY_OFF):
        return []
    try:
        return [str(schedules.parse_interval(part.strip())) for part in re.split("[,;]", text) if part.strip()]
    except schedules.BadInterval as error:
        raise ValidationError(str(error)) from None


# Forms of the admin


class AccountForm(forms.ModelForm):
    pause_reasons = LinesField(
        required=False, label=_("Pause reasons"), help_text=_("One per line. Managers can also write their own.")
    )

    class Meta:
        model = Account
        fields = [
            "name",
            "time_zone",
            "country",
            "unqualified",
            "online_minutes",
            "repeat_hours",
            "pause_reasons",
            "second_factor",
            "channel_site",
            "channel_phone",
            "channel_mail",
            "channel_api",
            "channel_chat",
        ]
        widgets = {"time_zone": TimeZoneInput}

    def clean_time_zone(self) -> str:
        return clean_time_zone(self)

    def clean_country(self) -> str:
        return clean_country(self.cleaned_data["country"])


class WorkScheduleForm(forms.ModelForm):
    """A week as seven lines of hours, or a cycle as a line for each of its days."""

    cycle_days = CycleDaysField(
        required=False,
        label=_("Days of the cycle"),
        help_text=_(
            "One line per day; write “off” for a day off. A 2/2 cycle has four lines: "
            "09:00-21:00 twice, then off twice."
        ),
    )
    mon = IntervalsField(required=False, label=_("Monday"))
    tue = IntervalsField(required=False, label=_("Tuesday"))
    wed = IntervalsField(required=False, label=_("Wednesday"))
    thu = IntervalsField(required=False, label=_("Thursday"))
    fri = IntervalsField(required=False, label=_("Friday"))
    sat = IntervalsField(required=False, label=_("Saturday"))
    sun = IntervalsField(required=False, label=_("Sunday"))

    derived_columns = ("weekly",)  # it has no box of its own

    class Meta:
        model = WorkSchedule
        fields = ["code", "title", "kind", "cycle_start", "cycle_days", "holiday_country", "holiday_subdivision"]
        widgets = {"holiday_subdivision": SubdivisionInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["holiday_subdivision"].widget.country = self.instance.holiday_country
        for day in schedules.WEEKDAYS:
            self.fields[day].initial = self.instance.weekly.get(day) if isinstance(self.instance.weekly, dict) else None
            self.fields[day].widget.attrs["placeholder"] = "09:00-13:00, 14:00-18:00"

    def clean_holiday_country(self) -> str:
        return clean_country(self.cleaned_data["holiday_country"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.instance.weekly = {day: cleaned[day] for day in schedules.WEEKDAYS if cleaned.get(day)}
        if not self.errors:
            self._check_chart(cleaned)
        return cleaned

    def _check_chart(self, cleaned: dict[str, Any]) -> None:
        """Put what is wrong with the pattern beside the box it is written in."""
        try:
            schedules.parse_weekly(self.instance.weekly)
            if cleaned["kind"] == WorkSchedule.Kind.CYCLE:
                if not cleaned["cycle_start"]:
                    self.add_error("cycle_start", _("A cycle needs a start date."))
                else:
                    schedules.parse_cycle(cleaned["cycle_start"], cleaned["cycle_days"])
        except schedules.BadChart as error:
            day = error.place.removeprefix("weekly.")[:3]
            self.add_error(day if day in schedules.WEEKDAYS else "cycle_days", error.message)

    def _post_clean(self) -> None:
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]  # the stubs leave it out


class ScheduleExceptionForm(forms.ModelForm):
    """Days off or other hours; without a last day it is one day."""

    intervals = IntervalsField(
        required=False, label=_("Hours"), help_text=_("For example 10:00-14:00. Leave empty for days off.")
    )

    class Meta:
        model = ScheduleException
        fields = ["manager", "schedule", "first_day", "last_day", "kind", "intervals"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_day"].required = False
        self.fields["last_day"].help_text = _("Inclusive. Leave empty for a single day.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "last_day" not in self.errors and not cleaned.get("last_day"):
            cleaned["last_day"] = cleaned.get("first_day")
        if "manager" in self.fields and bool(cleaned.get("manager")) == bool(cleaned.get("schedule")):
            self.add_error("manager", _("Choose either a manager or a schedule."))
        return cleaned

    def _post_clean(self) -> None:
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]  # the stubs leave it out


class ManagerForm(forms.ModelForm):
    """What a supervisor may change of a manager."""

    skills = SkillsField(
        label=_("Skills"),
        required=False,
        help_text=_(
            "One line per kind, for example “language: es, en”. A lead that needs a "
            "skill goes only to managers who have it."
        ),
    )

    class Meta:
        model = Manager
        fields = ["active", "schedule", "offset", "time_zone", "skills"]
        widgets = {"time_zone": TimeZoneInput}

    def clean_time_zone(self) -> str:
        return clean_time_zone(self)


class ManagerAddForm(ManagerForm):
    """A new manager: the e-mail finds the user, or makes one."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=admin_theme.TextInput,
        help_text=_("Used to sign in. If a user with this e-mail exists, that user becomes a manager."),
        validators=[refuse_unseen_signs],
    )
    name = forms.CharField(
        max_length=200, required=False, widget=admin_theme.TextInput, validators=[refuse_unseen_signs]
    )

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if Manager.objects.filter(user__email=email).exists():
            raise ValidationError(_("A manager with this e-mail already exists."), code="unique")
        return email

    def save(self, commit: bool = True) -> Manager:
        """Give the manager their user; a user who was there before keeps name, password and rights."""
        user = User.objects.filter(email=self.cleaned_data["email"]).first()
        if user is None:
            user = User.objects.create_user(self.cleaned_data["email"], name=self.cleaned_data["name"])
        user.groups.add(Group.objects.get_or_create(name="Managers")[0])
        self.instance.user = user
        return super().save(commit)


class UserAddForm(forms.ModelForm):
    """A new user, who sets their own password by the link they are sent."""

    class Meta:
        model = User
        fields = ["email", "name"]

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError(_("A user with this e-mail already exists."), code="unique")
        return email

    def save(self, commit: bool = True) -> User:
        self.instance.set_unusable_password()
        return super().save(commit)


class UserForm(admin_theme.UserChangeForm):
    class Meta:
        model = User
        fields = [
            "email",
            "name",
            "language",
            "is_active",
            "is_staff",
            "is_superuser",
            "groups",
            "user_permissions",
            "password",
        ]
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        return self.cleaned_data["email"].strip().lower()


class PauseForm(forms.ModelForm):
    """A new pause; it starts now."""

    minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=366 * 24 * 60,
        widget=admin_theme.TextInput,
        help_text=_("Leave empty to pause until resumed."),
    )

    class Meta:
        model = Pause
        fields = ["manager", "reason"]


def clean_time_zone(form: forms.ModelForm) -> str:
    """Return the zone; an abbreviation is only kept where it was before. Raises ValidationError."""
    zone = form.cleaned_data["time_zone"]
    if "time_zone" in form.changed_data and schedules.is_abbreviation(zone):
        raise ValidationError(
            _("“%(zone)s” does not name a place. Choose a city, for example America/New_York."), params={"zone": zone}
        )
    return zone


def clean_country(text: str) -> str:
    """Return the code of a country in upper case. Raises ValidationError."""
    country = text.strip().upper()
    if country and not re.fullmatch("[A-Z]{2}", country):
        raise ValidationError(_("Write the country as two letters, for example ES."))
    return country


# Forms of our own pages


class SignInForm(AuthenticationForm):
    """E-mail and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"type": "email", "autocomplete": "email"}


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false", "autocapitalize": "off"}
        ),
    )


class PasswordForm(forms.Form):
    """The password of who is signed in."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4_096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class PasskeyForm(forms.Form):
    """A new passkey: its name, and what the browser says of it."""

    name = forms.CharField(
        label=_("Passkey name"),
        max_length=64,
        help_text=_("A name to recognize it by, for example “Laptop” or “Blue key”."),
        validators=[refuse_unseen_signs],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    passkey = forms.CharField(max_length=65_536, widget=forms.HiddenInput, required=False)

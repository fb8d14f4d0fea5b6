"""People and their time: the account, users, managers, work schedules, exceptions and pauses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .history.configuration_tables import Recorded, Versioned, configuration_table
from .people.names import LoginField, NameField, refuse_unseen_signs
from .time import holidays, schedules

code_validator = RegexValidator(
    r"\A[a-z0-9][a-z0-9._-]{0,62}\Z",
    _("Use 1 to 63 characters: a-z, 0-9, dot, dash and underscore. Begin with a letter or digit."),
)


def validate_zone(name: str) -> None:
    """Refuse what is not an IANA time zone."""
    try:
        schedules.zone(name)
    except schedules.BadZone as error:
        raise ValidationError(str(error)) from None


def validate_skills(skills: object) -> None:
    """Refuse what is not {"language": ["es", "en"], ...}."""
    if not isinstance(skills, dict) or not all(
        isinstance(values, list) and all(isinstance(v, str) and v for v in values) for values in skills.values()
    ):
        raise ValidationError(_('Write skills as {"language": ["es", "en"], "region": ["ES"]}.'))
    for skill, values in skills.items():
        for text in (skill, *values):
            refuse_unseen_signs(text)


def default_pause_reasons() -> list[str]:
    return ["Lunch", "Break", "Meeting", "Training"]


class Account(models.Model):
    """The one installation."""

    CHANNELS: ClassVar[tuple[str, ...]] = ("site", "phone", "mail", "api", "chat")

    name = NameField(max_length=200, default="Leadrouter")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_zone])
    country = models.CharField(
        _("default country"),
        max_length=2,
        blank=True,
        help_text=_("Used for phone numbers without a country code. Two letters, for example ES."),
    )
    unqualified = models.BooleanField(_("Unqualified section"), default=True)
    online_minutes = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1)], help_text=_("A manager seen within this many minutes is online.")
    )
    repeat_hours = models.PositiveSmallIntegerField(
        default=24,
        db_default=24,
        validators=[MaxValueValidator(8_760)],
        help_text=_(
            "Sources that take what known persons send as activities do so this many hours after the last. 0: never."
        ),
    )
    pause_reasons = ArrayField(
        NameField(max_length=200),
        default=default_pause_reasons,
        blank=True,
        size=50,
        help_text=_("Suggested to managers who pause. They can also write their own."),
    )
    second_factor = models.BooleanField(
        _("second factor for staff"),
        default=False,
        db_default=False,
        help_text=_("Everybody who can use the admin must first set up a passkey or an authenticator app."),
    )
    channel_site = models.BooleanField(_("channel site"), default=True)
    channel_phone = models.BooleanField(_("channel phone"), default=True)
    channel_mail = models.BooleanField(_("channel mail"), default=True)
    channel_api = models.BooleanField(_("channel API"), default=True)
    channel_chat = models.BooleanField(_("channel chat"), default=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = pgettext_lazy("plural", "accounts")
        constraints = [
            *configuration_table(),
            # There is one account: the row with number 1.
            models.CheckConstraint(condition=Q(pk=1), name="account_only_one"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def get(cls) -> Account:
        """Return the account; create it with its defaults when it is first asked for."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def channels(self) -> dict[str, bool]:
        return {channel: getattr(self, f"channel_{channel}") for channel in self.CHANNELS}


class ConfigurationVersion(models.Model):
    """A number that grows with every change of a `Versioned` table; database triggers write it.

    Processes keep the configuration in memory under this number, and read it again when the number is another.
    """

    version = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="configurationversion_only_one")]

    def __str__(self) -> str:
        return str(self.version)


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email=(email or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in; the e-mail, in lower case, is the login."""

    email = LoginField(
        _("e-mail"), unique=True, error_messages={"unique": _("A user with this e-mail already exists.")}
    )
    name = NameField(max_length=200, blank=True)
    language = models.CharField(max_length=8, blank=True)
    is_active = models.BooleanField(_("can sign in"), default=True)
    is_staff = models.BooleanField(_("can use the admin"), default=False)
    date_joined = models.DateTimeField(auto_now_add=True)
    sessions_ended = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Number of times all sessions were ended. Each session stores the number it began with."),
    )

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = pgettext_lazy("plural", "users")
        constraints = [
            Versioned(columns=("email", "name")),
            # Only what is configuration; never a password.
            Recorded(
                columns=("email", "name", "is_active", "is_staff", "is_superuser"),
                omitted=("password", "last_login", "language", "date_joined", "sessions_ended"),
            ),
            models.CheckConstraint(condition=Q(email=Lower(F("email"))), name="user_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    def get_session_auth_hash(self) -> str:
        """Return what a session is valid for: a new password, or a higher `sessions_ended`, ends it."""
        return self._session_hash(None)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)

    def _session_hash(self, secret: str | None) -> str:
        value = f"{self.password}:{self.sessions_ended}"
        return salted_hmac("accounts.User.session", value, secret=secret, algorithm="sha256").hexdigest()


class WorkSchedule(models.Model):
    """A titled chart of working hours: weekly, or a cycle such as 2/2."""

    class Kind(models.TextChoices):
        WEEKLY = "weekly", _("weekly")
        CYCLE = "cycle", _("cycle")

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    title = NameField(max_length=200)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WEEKLY)
    weekly = models.JSONField(
        blank=True,
        default=dict,
        help_text=_(
            '{"mon": ["09:00-13:00", "14:00-18:00"], "tue": ["09:00-18:00"]}. A day that is not listed is off.'
        ),
    )
    cycle_start = models.DateField(null=True, blank=True)
    cycle_days = models.JSONField(
        blank=True, default=list, help_text=_('2/2: [["09:00-21:00"], ["09:00-21:00"], [], []].')
    )
    holiday_country = models.CharField(
        max_length=2, blank=True, help_text=_("Managers are off on this country's public holidays.")
    )
    holiday_subdivision = models.CharField(
        max_length=64, blank=True, help_text=_("A part of the country, by its name or code: Madrid or MD.")
    )

    class Meta:
        verbose_name = _("work schedule")
        verbose_name_plural = pgettext_lazy("plural", "work schedules")
        ordering = ["code"]
        constraints = [
            *configuration_table(),
            models.CheckConstraint(
                condition=Q(kind="weekly") | Q(kind="cycle", cycle_start__isnull=False),
                name="workschedule_cycle_has_a_start",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def chart(self) -> schedules.Chart:
        """Return the chart as a value. Raises schedules.BadChart."""
        if self.kind == self.Kind.WEEKLY:
            return schedules.parse_weekly(self.weekly)
        if self.cycle_start is None:
            raise schedules.BadChart("cycle.start", "a cycle needs the date on which it starts")
        return schedules.parse_cycle(self.cycle_start, self.cycle_days)

    def clean(self) -> None:
        try:
            self.chart  # noqa: B018  the parse is the check
        except schedules.BadChart as error:
            field = {"weekly": "weekly", "cycle.start": "cycle_start"}.get(
                error.place.split("[")[0].split(".")[0], "cycle_days"
            )
            raise ValidationError({"cycle_start" if error.place == "cycle.start" else field: str(error)}) from None
        if self.holiday_country or self.holiday_subdivision:
            place = "holiday_country"
            try:
                holidays.check_country(self.holiday_country)
                place = "holiday_subdivision"
                self.holiday_subdivision = holidays.subdivision_code(self.holiday_country, self.holiday_subdivision)
            except holidays.BadHoliday as error:
                raise ValidationError({place: str(error)}) from None


class ManagerQuerySet(models.QuerySet["Manager"]):
    def active(self) -> ManagerQuerySet:
        return self.filter(active=True)


class Manager(models.Model):
    """A user who receives leads."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="manager")
    active = models.BooleanField(default=True, help_text=_("Receives leads."))
    schedule = models.ForeignKey(
        WorkSchedule,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="managers",
        help_text=_("Without a schedule, the manager is always on duty."),
    )
    offset = models.SmallIntegerField(
        default=0, help_text=_("Number of days by which this manager starts the cycle later.")
    )
    time_zone = models.CharField(
        max_length=64, blank=True, validators=[validate_zone], help_text=_("Leave empty to use the account's.")
    )
    skills = models.JSONField(
        blank=True,
        default=dict,
        validators=[validate_skills],
        help_text=_('{"language": ["es", "en"], "region": ["ES"]}'),
    )
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    calendar_number = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("Part of their calendar address. A new number makes the old address stop working."),
    )

    objects = ManagerQuerySet.as_manager()

    class Meta:
        verbose_name = _("manager")
        verbose_name_plural = pgettext_lazy("plural", "managers")
        ordering = ["user__email"]
        constraints = [
            # Being seen is no change.
            *configuration_table(
                columns=("user", "active", "schedule", "offset", "time_zone", "skills"), omitted=("last_seen_at",)
            ),
        ]

    def __str__(self) -> str:
        return str(self.user)


class ScheduleException(models.Model):
    """Days on which a manager, or everybody with a schedule, works otherwise. Both days are included."""

    class Kind(models.TextChoices):
        OFF = "off", _("off")
        EXTRA = "extra", _("extra hours")
        HOURS = "hours", _("changed hours")

    manager = models.ForeignKey(Manager, on_delete=models.CASCADE, null=True, blank=True, related_name="exceptions")
    schedule = models.ForeignKey(
        WorkSchedule, on_delete=models.CASCADE, null=True, blank=True, related_name="exceptions"
    )
    first_day = models.DateField()
    last_day = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.OFF)
    intervals = models.JSONField(blank=True, default=list, help_text=_('["10:00-14:00"]'))

    class Meta:
        verbose_name = _("schedule exception")
        verbose_name_plural = pgettext_lazy("plural", "schedule exceptions")
        ordering = ["first_day", "last_day", "kind"]
        constraints = [
            *configuration_table(owners=("manager", "schedule")),
            models.CheckConstraint(condition=Q(manager=None) ^ Q(schedule=None), name="scheduleexception_of_one"),
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="scheduleexception_days_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first_day} – {self.last_day}: {self.get_kind_display()}"

    @property
    def value(self) -> schedules.DayException:
        """Return it as a value. Raises schedules.BadInterval."""
        return schedules.DayException(
            first=self.first_day,
            last=self.last_day,
            off=self.kind != self.Kind.EXTRA,
            extra=tuple(schedules.parse_interval(text) for text in self.intervals),
        )

    def clean(self) -> None:
        if self.last_day and self.first_day and self.last_day < self.first_day:
            raise ValidationError({"last_day": _("The last day is before the first.")})
        if (self.kind == self.Kind.OFF) == bool(self.intervals):
            raise ValidationError(
                {"intervals": _("Days off have no intervals. Extra hours and changed hours need at least one.")}
            )
        try:
            self.value  # noqa: B018  the parse is the check
        except (schedules.BadInterval, TypeError) as error:
            raise ValidationError({"intervals": str(error)}) from None


class PauseQuerySet(models.QuerySet["Pause"]):
    def running(self, *, at: datetime) -> PauseQuerySet:
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at), ended_at=None, started_at__lte=at)


class Pause(models.Model):
    """A time for which a manager is out of distribution: until `ends_at`, or until resumed."""

    manager = models.ForeignKey(Manager, on_delete=models.CASCADE, related_name="pauses")
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text=_("Leave empty to pause until resumed."))
    ended_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the manager resumed, or another pause replaced this one."),
    )
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False)

    objects = PauseQuerySet.as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = pgettext_lazy("plural", "pauses")
        ordering = ["-started_at"]
        constraints = [
            # A manager is on one pause at a time; what was before stays as history.
            models.UniqueConstraint(fields=["manager"], condition=Q(ended_at=None), name="pause_one_open_per_manager"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("started_at")), name="pause_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.manager} {self.started_at:%Y-%m-%d %H:%M}"


class OnlineTimeQuerySet(models.QuerySet["OnlineTime"]):
    def at(self, at: datetime, *, minutes: int) -> OnlineTimeQuerySet:
        """Return those that cover the instant. minutes: how long somebody who was seen counts as online."""
        return self.filter(began_at__lte=at, seen_at__gte=at - timedelta(minutes=minutes))


class OnlineTime(models.Model):
    """When a manager was online: first seen, and last seen before being away for longer than the account's minutes.

    A trigger of the database writes it (migration 0010). What was decided is judged by it long after.
    """

    manager = models.ForeignKey(Manager, on_delete=models.CASCADE, related_name="online_times", db_index=False)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = OnlineTimeQuerySet.as_manager()

    class Meta:
        verbose_name = _("online time")
        verbose_name_plural = pgettext_lazy("plural", "online times")
        ordering = ["-began_at"]
        constraints = [
            models.UniqueConstraint(fields=["manager", "began_at"], name="onlinetime_begins_once"),
            models.CheckConstraint(condition=Q(seen_at__gte=F("began_at")), name="onlinetime_ends_after_it_begins"),
        ]

    def __str__(self) -> str:
        return f"{self.manager} {self.began_at:%Y-%m-%d %H:%M}"


class ConfigurationChangeQuerySet(models.QuerySet["ConfigurationChange"]):
    def of(self, model: str, row_id: int) -> ConfigurationChangeQuerySet:
        """Return the changes of an object, and of what belongs to it."""
        return self.filter(Q(model=model, row_id=row_id) | Q(owner_model=model, owner_id=row_id))


class ConfigurationChange(models.Model):
    """A row of a `Recorded` table that was added, changed or removed. Triggers of the database write it."""

    class Action(models.TextChoices):
        ADDED = "added", pgettext_lazy("change of configuration", "added")
        CHANGED = "changed", pgettext_lazy("change of configuration", "changed")
        REMOVED = "removed", pgettext_lazy("change of configuration", "removed")

    at = models.DateTimeField(db_index=True)
    # No constraint: what a user did stays, whatever becomes of the user.
    by = models.ForeignKey(User, on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    way = models.CharField(max_length=200, help_text=_("Empty for the admin, or for SQL by hand"))
    model = models.CharField(max_length=100, help_text=_("For example routing.trigger"))
    row_id = models.BigIntegerField()
    name = models.CharField(max_length=200, help_text=_("Name of the object at that time"))
    owner_model = models.CharField(
        max_length=100, help_text=_("Object whose history page lists this change. Empty: its own page")
    )
    owner_id = models.BigIntegerField(null=True)
    action = models.CharField(max_length=8, choices=Action.choices)
    before = models.JSONField()
    after = models.JSONField()
    # Of tables that are `Versioned`, it is exact: who writes holds the row of the version until the commit.
    version = models.BigIntegerField(
        null=True, help_text=_("The configuration version that the change made. Empty if not known")
    )

    objects = ConfigurationChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("configuration change")
        verbose_name_plural = _("configuration changes")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["model", "row_id"], name="configurationchange_of_row"),
            models.Index(fields=["owner_model", "owner_id"], name="configurationchange_of_owner"),
            # What was changed since a version.
            models.Index(fields=["version"], name="configurationchange_by_version"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.row_id}: {self.get_action_display()}"

    @property
    def kind(self) -> str:
        return kind_of(self.model)


def kind_of(label: str) -> str:
    """Return what people call a model: "Member" for routing.member. A table that joins two is called by its field."""
    try:
        options = apps.get_model(label)._meta
    except (LookupError, ValueError):  # of a version of the program that is gone
        return label
    joins = options.auto_created._meta.many_to_many if options.auto_created else ()
    field = next((field for field in joins if field.remote_field.through is options.model), None)
    return capfirst(str((field or options).verbose_name))


class AuditEntry(models.Model):
    """Something done with people's data or rights: who, what, when. Rows are only added (a trigger of the database)."""

    class Action(models.TextChoices):
        RIGHTS = "rights", _("permissions changed")
        PASSWORD = "password", _("password set")
        KEY = "key", _("API key created or changed")
        SECOND_FACTOR = "second_factor", _("second factor turned on or off")
        SESSIONS_ENDED = "sessions_ended", _("signed out everywhere")
        EXPORTED = "exported", _("data exported")
        ERASED = "erased", _("person erased")
        CONFIGURED = "configured", _("configuration imported")
        PRUNED = "pruned", _("old rows removed")
        BACKED_UP = "backed_up", _("backup made")

    at = models.DateTimeField(db_index=True)
    action = models.CharField(max_length=20, choices=Action.choices)
    # No constraint: what a user did stays, whatever becomes of the user.
    by = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    about = models.CharField(max_length=100, blank=True, help_text=_("Table and id, for example accounts_user:5"))
    facts = models.JSONField(default=dict, help_text=_("Ids and counts; no names, e-mails or phones"))
    origin = models.CharField(max_length=63, blank=True, help_text=_("Program name that the database reports"))

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.at:%Y-%m-%d %H:%M}"


class Letter(models.Model):
    """A letter to be sent: written in the transaction of what it tells, deleted when it is sent."""

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    due_at = models.DateTimeField(db_index=True, help_text=_("Time of the next attempt."))
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = pgettext_lazy("plural", "letters")
        ordering = ["due_at", "id"]

    def __str__(self) -> str:
        return f"{self.subject} {self.due_at:%Y-%m-%d %H:%M}"

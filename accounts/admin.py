"""The admin's pages of people and their time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.admin_theme import (
    AdminPasswordChangeForm,
    AutocompleteFilter,
    ReadOnlyAdmin,
    TabularInline,
    UncountedPaginator,
    action,
    display,
)

from .forms import (
    AccountForm,
    ManagerAddForm,
    ManagerForm,
    ScheduleExceptionForm,
    UserAddForm,
    UserForm,
    WorkScheduleForm,
)
from .history.changes import columns_of, describe_changes, things_of
from .history.configuration_tables import models_with_history
from .history.conflict_aware_admin import ConflictAwareAdmin
from .models import (
    Account,
    AuditEntry,
    ConfigurationChange,
    ConfigurationVersion,
    Letter,
    Manager,
    Pause,
    ScheduleException,
    User,
    WorkSchedule,
    kind_of,
)
from .people.invitations import invitation_path
from .people.names import refuse_unseen_signs
from .people.roles import may_edit_roles, may_edit_user
from .security import second_factor
from .security.presence import ask_for_proof
from .security.presence_admin import PresentAdmin, present_action
from .services import note_new_email, note_new_password, resume_manager
from .time import clock
from .time.calendars import Plan
from .time.schedule_admin import (
    Copied,
    MovedWorkingDays,
    SixWeeks,
    copy_of,
    plans_of_manager,
    plans_of_schedule,
    presets,
    today,
)
from .time.schedules import DayException


def invite(request: HttpRequest, user: User) -> None:
    """Show the link by which the user sets a password; nobody gets one for a user they may not change."""
    if user.has_usable_password() or not may_edit_user(request.user, user):
        return
    link = request.build_absolute_uri(invitation_path(user))
    messages.success(
        request,
        format_html(
            _now("Send this link to {}. It sets a password and works once: {}"),
            user,
            format_html('<a href="{0}">{0}</a>', link),
        ),
    )


# Users and groups

admin.site.unregister(Group)
for device in (TOTPDevice, StaticDevice):  # their pages show secrets
    admin.site.unregister(device)


@admin.register(Group)
class GroupAdmin(PresentAdmin, DjangoGroupAdmin):
    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "name":
            kwargs["validators"] = [refuse_unseen_signs]
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(User)
class UserAdmin(PresentAdmin, ConflictAwareAdmin, DjangoUserAdmin):
    form = UserForm
    add_form = UserAddForm
    add_form_template = None
    change_password_form = AdminPasswordChangeForm
    add_fieldsets = ((None, {"fields": ("email", "name")}),)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("email__startswith", "name__istartswith")
    search_help_text = _("Search by the beginning of the e-mail or name")
    ordering = ("email",)
    filter_horizontal = ()
    autocomplete_fields = ()
    actions = ("invitation_links", "sign_out_everywhere", "forget_second_factor")
    way_out = pgettext_lazy("verb", "Deactivate")
    way_out_words = _("Untick “may sign in” instead: their sessions and keys end at once, and their history stays.")

    def get_fieldsets(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        """Show only what this person may set: what is not on the form is not read from the request."""
        if obj is None:
            return self.add_fieldsets
        person = ["email", "name", "language", "is_active"]
        fieldsets: list[Any] = [
            (None, {"fields": [*person, "password"] if self.has_change_permission(request, obj) else person})
        ]
        if may_edit_roles(request.user):
            rights = ["is_staff", "groups"]
            if request.user.is_superuser:
                rights += ["is_superuser", "user_permissions"]
            fieldsets.append((_("Permissions"), {"fields": rights}))
        return fieldsets

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and (
            not isinstance(obj, User) or may_edit_user(request.user, obj)
        )

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            not isinstance(obj, User) or may_edit_user(request.user, obj)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        # E-mails are stored in lower case, so that their index serves.
        return super().get_search_results(request, queryset, search_term.lower())

    def response_add(
        self, request: HttpRequest, obj: models.Model, post_url_continue: str | None = None
    ) -> HttpResponse:
        if isinstance(obj, User):
            invite(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = User.objects.get(pk=obj.pk).email if change else obj.email
        super().save_model(request, obj, form, change)
        if before != obj.email:
            note_new_email(obj, before, at=clock.now(), by=cast(User, request.user))

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if page := ask_for_proof(request):
            return page
        answer = super().user_change_password(request, id, form_url)
        user = self.get_object(request, unquote(id)) if answer.status_code == 302 else None
        if isinstance(user, User):
            note_new_password(user, at=clock.now(), by=cast(User, request.user))
        return answer

    @action(description=_("Show invitation links"), permissions=["change"])
    @present_action
    def invitation_links(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset[:50]:
            if user.has_usable_password():
                messages.info(request, _now("%(user)s already has a password.") % {"user": user})
            else:
                invite(request, user)

    @action(description=_("Sign out everywhere"), permissions=["change"])
    @present_action
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        at = clock.now()
        for user in self._mine(request, queryset):
            second_factor.end_sessions(user, at=at, by=cast(User, request.user))

    @action(description=_("Turn off the second factor (lost phone)"), permissions=["change"])
    @present_action
    def forget_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        at = clock.now()
        for user in self._mine(request, queryset):
            second_factor.turn_off(user, at=at, by=cast(User, request.user))

    def _mine(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        """Return those of the users whom the actor may change, and a message about how many they are."""
        mine = [user for user in queryset if self.has_change_permission(request, user)]
        messages.success(request, ngettext("%(count)d user.", "%(count)d users.", len(mine)) % {"count": len(mine)})
        return mine


# The audit trail


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "by", "about", "origin")
    list_filter = ("action", ("at", admin.DateFieldListFilter))
    list_select_related = ("by",)
    search_fields = ("about__startswith", "by__email__startswith")
    ordering = ("-at", "-pk")


# The account


@admin.register(Account)
class AccountAdmin(ConflictAwareAdmin):
    form = AccountForm
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "time_zone",
                    "country",
                    "unqualified",
                    "online_minutes",
                    "repeat_hours",
                    "pause_reasons",
                )
            },
        ),
        (_("Security"), {"fields": ("second_factor",)}),
        (
            _("Active channels"),
            {"fields": ("channel_site", "channel_phone", "channel_mail", "channel_api", "channel_chat")},
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Ask for proof of presence before staff may sign in without a second factor."""
        turns_off = request.method == "POST" and "second_factor" not in request.POST and Account.get().second_factor
        return (turns_off and ask_for_proof(request)) or super().changeform_view(request, object_id, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one account: its list is its page."""
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        address = reverse("admin:accounts_account_change", args=[Account.get().pk])
        return HttpResponseRedirect(f"{address}?{request.GET.urlencode()}" if request.GET else address)


@admin.register(ConfigurationVersion)
class ConfigurationVersionAdmin(ReadOnlyAdmin):
    list_display = ("version",)


class KindFilter(admin.SimpleListFilter):
    """Names models as people do; asks for none, since it is known which are recorded."""

    title = pgettext_lazy("field", "model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((label, kind_of(label)) for label in models_with_history()), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(model=self.value()) if self.value() else queryset


@admin.register(ConfigurationChange)
class ConfigurationChangeAdmin(ReadOnlyAdmin):
    """The history of the configuration: for all who may look at it."""

    list_display = ("at", "by", "way", "thing", "action", "what")
    list_filter = (KindFilter, "action", ("by", AutocompleteFilter), ("at", admin.DateFieldListFilter))
    list_select_related = ("by",)
    search_fields = ("name__istartswith",)
    paginator = UncountedPaginator
    ordering = ("-at", "-pk")
    fields = ("at", "by", "way", "thing", "action")
    change_form_template = "accounts/change_page.html"

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return request.user.has_perm("accounts.view_workschedule")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        change = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if isinstance(change, ConfigurationChange):
            [one] = context["changes"] = describe_changes([change])
            context["title"] = f"{one.kind} {one.thing}: {change.get_action_display()}"
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Name all objects of the page at once, so that columns need no queries."""
        changes = super().get_changelist_instance(request)
        things = things_of(changes.result_list)
        for change in changes.result_list:
            change.called = things[change.pk]
        return changes

    @display(description=_("object"))
    def thing(self, change: Any) -> str:
        return f"{change.kind} {getattr(change, 'called', '') or things_of([change])[change.pk]}"

    @display(description=_("changes"))
    def what(self, change: ConfigurationChange) -> str:
        return ", ".join(columns_of(change))


# Working hours


class ExceptionInline(TabularInline):
    model = ScheduleException
    form = ScheduleExceptionForm
    fields = ("first_day", "last_day", "kind", "intervals")
    extra = 0
    show_title = False
    verbose_name_plural = _("exceptions: days off and changed hours")


@admin.register(WorkSchedule)
class WorkScheduleAdmin(SixWeeks, Copied, MovedWorkingDays, ConflictAwareAdmin):
    form = WorkScheduleForm
    change_form_template = "accounts/schedule_page.html"
    list_display = ("title", "code", "kind", "managers_counted", "holiday_country")
    list_filter = ("kind",)
    search_fields = ("code__startswith", "title__istartswith")
    fieldsets = (
        (None, {"fields": ("title", "code", "kind")}),
        (
            _("Week"),
            {
                "fields": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
                "description": _("Leave empty for a day off."),
            },
        ),
        (_("Cycle"), {"fields": ("cycle_start", "cycle_days")}),
        (_("Public holidays"), {"fields": ("holiday_country", "holiday_subdivision")}),
    )
    inlines = (ExceptionInline,)
    actions = ("copy_selected",)
    way_out = _("Show who uses it")
    way_out_words = _("First give its managers and members another schedule.")

    def way_out_of(self, obj: Any) -> str:
        return f"{reverse('admin:accounts_manager_changelist')}?schedule__id__exact={obj.pk}"

    def plans(self, obj: WorkSchedule, exceptions: Sequence[DayException]) -> list[tuple[str, str, Plan]]:
        return plans_of_schedule(obj, exceptions)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return super().render_change_form(request, context | {"presets": presets(today())}, *args, **kwargs)

    @action(description=_("Copy"), permissions=["add"])
    def copy_selected(self, request: HttpRequest, queryset: QuerySet[WorkSchedule]) -> None:
        copies = [copy_of(schedule) for schedule in WorkSchedule.objects.filter(pk__in=queryset.values("pk"))]
        for copy in copies:
            self.log_addition(request, copy, [{"added": {}}])
        messages.success(
            request,
            ngettext("%(count)d schedule copied.", "%(count)d schedules copied.", len(copies)) % {"count": len(copies)},
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkSchedule]:
        return super().get_queryset(request).annotate(managers_counted=models.Count("managers"))

    @display(description=_("managers"), ordering="managers_counted")
    def managers_counted(self, schedule: Any) -> int:
        return schedule.managers_counted


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(ConflictAwareAdmin):
    form = ScheduleExceptionForm
    list_display = ("whose", "first_day", "last_day", "kind", "hours")
    list_filter = ("kind", ("first_day", admin.DateFieldListFilter))
    list_select_related = ("manager__user", "schedule")
    search_fields = ("manager__user__email__startswith", "schedule__code__startswith")
    autocomplete_fields = ("manager", "schedule")
    ordering = ("-first_day",)

    @display(description=_("of"))
    def whose(self, exception: ScheduleException) -> str:
        return str(exception.manager or exception.schedule)

    @display(description=_("hours"))
    def hours(self, exception: ScheduleException) -> str:
        return ", ".join(map(str, exception.intervals))


# Managers


@admin.register(Manager)
class ManagerAdmin(SixWeeks, ConflictAwareAdmin):
    form = ManagerForm
    change_form_template = "accounts/manager_page.html"
    list_display: tuple[Any, ...] = ("name", "email", "active", "schedule", "is_paused", "last_seen_at")
    list_filter: tuple[Any, ...] = ("active", "schedule")
    list_select_related = ("user", "schedule")
    search_fields = ("user__email__startswith", "user__name__istartswith")
    search_help_text = _("Search by the beginning of the e-mail or name")
    autocomplete_fields = ("schedule",)
    actions = ("invitation_links", "resume")
    inlines = (ExceptionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Manager]:
        pauses = Pause.objects.running(at=Now()).filter(manager=OuterRef("pk"))  # type: ignore[arg-type]
        return super().get_queryset(request).annotate(paused_now=Exists(pauses))

    def get_fieldsets(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        who = ("user", "last_seen_at") if obj else ("email", "name")
        return (
            (None, {"fields": (*who, "active")}),
            (_("Working hours"), {"fields": ("schedule", "offset", "time_zone")}),
            (_("Skills"), {"fields": ("skills",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        return ("user", "last_seen_at") if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = ManagerAddForm
        return super().get_form(request, obj, change, **kwargs)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Ask for proof of presence: the next page shows a link that opens an account."""
        adds = object_id is None and self.has_add_permission(request)
        return (adds and ask_for_proof(request)) or super().changeform_view(request, object_id, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: models.Model, post_url_continue: str | None = None
    ) -> HttpResponse:
        if isinstance(obj, Manager):
            invite(request, obj.user)
        return super().response_add(request, obj, post_url_continue)

    def plans(self, obj: Manager, exceptions: Sequence[DayException]) -> list[tuple[str, str, Plan]]:
        return plans_of_manager(obj, exceptions)

    @display(description=_("name"), ordering="user__name")
    def name(self, manager: Manager) -> str:
        return manager.user.name

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, manager: Manager) -> str:
        return manager.user.email

    @display(description=_("paused"), boolean=True)
    def is_paused(self, manager: Any) -> bool:
        return manager.paused_now

    @action(description=_("Show invitation links"), permissions=["change"])
    @present_action
    def invitation_links(self, request: HttpRequest, queryset: QuerySet[Manager]) -> None:
        for manager in queryset.select_related("user")[:50]:
            if manager.user.has_usable_password():
                messages.info(request, _now("%(user)s already has a password.") % {"user": manager.user})
            else:
                invite(request, manager.user)

    @action(description=_("Resume (end the pause)"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Manager]) -> None:
        at = clock.now()
        resumed = sum(resume_manager(manager, at=at) for manager in queryset)
        messages.success(
            request, ngettext("%(count)d manager resumed.", "%(count)d managers resumed.", resumed) % {"count": resumed}
        )


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    list_display = fields = ("due_at", "to", "subject", "tries")

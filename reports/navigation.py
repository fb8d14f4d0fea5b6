"""The admin's navigation: by what people come to do, not by table. Each sees what they may open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.people.roles import may_edit_roles


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: its name, the address it has, and what one needs to open it. No permission: whoever uses the admin."""

    title: Any
    icon: str
    address: str  # name of the URL
    permission: str = ""
    technical: bool = False  # of the works inside: for administrators alone
    unqualified: bool = False  # where there is an Unqualified section


def of_model(title: Any, icon: str, app: str, model: str, *, technical: bool = False) -> Entry:
    return Entry(title, icon, f"admin:{app}_{model}_changelist", f"{app}.view_{model}", technical)


# Groups without a title stand at the top.
NAVIGATION: list[tuple[Any, list[Entry]]] = [
    (
        "",
        [
            Entry(pgettext_lazy("navigation", "Today"), "today", "admin:index"),
            Entry(_("Board"), "monitoring", "board", "routing.view_lead"),
        ],
    ),
    (
        pgettext_lazy("navigation", "Leads"),
        [
            of_model(_("All leads"), "contact_mail", "routing", "lead"),
            Entry(
                _("Unqualified"),
                "inbox",
                "admin:routing_unqualifiedlead_changelist",
                "routing.view_unqualified",
                unqualified=True,
            ),
            of_model(_("Contacts"), "person", "routing", "contact"),
            of_model(_("Possible duplicates"), "group", "routing", "possibleduplicate"),
            of_model(_("Companies"), "apartment", "routing", "company"),
            of_model(_("Tasks"), "task_alt", "routing", "task"),
            of_model(_("Imports"), "upload_file", "routing", "leadimport"),
            of_model(_("Exports"), "download", "routing", "leadexport"),
        ],
    ),
    (
        pgettext_lazy("navigation", "Distribution"),
        [
            of_model(_("Triggers"), "bolt", "routing", "trigger"),
            of_model(_("Registries"), "balance", "routing", "registry"),
            of_model(_("Pipelines and stages"), "view_kanban", "routing", "pipeline"),
            of_model(_("Decisions"), "gavel", "routing", "decision"),
            of_model(_("Offers"), "timer", "routing", "offer"),
            of_model(_("Adjustments"), "exposure", "routing", "adjustment"),
            of_model(_("Hand-overs"), "move_group", "routing", "handover"),
        ],
    ),
    (
        pgettext_lazy("navigation", "People"),
        [
            of_model(_("Managers"), "group", "accounts", "manager"),
            Entry(_("Team calendar"), "calendar_view_week", "admin:team-calendar", "accounts.view_manager"),
            of_model(_("Work schedules"), "calendar_month", "accounts", "workschedule"),
            of_model(_("Schedule exceptions"), "event_busy", "accounts", "scheduleexception"),
            of_model(_("Pauses"), "pause_circle", "accounts", "pause"),
        ],
    ),
    (
        pgettext_lazy("navigation", "Sources and keys"),
        [
            of_model(_("Sources"), "input", "routing", "source"),
            of_model(_("What identifies nobody"), "person_off", "routing", "placeholder"),
            of_model(_("API keys"), "key", "routing", "apikey"),
            of_model(_("Intake journal"), "report", "routing", "refusedintake"),
            Entry(_("API documentation"), "api", "api-docs"),
        ],
    ),
    (pgettext_lazy("navigation", "Reports"), [Entry(_("Reports"), "bar_chart", "reports", "routing.view_lead")]),
    (
        pgettext_lazy("navigation", "Settings"),
        [
            of_model(_("Account"), "settings", "accounts", "account"),
            Entry(_("Configuration file"), "description", "admin:configuration", "routing.change_trigger"),
            Entry(
                _("Change history"),
                "history",
                "admin:accounts_configurationchange_changelist",
                "accounts.view_workschedule",
            ),
            of_model(_("Users"), "manage_accounts", "accounts", "user"),
            of_model(_("Audit trail"), "policy", "accounts", "auditentry", technical=True),
            of_model(_("Groups and permissions"), "shield_person", "auth", "group", technical=True),
            of_model(_("Jobs"), "schedule", "django_celery_beat", "periodictask", technical=True),
            of_model(_("Heartbeats"), "ecg_heart", "routing", "heartbeat", technical=True),
            of_model(_("Ledgers"), "book", "routing", "ledger", technical=True),
            of_model(_("Line-ups"), "groups", "routing", "lineup", technical=True),
            of_model(_("Loads"), "stacks", "routing", "load", technical=True),
            of_model(_("Import rows"), "table_rows", "routing", "importrow", technical=True),
            of_model(_("Lead events"), "event_note", "routing", "leadevent", technical=True),
            of_model(_("Activities"), "forum", "routing", "activity", technical=True),
            of_model(_("Answered requests"), "receipt_long", "routing", "intakerequest", technical=True),
            of_model(_("Configuration version"), "tag", "accounts", "configurationversion", technical=True),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups in which the user has something to open, as the theme wants them."""
    groups = (
        {"title": title, "separator": bool(title), "items": [_item(entry) for entry in entries if may(request, entry)]}
        for title, entries in NAVIGATION
    )
    shown = [group | {"items": items} for group in groups if (items := [item for item in group["items"] if item])]
    links = [item["link"] for group in shown for item in group["items"]]
    here = max((link for link in links if _leads_to(link, request.path)), key=len, default="")
    for group in shown:
        for item in group["items"]:
            item["active"] = item["link"] == here
    return shown


def _leads_to(link: str, path: str) -> bool:
    """Tell whether the page is the link's or one beneath it; beneath the first page everything would be."""
    return path == link or (link != reverse("admin:index") and path.startswith(link))


def place_of(address: str) -> tuple[Any, Any] | None:
    """Return the group that leads to the address, and what the page is called there."""
    items = ((title, _item(entry)) for title, entries in NAVIGATION for entry in entries)
    return next(((title, item["title"]) for title, item in items if item and item["link"] == address), None)


def may(request: HttpRequest, entry: Entry) -> bool:
    allowed = not entry.permission or request.user.has_perm(entry.permission)
    allowed = allowed and (not entry.technical or may_edit_roles(request.user))
    zones = getattr(request, "zones", None)  # read along with them: whether there is an Unqualified section
    return allowed and (not entry.unqualified or zones is None or zones.unqualified)


def _item(entry: Entry) -> dict[str, Any] | None:
    try:
        return {"title": entry.title, "icon": entry.icon, "link": reverse(entry.address)}
    except NoReverseMatch:  # a page that this installation has not
        return None

"""Writing the difference: a few statements a kind, however many objects; what stays the same is not touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.db.models import Model
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import Manager, ScheduleException, User, WorkSchedule
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger

from . import rows as items_of
from .rows import KINDS, Item, Stored, by_pipeline

BATCH = 200


@dataclass(slots=True)
class Plan:
    """The objects that the file names, as they will be."""

    items: dict[str, dict[str, Item]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    added: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    changed: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    order: dict[str, list[str]] = field(default_factory=dict)  # pipelines, and stages of all of them
    users: dict[str, User] = field(default_factory=dict)  # who are no managers yet, by e-mail


def write_plan(plan: Plan, stored: Stored) -> dict[str, str]:
    """Write what is new and what is changed; return the invitations of new managers: e-mail -> path."""
    _write_account(plan, stored)
    _write_schedules(plan, stored)
    invitations = _write_managers(plan, stored)
    _write_columns(Source, "sources", plan, stored)
    _write_columns(Placeholder, "placeholders", plan, stored, key="")
    _write_columns(Pipeline, "pipelines", plan, stored)
    _write_stages(plan, stored)
    _write_columns(Registry, "registries", plan, stored)
    _write_triggers(plan, stored)
    return invitations


def _rows(kind: str, new: Any, plan: Plan, stored: Stored) -> tuple[list[Any], list[Any]]:
    """Return the rows to add and those to change; the new ones stand in `stored.rows` as well, to be referred to."""
    added = [stored.rows[kind].setdefault(key, new(key)) for key in plan.added[kind]]
    return added, [stored.rows[kind][key] for key in plan.changed[kind]]


def _save(model: type[Model], added: Sequence[Any], changed: Sequence[Any], columns: Collection[str]) -> None:
    model._default_manager.bulk_create(added, batch_size=BATCH)
    if changed:
        model._default_manager.bulk_update(changed, columns, batch_size=BATCH)


def _write_account(plan: Plan, stored: Stored) -> None:
    for key in plan.changed["account"]:
        account = stored.rows["account"][key]
        items_of.fill_account(account, plan.items["account"][key])
        account.save()


def _write_columns(model: type[Model], kind: str, plan: Plan, stored: Stored, *, key: str = "code") -> None:
    """Write rows whose columns have the names of the file. key: the column of what they are known by; "": several."""
    added, changed = _rows(kind, lambda name: model(**{key: name} if key else {}), plan, stored)
    for name in [*plan.added[kind], *plan.changed[kind]]:
        items_of.fill_columns(stored.rows[kind][name], plan.items[kind][name])
    if kind == "pipelines":
        changed = _set_positions(plan.order[kind], stored.rows[kind], changed)
    columns = next(iter(plan.items[kind].values()), {})
    _save(model, added, changed, [*columns, "position"] if kind == "pipelines" else columns)


def _set_positions(order: Iterable[str], rows: dict[str, Any], changed: Sequence[Any]) -> list[Any]:
    """Give the rows ascending positions in this order where they have not, and return all that are changed by now.

    A new row has no place yet; rows whose places are in order keep them.
    """
    keys = [key for key in order if key in rows]
    places = [rows[key].position if rows[key].pk else None for key in keys]
    if all(place is not None for place in places) and [(rows[k].position, rows[k].pk) for k in keys] == sorted(
        (rows[k].position, rows[k].pk) for k in keys
    ):
        return list(changed)
    moved = []
    for position, key in enumerate(keys):
        if rows[key].position != position:
            rows[key].position = position
            moved.append(rows[key])
    already = {id(row) for row in changed}
    return [*changed, *(row for row in moved if row.pk and id(row) not in already)]


# Schedules and people


def _write_schedules(plan: Plan, stored: Stored) -> None:
    added, changed = _rows("schedules", lambda code: WorkSchedule(code=code), plan, stored)
    for code in [*plan.added["schedules"], *plan.changed["schedules"]]:
        items_of.fill_schedule(stored.rows["schedules"][code], plan.items["schedules"][code])
    columns = ["title", "kind", "weekly", "cycle_start", "cycle_days", "holiday_country", "holiday_subdivision"]
    _save(WorkSchedule, added, changed, columns)
    _write_exceptions("schedules", "schedule", plan, stored)


def _write_managers(plan: Plan, stored: Stored) -> dict[str, str]:
    new_users = [User(email=email) for email in plan.added["managers"] if email not in plan.users]
    users = plan.users | {user.email: user for user in new_users}
    added, changed = _rows("managers", lambda email: Manager(user=users[email]), plan, stored)
    for email in [*plan.added["managers"], *plan.changed["managers"]]:
        row = stored.rows["managers"][email]
        items_of.fill_manager(row, plan.items["managers"][email], schedules=stored.rows["schedules"])
    for user in new_users:
        user.set_unusable_password()
    _save(User, new_users, [row.user for row in changed] + list(plan.users.values()), ["name"])
    for row in added:
        row.user = row.user  # now that the new users have their ids
    _save(Manager, added, changed, ["schedule", "offset", "time_zone", "active", "skills"])
    _join_group([row.user for row in added])
    _write_exceptions("managers", "manager", plan, stored)
    return {row.user.email: invitation(row.user) for row in added if not row.user.has_usable_password()}


def _join_group(users: Iterable[User]) -> None:
    """Make them members of the role, where the migration that makes the roles has run."""
    group = Group.objects.filter(name="Managers").first()
    if group:
        through = User.groups.through
        rows = [through(user_id=user.pk, group_id=group.pk) for user in users]
        through._default_manager.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)


def invitation(user: User) -> str:
    """Return the path of the page on which the user sets a first password; it is good for one time."""
    number = urlsafe_base64_encode(force_bytes(user.pk))
    return f"/invitation/{number}/{default_token_generator.make_token(user)}/"


def _write_exceptions(kind: str, of: str, plan: Plan, stored: Stored) -> None:
    """Add the exceptions that are new and remove those that are gone; the others keep their rows."""
    new: list[ScheduleException] = []
    gone: list[int] = []
    for key in [*plan.added[kind], *plan.changed[kind]]:
        row = stored.rows[kind][key]
        wanted = Counter(map(repr, plan.items[kind][key]["exceptions"]))
        for exception in stored.exceptions[kind].get(row.pk, []):
            name = repr(items_of.exception_item(exception))
            if wanted[name]:
                wanted[name] -= 1
            else:
                gone.append(exception.pk)
        for item in plan.items[kind][key]["exceptions"]:
            if wanted[repr(item)]:
                wanted[repr(item)] -= 1
                new.append(items_of.exception_row(item, **{of: row}))
    if gone:
        ScheduleException.objects.filter(pk__in=gone).delete()
    ScheduleException.objects.bulk_create(new, batch_size=BATCH)


# Stages


def _write_stages(plan: Plan, stored: Stored) -> None:
    pipelines, rows = stored.rows["pipelines"], stored.rows["stages"]
    added, changed = _rows("stages", lambda path: Stage(pipeline=pipelines[path.partition("/")[0]]), plan, stored)
    for path in [*plan.added["stages"], *plan.changed["stages"]]:
        rows[path].code = path.partition("/")[2]
        items_of.fill_columns(rows[path], plan.items["stages"][path])
    orders = by_pipeline(dict.fromkeys(plan.order["stages"]))
    moved = [_set_positions(orders.get(code, ()), rows, ()) for code in plan.items["pipelines"]]
    already = {id(row) for row in changed}
    changed = [*changed, *(row for stages in moved for row in stages if id(row) not in already)]
    # A pipeline has one unqualified stage: whichever was it goes first, whichever becomes it comes last.
    for unqualified in (False, True):
        now = [row for row in changed if (row.kind == Stage.Kind.UNQUALIFIED) is unqualified]
        _save(Stage, [], now, ["title", "kind", "position"])
    _save(Stage, added, [], [])


# Triggers


def _write_triggers(plan: Plan, stored: Stored) -> None:
    rows = stored.rows["triggers"]
    added, changed = _rows("triggers", lambda code: Trigger(code=code), plan, stored)
    for code in [*plan.added["triggers"], *plan.changed["triggers"]]:
        items_of.fill_trigger(rows[code], plan.items["triggers"][code], rows=stored.rows)
    columns = [
        "stage", "on", "priority", "method", "registry", "limit", "online_only", "responsible_check",
        "responsible_available", "responsible_count", "also_assign", "acceptance_minutes", "acceptance_clock",
        "max_attempts", "final_step", "on_pause", "if_nobody", "duty", "set_fields",
    ]  # fmt: skip
    _save(Trigger, added, changed, columns)
    for code in [*plan.added["triggers"], *plan.changed["triggers"]]:
        _write_own_registry(rows[code], plan.items["triggers"][code])
        _write_limit_stages(rows[code], plan.items["triggers"][code], stored)
        _write_members(rows[code], plan.items["triggers"][code]["members"], stored)


def _write_own_registry(trigger: Trigger, item: Item) -> None:
    """Set the settings of the registry that a database trigger made with the trigger; its balances stay."""
    if isinstance(item["registry"], str):
        return
    own = Registry.objects.get(trigger=trigger)
    settings = item["registry"] or items_of.registry_settings(Registry())
    if items_of.registry_settings(own) != settings:
        items_of.fill_columns(own, settings)
        own.save(update_fields=list(settings))


def _write_limit_stages(trigger: Trigger, item: Item, stored: Stored) -> None:
    through = Trigger.limit_stages.through._default_manager
    wanted = {stored.rows["stages"][path].pk for path in (item["limit"] or {}).get("stages", [])}
    present = set(through.filter(trigger_id=trigger.pk).values_list("stage_id", flat=True))
    if present - wanted:
        through.filter(trigger_id=trigger.pk, stage_id__in=present - wanted).delete()
    through.bulk_create([through.model(trigger_id=trigger.pk, stage_id=stage) for stage in sorted(wanted - present)])


def _write_members(trigger: Trigger, items: list[Item], stored: Stored) -> None:
    """Make the members those of the file, in its order. Balances belong to people, and are not touched."""
    known = stored.members.get(trigger.pk, {})
    added, changed = [], []
    for position, item in enumerate(items):
        row = known.get(item["manager"])
        if row is None:
            row = Member(trigger=trigger, manager=stored.rows["managers"][item["manager"]])
            added.append(row)
        elif items_of.member_item(row) != item or row.position != position:
            changed.append(row)
        row.coefficient, row.limit, row.position = item["coefficient"], item["limit"], position
        row.schedule = stored.rows["schedules"][item["schedule"]] if item["schedule"] else None
    gone = known.keys() - {item["manager"] for item in items}
    if gone:
        Member.objects.filter(pk__in=[known[email].pk for email in gone]).delete()
    _save(Member, added, changed, ["coefficient", "limit", "schedule", "position"])

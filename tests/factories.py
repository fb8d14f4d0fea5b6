"""What tests begin with: plain functions with dull defaults. Ann and Bob are managers, Sue is their supervisor, Max
belongs to another team. All of it happens on a Monday morning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import Account, Manager, ScheduleException, User, WorkSchedule
from routing.models import (
    Company,
    Contact,
    ContactPoint,
    Decision,
    Lead,
    Ledger,
    Member,
    Offer,
    Pipeline,
    Registry,
    Source,
    Stage,
    Task,
    Trigger,
)
from routing.representations import read_decision
from routing.services.intake import take_lead, take_leads

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

STAGES = {"inbox": "unqualified", "new": "open", "accepted": "open", "won": "won", "lost": "lost"}
OFFICE = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}

_numbers = count(1)


# People


def make_account(**facts: Any) -> Account:
    return Account.objects.update_or_create(pk=1, defaults=facts)[0]


def make_user(name: str = "sue", *, group: str | None = None, **facts: Any) -> User:
    facts = {"name": name.title(), **facts}
    user = User.objects.create_user(f"{name}@example.com", **facts)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def make_supervisor(name: str = "sue") -> User:
    return make_user(name, group="Supervisors", is_staff=True)


def make_manager(name: str = "ann", *, schedule: WorkSchedule | None = None, **facts: Any) -> Manager:
    """Make a manager; without a schedule they are always on duty."""
    return Manager.objects.create(user=make_user(name, group="Managers"), schedule=schedule, **facts)


def make_managers(number: int) -> list[Manager]:
    return [make_manager(f"m{i:03}") for i in range(number)]


def make_schedule(
    code: str = "office",
    *,
    weekly: Mapping[str, Sequence[str]] = OFFICE,
    cycle: Sequence[Sequence[str]] | None = None,
    start: date = date(2026, 1, 5),
    **facts: Any,
) -> WorkSchedule:
    if cycle is not None:
        facts |= {"kind": "cycle", "cycle_start": start, "cycle_days": cycle}
    else:
        facts["weekly"] = weekly
    return WorkSchedule.objects.create(code=code, title=code.title(), **facts)


def make_exception(
    of: Manager | WorkSchedule, *, kind: str = "off", on: date, to: date | None = None, intervals: Sequence[str] = ()
) -> ScheduleException:
    whose = {"manager": of} if isinstance(of, Manager) else {"schedule": of}
    return ScheduleException.objects.create(
        **whose, kind=kind, first_day=on, last_day=to or on, intervals=list(intervals)
    )


# Configuration


def make_pipeline(code: str = "sales", *, stages: Mapping[str, str] = STAGES, **facts: Any) -> Pipeline:
    """Make a pipeline; stages: code -> kind, in order."""
    facts = {"position": Pipeline.objects.count(), **facts}
    pipeline = Pipeline.objects.create(code=code, title=code.title(), **facts)
    for position, (stage_code, kind) in enumerate(stages.items()):
        Stage.objects.create(pipeline=pipeline, code=stage_code, kind=kind, position=position)
    return pipeline


def stage(path: str = "sales/new") -> Stage:
    """Return the stage; its pipeline comes into being when first asked for."""
    pipeline, code = path.split("/")
    if not Pipeline.objects.filter(code=pipeline).exists():
        make_pipeline(pipeline)
    return Stage.objects.get(pipeline__code=pipeline, code=code)


def make_source(code: str = "landing", *, channel: str = "site", **facts: Any) -> Source:
    return Source.objects.get_or_create(code=code, defaults={"title": code, "channel": channel, **facts})[0]


def make_registry(code: str = "all-sales", **facts: Any) -> Registry:
    return Registry.objects.create(code=code, **facts)


def make_trigger(
    code: str = "new-leads",
    *,
    on_stage: str = "sales/new",
    members: Sequence[Manager | tuple[Manager, int] | Mapping[str, Any]] = (),
    limit_stages: Sequence[str] = (),
    **facts: Any,
) -> Trigger:
    """Make a trigger; no members: all active managers. A member is a manager, (manager, coefficient), or columns."""
    facts = {"on": ["created", "moved"], **facts}
    trigger = Trigger.objects.create(code=code, stage=stage(on_stage), **facts)
    trigger.limit_stages.set(stage(path) for path in limit_stages)
    for position, member in enumerate(members):
        if isinstance(member, Manager):
            member = {"manager": member}
        elif isinstance(member, tuple):
            member = {"manager": member[0], "coefficient": member[1]}
        Member.objects.create(trigger=trigger, position=position, **member)
    return trigger


def asking_acceptance(minutes: int = 10, **facts: Any) -> dict[str, Any]:
    """Return the columns of a trigger that asks for acceptance."""
    return {"acceptance_minutes": minutes, **facts}


# Leads


def make_company(name: str = "Ruiz SL", **facts: Any) -> Company:
    return Company.objects.create(name=name, name_key=name.casefold(), **{"created_at": MONDAY, **facts})


def make_contact(email: str = "ana@client.example", *, phone: str = "", chat: str = "", **facts: Any) -> Contact:
    """Make a contact who is known by these; "" by none. phone: E.164."""
    shown = {"email": email, "phone": phone, "chat": chat}
    contact = Contact.objects.create(**{"name": "Ana", "created_at": MONDAY, **shown, **facts})
    for kind, key in (("email", email.lower()), ("phone", phone), ("chat", chat.lower().lstrip("@"))):
        if key:
            text, at = shown[kind], contact.created_at
            ContactPoint.objects.create(contact=contact, kind=kind, text=text, key=key, first_seen_at=at)
    return contact


def make_lead(*, state: str = "idle", in_stage: str = "sales/new", **facts: Any) -> Lead:
    """Write a lead as it is, without intake and distribution."""
    facts = {"created_at": MONDAY, "arrived_at": MONDAY, "source": facts.get("source") or make_source(), **facts}
    return Lead.objects.create(state=state, stage=stage(in_stage), **facts)


def make_task(lead: Lead, **facts: Any) -> Task:
    return Task.objects.create(lead=lead, **{"title": "Call", **facts})


def hold(manager: Manager, leads: int = 1, *, in_stage: str = "sales/new") -> list[Lead]:
    """Give the manager leads that no trigger distributed."""
    return [make_lead(state="assigned", responsible=manager, in_stage=in_stage) for _ in range(leads)]


def form(**facts: Any) -> dict[str, Any]:
    """Return a lead as `LeadIn` hands it on; everyone is somebody else."""
    number = next(_numbers)
    return {"name": f"Lead {number}", "contact": {"email": f"client{number}@client.example"}, **facts}


def take(*, at: datetime = MONDAY, source: Source | None = None, **facts: Any) -> Lead:
    """Take one lead the whole way, and return it as it stands."""
    taken = take_lead(form(**facts), source_id=(source or make_source()).pk, at=at)
    return Lead.objects.get(pk=taken.lead_id)


def take_some(number: int, *, at: datetime = MONDAY, **facts: Any) -> list[Lead]:
    """Take leads in one request, and return them in the order sent."""
    taken = take_leads([form(**facts) for _ in range(number)], source_id=make_source().pk, at=at)
    leads = Lead.objects.in_bulk([each.lead_id for each in taken])
    return [leads[each.lead_id] for each in taken]


# What came of it


def fresh(lead: Lead) -> Lead:
    return Lead.objects.get(pk=lead.pk)


def owners(leads: Sequence[Lead]) -> str:
    """Return the first letters of who has the leads, as they stand now: "ABAB"; "-" is nobody."""
    names = dict(Lead.objects.filter(pk__in=[each.pk for each in leads]).values_list("pk", "responsible__user__name"))
    return "".join((names[each.pk] or "-")[0] for each in leads)


def reason(lead: Lead) -> str:
    """Return why the last decision on the lead came out as it did."""
    return Decision.objects.filter(lead=lead).latest("id").reason


def refusals(lead: Lead) -> dict[str, str | None]:
    """Return what the last decision on the lead says of each candidate, by name; None: eligible."""
    candidates, why_not, _ = read_decision(Decision.objects.filter(lead=lead).latest("id"))
    names = dict(Manager.objects.values_list("pk", "user__name"))
    return {names[c.manager]: reason for c, reason in zip(candidates, why_not, strict=True)}


def ledger(of: Trigger | Registry) -> Ledger:
    return Ledger.objects.get(registry=of) if isinstance(of, Registry) else Ledger.objects.get(registry__trigger=of)


def standings(of: Ledger) -> dict[str, tuple[int, ...]]:
    """Return by name the balance in billionths of a lead, the leads received, and the turn of the last one."""
    names = dict(Manager.objects.values_list("pk", "user__name"))
    return {names[int(id_)]: tuple(standing) for id_, standing in of.standings.items()}


def balances(of: Trigger | Registry) -> dict[str, int]:
    return {name: balance for name, (balance, _, _) in standings(ledger(of)).items()}


def received(of: Trigger | Registry) -> dict[str, int]:
    return {name: leads for name, (_, leads, _) in standings(ledger(of)).items()}


def open_offer(lead: Lead) -> Offer:
    return Offer.objects.open().get(lead=lead)


def outcomes(lead: Lead) -> list[str]:
    """Return what became of each offer of the lead; "" is open."""
    return list(Offer.objects.filter(lead=lead).order_by("id").values_list("outcome", flat=True))

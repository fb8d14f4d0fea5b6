"""Off-board a manager: find every place where they are used, and remove them. A hand-over moves their leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext

from accounts.models import Manager, ScheduleException, User
from routing.engine import LEAD
from routing.exceptions import Conflict
from routing.models import ApiKey, Company, Contact, Lead, Ledger, Member, Offer, Task, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a manager is used."""

    members: Sequence[Member]
    sole: frozenset[int]  # triggers of which they are the only member: without members a trigger takes everybody
    duties: Sequence[Trigger]
    leads: QuerySet[Lead]  # active ones
    contacts: QuerySet[Contact]
    companies: QuerySet[Company]
    tasks: QuerySet[Task]  # open ones
    offers: QuerySet[Offer]  # open ones
    keys: QuerySet[ApiKey]
    exceptions: QuerySet[ScheduleException]  # still to come
    balances: Sequence[tuple[str, float]]  # registry, leads owed


def places_of(manager: Manager, *, at: datetime) -> Places:
    """Return every place where the manager is used."""
    members = list(Member.objects.filter(manager=manager).select_related("trigger").order_by("trigger__code"))
    shared = Member.objects.exclude(manager=manager).filter(trigger__in=[member.trigger_id for member in members])
    with_others = set(shared.values_list("trigger_id", flat=True))
    ledgers = Ledger.objects.filter(managers__contains=[manager.pk]).select_related("registry__trigger")
    return Places(
        members=members,
        sole=frozenset(member.trigger_id for member in members if member.trigger_id not in with_others),
        duties=list(Trigger.objects.filter(duty=manager).order_by("code")),
        leads=Lead.objects.active().filter(responsible=manager),
        contacts=Contact.objects.filter(responsible=manager),
        companies=Company.objects.filter(responsible=manager),
        tasks=Task.objects.open().filter(responsible=manager),
        offers=Offer.objects.open().filter(manager=manager),
        keys=ApiKey.objects.usable(at=at).filter(user=manager.user_id),
        exceptions=ScheduleException.objects.filter(manager=manager, last_day__gte=at.date()),
        balances=[(ledger.registry.label, ledger.standings[manager.pk].balance / LEAD) for ledger in ledgers],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """What to do with each place."""

    successor: Manager | None = None
    members: str = "keep"  # keep, remove, replace
    duties: bool = False  # the successor is on duty instead
    related: str = "keep"  # keep, release, replace: contacts, companies and open tasks
    revoke_keys: bool = False
    deactivate: bool = False  # receives no leads; open offers go to others within one sweep
    end_access: bool = False  # may not sign in; every session ends with the next request


@transaction.atomic
def off_board(manager: Manager, farewell: Farewell, *, at: datetime, by: User | None = None) -> list[str]:
    """Off-board the manager, all or nothing; return a sentence for each change.

    Raises Conflict; its errors name the field that cannot be carried out.
    """
    places = places_of(manager, at=at)
    if farewell.successor is None and (farewell.duties or "replace" in (farewell.members, farewell.related)):
        raise _conflict("successor", gettext("Choose a replacement."))
    if farewell.end_access and by is not None and by.pk == manager.user_id:
        raise _conflict("end_access", gettext("You cannot end your own access."))
    return [
        *_members(places, farewell),
        *_duties(places, farewell),
        *_hand_on_related(places, farewell),
        *_access(manager, places, farewell, at=at),
    ]


def _conflict(field: str, sentence: str) -> Conflict:
    return Conflict(
        sentence, errors=[{"pointer": f"/{field}", "code": Conflict.code, "detail": sentence, "field": field}]
    )


def _members(places: Places, farewell: Farewell) -> list[str]:
    """End memberships. Rows are saved and deleted one by one, so that the history of the configuration has them."""
    if farewell.members == "keep":
        return []
    if farewell.members == "remove" and places.sole:
        codes = ", ".join(m.trigger.code for m in places.members if m.trigger_id in places.sole)
        sentence = gettext(
            "Nobody else is a member of %(triggers)s, and a trigger without members takes "
            "everybody. Choose a replacement."
        )
        raise _conflict("members", sentence % {"triggers": codes})
    theirs = set(Member.objects.filter(manager=farewell.successor).values_list("trigger_id", flat=True))
    done = []
    for member in places.members:
        if farewell.members == "replace" and member.trigger_id not in theirs:
            member.manager = farewell.successor  # type: ignore[assignment]  # chosen, else all was refused above
            member.save(update_fields=["manager"])
            sentence = gettext("%(manager)s is now a member of %(trigger)s instead.")
        else:
            member.delete()
            sentence = gettext("No longer a member of %(trigger)s.")
        done.append(sentence % {"manager": farewell.successor, "trigger": member.trigger.code})
    return done


def _duties(places: Places, farewell: Farewell) -> list[str]:
    if not farewell.duties:
        return []
    for trigger in places.duties:
        trigger.duty = farewell.successor
        trigger.save(update_fields=["duty"])
    sentence = gettext("%(manager)s is now on duty in %(trigger)s instead.")
    return [sentence % {"manager": farewell.successor, "trigger": trigger.code} for trigger in places.duties]


def _hand_on_related(places: Places, farewell: Farewell) -> list[str]:
    if farewell.related == "keep":
        return []
    owner = farewell.successor if farewell.related == "replace" else None
    contacts, companies, tasks = (
        rows.update(responsible=owner) for rows in (places.contacts, places.companies, places.tasks)
    )
    if not contacts + companies + tasks:
        return []
    counted = {"contacts": contacts, "companies": companies, "tasks": tasks, "manager": owner}
    if owner is None:
        return [
            gettext(
                "Nobody is responsible for contacts (%(contacts)d), companies "
                "(%(companies)d) and tasks (%(tasks)d) now."
            )
            % counted
        ]
    sentence = gettext("Contacts (%(contacts)d), companies (%(companies)d) and tasks (%(tasks)d) went to %(manager)s.")
    return [sentence % counted]


def _access(manager: Manager, places: Places, farewell: Farewell, *, at: datetime) -> list[str]:
    done = []
    if farewell.revoke_keys and (count := places.keys.update(revoked_at=at)):
        done.append(ngettext("%(count)d API key revoked.", "%(count)d API keys revoked.", count) % {"count": count})
    if farewell.deactivate and manager.active:
        manager.active = False
        manager.save(update_fields=["active"])
        done.append(gettext("%(manager)s no longer gets leads.") % {"manager": manager})
    if farewell.end_access and manager.user.is_active:
        manager.user.is_active = False
        manager.user.save(update_fields=["is_active"])
        done.append(gettext("%(manager)s can no longer sign in.") % {"manager": manager})
    return done

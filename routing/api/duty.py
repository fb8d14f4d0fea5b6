"""Managers as the API shows them: on duty, available, what they hold, where they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.models import Manager
from accounts.time.availability import ManagerFacts, is_online, pauses_running
from routing.models import Ledger
from routing.representations import Document, instant
from routing.roster import Roster


def manager_documents(emails: Sequence[str], roster: Roster, *, at: datetime | None, now: datetime) -> list[Document]:
    """Return the managers in this order, in a fixed number of queries.

    at: an instant to look at: duty by today's schedules, pauses as they ran then; what they hold and their balances are
    those of now. None: now.
    """
    chosen = [roster.managers_by_email[email] for email in emails if email in roster.managers_by_email]
    ids = [manager.id for manager in chosen]
    held = Coalesce(Sum("loads__leads", filter=Q(loads__stage__in=roster.active_stages)), 0)
    pause = pauses_running(at or now, past=at is not None).filter(manager=OuterRef("pk"))
    rows = Manager.objects.filter(pk__in=ids).annotate(
        leads_held=held, paused=Exists(pause), until=Subquery(pause.values("until")[:1])
    )
    facts = {id_: rest for id_, *rest in rows.values_list("pk", "last_seen_at", "leads_held", "paused", "until")}
    balances = _balances(set(ids))
    documents = []
    for manager in chosen:
        seen, leads, paused, until = facts.get(manager.id, (None, 0, False, None))
        activity = _activity(seen, roster.account.online_minutes, now=now)
        documents.append(_document(manager, at or now, paused, until, leads, balances[manager.id]) | activity)
    return documents


def _activity(last_seen_at: datetime | None, minutes: int, *, now: datetime) -> Document:
    return {
        "online": is_online(last_seen_at, at=now, minutes=minutes),
        "last_seen_at": instant(last_seen_at),
        "seen_seconds_ago": None if last_seen_at is None else max(0, int((now - last_seen_at).total_seconds())),
    }


def _document(
    manager: ManagerFacts, at: datetime, paused: bool, until: datetime | None, held: int, balances: dict[str, int]
) -> Document:
    reason = manager.unavailable(at, paused=paused)
    return {
        "email": manager.email,
        "name": manager.name,
        "active": manager.active,
        "on_duty": manager.duty.on_duty(at),
        "available": reason is None,
        "reason": reason,
        "next_start": instant(manager.duty.next_start(at)),
        "next_change": instant(manager.duty.next_change(at)),
        "paused_until": instant(until),
        "held": held,
        "balances": balances,
    }


def _balances(managers: set[int]) -> dict[int, dict[str, int]]:
    """Return manager → registry → balance in billionths of a lead, where the manager stands in the registry."""
    balances: dict[int, dict[str, int]] = defaultdict(dict)
    for ledger in (
        Ledger.objects.filter(managers__overlap=list(managers)).select_related("registry__trigger").order_by("registry")
    ):
        standings = ledger.standings
        for manager in managers & standings.keys():
            balances[manager][ledger.registry.label] = standings[manager].balance
    return balances

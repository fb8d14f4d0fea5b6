"""What happened to the demo's leads in the last days, told through the services that serve the API and the pages.

The story ends now, and always ends alike: some leads on offer, some that wait, some in the inbox, a manager on pause.
"""

from __future__ import annotations

import csv
import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from accounts.models import Manager, User
from accounts.services import mark_online, pause_manager, resume_manager
from accounts.time.availability import pauses_at
from routing.exceptions import Refused
from routing.models import Lead, Offer, Task
from routing.roster import Roster, current
from routing.services.assignment import credit_back, reassign
from routing.services.intake import take_lead
from routing.services.offers import decline_offer, give_back_offers
from routing.services.stages import move_lead
from routing.services.sweep import sweep

FOLDER = Path(__file__).resolve().parent
CONFIGURATION = FOLDER / "configuration.yaml"
SOURCES = {"site": "landing", "phone": "hotline", "mail": "mailbox", "api": "api", "chat": "webchat"}

DAYS = 10
HOURS = (2, 7, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 14, 15, 16, 17, 18, 18, 19, 20, 21, 23)  # account time
LATEST = (58, 49, 37, 28, 21, 13, 8, 6, 5, 3, 2, 1)  # minutes before now
LATEST_UNQUALIFIED = range(5)  # of these, one of each channel
PARTNERS = 12  # every so many leads one asks to become a partner
LAST_HOUR = timedelta(hours=1)

Row = dict[str, str]


def tell(*, at: datetime, by: User) -> int:
    """Let the leads arrive and be worked on until `at`; return how many there are. by: the supervisor of the story."""
    return Story(at=at, by=by).run()


def rows() -> list[Row]:
    with open(FOLDER / "leads.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Story:
    """An agenda of what is to happen, and when; what happens puts on it what follows."""

    def __init__(self, *, at: datetime, by: User) -> None:
        self.now = at
        self.by = by
        self.roster: Roster = current()
        self.agenda: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self.numbers = count()
        self.leads: list[UUID] = []
        self.taken: set[UUID] = set()
        self.stage = {path: stage.id for path, stage in self.roster.stage_by_path.items()}

    def run(self) -> int:
        arrivals = list(self.arrivals())
        for number, (at, row) in enumerate(arrivals):
            self.plan(at, self.arrive, number, row, number - (len(arrivals) - len(LATEST)))
        self.plan_pauses()
        for step in range(24 * DAYS):  # duty begins and ends on the hour
            self.plan(self.now.replace(minute=0, second=5, microsecond=0) - timedelta(hours=step), sweep_if_any_wait)
        while self.agenda:
            at, _, act, facts = heapq.heappop(self.agenda)
            if at <= self.now:
                act(at, *facts)
        self.end_well()
        return len(self.leads)

    def plan(self, at: datetime, act: Callable[..., None], *facts: Any) -> None:
        heapq.heappush(self.agenda, (at, next(self.numbers), act, facts))

    def arrivals(self) -> Iterator[tuple[datetime, Row]]:
        """Yield when which lead arrives: through the day on the days before, and a dozen within the last hour."""
        leads = iter(rows())
        today = self.now.astimezone(self.roster.zone).replace(minute=0, second=0, microsecond=0)
        for back in range(DAYS - 1, -1, -1):
            for n, hour in enumerate(HOURS):
                minute = (17 * n + 11 * back) % 60
                at = (today - timedelta(days=back)).replace(hour=hour, minute=minute).astimezone(self.now.tzinfo)
                if at < self.now - LAST_HOUR and (row := next(leads, None)):
                    yield at, row
        for minutes, row in zip(LATEST, list(leads)[-len(LATEST) :], strict=True):
            yield self.now - timedelta(minutes=minutes), row

    def plan_pauses(self) -> None:
        bob = Manager.objects.get(user__email="bob@example.com")
        self.plan(self.now - timedelta(days=2, hours=3), self.pause, bob, "Lunch", 45)
        self.plan(self.now - timedelta(days=2, hours=2, minutes=30), self.resume, bob)
        fay = Manager.objects.get(user__email="fay@example.com")
        self.plan(self.now - timedelta(hours=26), self.pause, fay, "At a trade fair", None)

    # What happens.

    def arrive(self, at: datetime, number: int, row: Row, late: int) -> None:
        partner = number % PARTNERS == 5
        unqualified = late in LATEST_UNQUALIFIED if late >= 0 else number % 5 in (1, 3)
        if late >= 0:
            row = {**row, "channel": list(SOURCES)[late % len(SOURCES)]}
            partner = late == len(LATEST) - 3
        if partner:  # in French they are for Fay alone, and wait for her
            row = {**row, "language": "fr" if late >= 0 or number // PARTNERS % 2 else "en"}
        taken = take_lead(form_of(number, row, partner=partner, unqualified=unqualified), source_id=None, at=at)
        self.leads.append(taken.lead_id)
        if partner:
            if number % 24 == 5 and late < 0:
                self.plan(at + timedelta(days=1, hours=number % 7), self.close, taken.lead_id, row, "partners")
        elif not unqualified:
            self.follow(at, taken.lead_id, number, row)
        elif number % 2:
            self.plan(at + timedelta(minutes=25 + 13 * (number % 9)), self.qualify, taken.lead_id, number, row)

    def qualify(self, at: datetime, lead: UUID, number: int, row: Row) -> None:
        move_lead(lead, self.stage["sales/new"], at=at, by=self.by)
        self.follow(at, lead, number, row)

    def follow(self, at: datetime, lead: UUID, number: int, row: Row) -> None:
        """Plan what the managers do: most take a lead in time, some decline it, some let the time run out."""
        late = at > self.now - timedelta(minutes=10)  # on offer when the story ends
        if late:
            return
        if number % 17 == 4:
            self.plan(at + timedelta(minutes=4), self.decline, lead)
        if number % 6 != 2:
            self.plan(at + timedelta(minutes=2 + number % 7), self.take, lead, number, row)
        for minutes in (10, 20, 30):
            self.plan(at + timedelta(minutes=minutes, seconds=3), self.run_out, lead)
        self.plan(at + timedelta(minutes=34), self.take, lead, number, row)
        for hours in (3, 9, 14):  # who had no turn because nobody was there
            self.plan(at + timedelta(hours=hours), self.take, lead, number, row)

    def take(self, at: datetime, lead: UUID, number: int, row: Row) -> None:
        """Move the lead to "Accepted for work", if somebody has it."""
        if lead in self.taken:
            return
        found = Lead.objects.select_related("responsible").get(pk=lead)
        if found.stage_id != self.stage["sales/new"] or found.responsible is None:
            return
        try:
            move_lead(lead, self.stage["sales/accepted"], at=at, by=found.responsible.user)
        except Refused:
            return  # too late: the next sweep gives it to another
        self.taken.add(lead)
        title = ("Call back", "Send the offer", "Arrange a demonstration")[number % 3]
        done_at = at + timedelta(hours=1) if number % 2 and at + timedelta(hours=1) < self.now else None
        due_at = at + timedelta(hours=4 + number % 40)
        Task.objects.create(lead=found, title=title, responsible=found.responsible, due_at=due_at, done_at=done_at)
        if number % 10 != 7:
            self.plan(at + timedelta(hours=6 + 11 * (number % 8)), self.close, lead, row, "sales")

    def run_out(self, at: datetime, lead: UUID) -> None:
        """Give the lead to somebody else, if nobody took it in time."""
        if lead not in self.taken and Offer.objects.overdue(at=at).exists():
            sweep(at=at)

    def decline(self, at: datetime, lead: UUID) -> None:
        if Offer.objects.open().filter(lead=lead, accept_by__gt=at).exists():
            decline_offer(lead, at=at, reason="On the road today")

    def close(self, at: datetime, lead: UUID, row: Row, pipeline: str) -> None:
        """Win or lose the lead as the data has it; what is open there stays so."""
        found = Lead.objects.get(pk=lead)
        if found.responsible_id and row["outcome"] != "open":
            move_lead(lead, self.stage[f"{pipeline}/{row['outcome']}"], at=at)

    def pause(self, at: datetime, manager: Manager, reason: str, minutes: int | None) -> None:
        pause_manager(manager, at=at, minutes=minutes, reason=reason)
        give_back_offers(manager.pk, at=at)

    def resume(self, at: datetime, manager: Manager) -> None:
        resume_manager(manager, at=at)

    def end_well(self) -> None:
        """Do what is due, what a supervisor does by hand, and let those on duty be seen."""
        sweep(at=self.now)
        accepted = Lead.objects.filter(stage=self.stage["sales/accepted"], state="assigned").order_by("created_at")
        doubled, other = accepted.first(), accepted.exclude(responsible__user__email="ann@example.com").last()
        if doubled:
            credit(doubled, at=self.now, by=self.by)
        if other:
            ann = self.roster.managers_by_email["ann@example.com"].id
            reassign(other.pk, ann, at=self.now, by=self.by, count=True, reason="Knows the customer")
        pauses = pauses_at(self.now)
        for person in self.roster.managers.values():
            if person.unavailable(self.now, paused=person.id in pauses) is None:
                mark_online(person.id, at=self.now)


def credit(lead: Lead, *, at: datetime, by: User) -> None:
    try:
        credit_back(lead.pk, at=at, by=by, reason="Came twice")
    except Refused:
        return  # it never counted: the duty manager has it


def sweep_if_any_wait(at: datetime) -> None:
    if Lead.objects.waiting().exists():
        sweep(at=at)


def form_of(number: int, row: Row, *, partner: bool, unqualified: bool) -> dict[str, Any]:
    """Return the lead as the API's door would hand it to the service."""
    contact = {"name": row["contact"], "email": row["email"], "phone": row["phone"] or None}
    if row["channel"] == "chat":
        contact["chat"] = f"webchat:{row['email'].split('@')[0]}"
    company = {"name": row["company"], "domain": f"{domain_of(row['company'])}.example"} if row["company"] else None
    return {
        "external_id": f"demo-{number + 1}",
        "source": SOURCES[row["channel"]],
        "pipeline": "partners" if partner else "sales",
        "unqualified": unqualified and not partner,
        "name": f"Partner request: {row['company'] or row['contact']}"
        if partner
        else f"{row['product']}: {row['contact']}",
        "contact": contact,
        "company": company,
        "language": row["language"],
        "country": row["country"],
        "product": row["product"],
        "tags": [row["sector"]] if row["sector"] else [],
        "utm": {"source": "newsletter"} if row["channel"] == "mail" else {},
        "fields": {"employees": int(row["employees"])} if row["employees"] else {},
        "comment": row["comment"],
    }


def domain_of(company: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in company.lower()).strip("-")

"""The data sets as replays. Who sells and how they work is taken from the data where it says so, else invented."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.data import data_path

from .plan import Arrival, Replay

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
STAGES = [
    {"code": "inbox", "kind": "unqualified"},
    {"code": "new", "kind": "open"},
    {"code": "accepted", "kind": "open"},
    {"code": "won", "kind": "won"},
    {"code": "lost", "kind": "lost"},
]
Row = dict[str, str]


def data_folder() -> Path | None:
    """Return the folder of the data sets, the one that the tests read, or None where there is none."""
    try:
        return data_path("README.md").parent
    except pytest.skip.Exception:
        return None


def read_rows(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
        yield from csv.DictReader(file)


def configuration(
    zone: str,
    *,
    schedules: list[dict[str, Any]],
    managers: list[dict[str, Any]],
    sources: dict[str, str],
    members: list[dict[str, Any]],
    **trigger: Any,
) -> dict[str, Any]:
    """Return a configuration with one pipeline and one trigger. sources: code -> channel."""
    return {
        "version": 1,
        "account": {"name": "Replay", "time_zone": zone, "unqualified": True},
        "schedules": schedules,
        "managers": managers,
        "sources": [{"code": code, "title": code, "channel": channel} for code, channel in sorted(sources.items())],
        "pipelines": [{"code": "sales", "title": "Sales", "stages": STAGES}],
        "registries": [{"code": "all", "title": "All", "accounting": "fair_share"}],
        "triggers": [
            {
                "code": "new",
                "stage": "sales/new",
                "on": ["created", "moved"],
                "method": "fair_share",
                "registry": "all",
                "members": members,
                **trigger,
            }
        ],
    }


def spread(day: date, number: int, of: int, zone: ZoneInfo) -> datetime:
    """Return the instant of the lead with this number, of so many that the data dates to the day."""
    return datetime.combine(day, time(), zone).astimezone(UTC) + timedelta(days=1) * (2 * number + 1) / (2 * of)


def drawn(text: str, below: int) -> int:
    """Return a number that is always the same for the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % below


def code_of(text: str, *, otherwise: str) -> str:
    """Return the text as a code."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.strip().lower())
    return kept.strip("-") or otherwise


# --- Olist: marketing-qualified leads of a marketplace ---------------------------------------------------------------


def olist(folder: Path) -> Replay:
    zone = ZoneInfo("America/Sao_Paulo")
    deals = {row["mql_id"]: row for row in read_rows(folder / "olist_funnel" / "closed_deals.csv")}
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in read_rows(folder / "olist_funnel" / "marketing_qualified_leads.csv"):
        by_day[date.fromisoformat(row["first_contact_date"])].append(row)
    arrivals = []
    for day in sorted(by_day):
        rows = sorted(by_day[day], key=lambda row: row["mql_id"])
        arrivals += [_olist_lead(row, deals, spread(day, n, len(rows), zone), zone) for n, row in enumerate(rows)]
    closers = sorted({deal["sr_id"] for deal in deals.values()})
    return Replay(
        name="olist",
        story="22 closers of the data: 11 by office hours, 11 in two 2/2 crews, at most 25 open leads each. "
        "Origin `unknown` arrives as unqualified and is qualified a day later. Won when the data says so, else lost "
        "after 3 to 20 days.",
        configuration=configuration(
            "America/Sao_Paulo",
            schedules=[
                {
                    "code": "office",
                    "title": "Office",
                    "weekly": {day: ["09:00-12:00", "13:00-18:00"] for day in WEEK[:5]},
                },
                {
                    "code": "two-two",
                    "title": "2/2",
                    "cycle": {"start": date(2017, 6, 12), "days": [["10:00-22:00"], ["10:00-22:00"], [], []]},
                },
            ],
            managers=[_closer(n, sr_id) for n, sr_id in enumerate(closers)],
            sources={a.form["source"]: "mail" if a.form["source"] == "email" else "site" for a in arrivals},
            members=[{"manager": _closer(n, sr_id)["email"], "coefficient": 1} for n, sr_id in enumerate(closers)],
            limit={"leads": 25},
        ),
        arrivals=arrivals,
    )


def _closer(number: int, sr_id: str) -> dict[str, Any]:
    person = {"email": f"sr-{sr_id[:8]}@example.com", "name": f"Closer {sr_id[:4]}"}
    if number % 2:
        return {**person, "schedule": "two-two", "offset": number % 4 - 1}
    return {**person, "schedule": "office"}


def _olist_lead(row: Row, deals: dict[str, Row], at: datetime, zone: ZoneInfo) -> Arrival:
    number, deal = row["mql_id"], deals.get(row["mql_id"])
    unknown = row["origin"] == "unknown"
    done_at = at + timedelta(days=3 + drawn(number, 18))
    if deal:
        won_at = datetime.fromisoformat(deal["won_date"]).replace(tzinfo=zone).astimezone(UTC)
        done_at = max(won_at, at + timedelta(days=2))
    return Arrival(
        at=at,
        form={
            "external_id": number,
            "source": code_of(row["origin"], otherwise="none"),
            "unqualified": unknown,
            "name": f"Lead {number[:8]}",
            "contact": {"email": f"{number}@example.com"},
            "utm": {"source": row["origin"]},
            "fields": {"landing_page_id": row["landing_page_id"]},
        },
        qualified_at=at + timedelta(days=1) if unknown else None,
        done_at=done_at,
        won=deal is not None,
    )


# --- X Education: leads of an online-course seller -------------------------------------------------------------------

X_WEEKS = 8
X_CHANNELS = {"api": "api", "olark-chat": "chat", "live-chat": "chat", "click2call": "phone", "nc-edm": "mail"}


def x_education(folder: Path) -> Replay:
    rows = sorted(read_rows(folder / "x_education" / "leads.csv"), key=lambda row: int(row["Lead Number"]))
    first, span = datetime(2025, 1, 6, tzinfo=UTC) - timedelta(hours=5, minutes=30), timedelta(weeks=X_WEEKS)
    arrivals = [_x_lead(row, first + span * n / len(rows)) for n, row in enumerate(rows)]
    people = [
        {"email": f"{name}@example.com", "name": name.title(), "schedule": schedule, "offset": offset}
        for name, schedule, offset, _ in X_PEOPLE
    ]
    return Replay(
        name="x_education",
        story=f"Order of Lead Number, spread evenly over {X_WEEKS} weeks. Twelve invented counsellors with "
        "coefficients 1 to 3: two 2/2 crews by day, a night crew past midnight, an office. Converted is won "
        "after three days, the rest lost after two.",
        configuration=configuration(
            "Asia/Kolkata",
            schedules=[
                {"code": "office", "title": "Office", "weekly": {day: ["09:30-18:30"] for day in WEEK[:6]}},
                {
                    "code": "two-two",
                    "title": "2/2",
                    "cycle": {"start": date(2025, 1, 6), "days": [["09:00-21:00"], ["09:00-21:00"], [], []]},
                },
                {
                    "code": "night",
                    "title": "Nights",
                    "cycle": {"start": date(2025, 1, 6), "days": [["21:00-02:00"], []]},
                },
            ],
            managers=people,
            sources={a.form["source"]: X_CHANNELS.get(a.form["source"], "site") for a in arrivals},
            members=[
                {"manager": person["email"], "coefficient": coefficient}
                for person, (*_, coefficient) in zip(people, X_PEOPLE, strict=True)
            ],
            limit={"leads": 60},
        ),
        arrivals=arrivals,
    )


X_PEOPLE = (
    ("asha", "two-two", 0, 3), ("bala", "two-two", 0, 2), ("chitra", "two-two", 0, 2), ("dev", "two-two", 0, 1),
    ("esha", "two-two", 2, 3), ("farid", "two-two", 2, 2), ("gita", "two-two", 2, 2), ("hari", "two-two", 2, 1),
    ("indu", "night", 0, 1), ("jai", "night", 1, 1), ("kavya", "office", 0, 3), ("lal", "office", 0, 2),
)  # fmt: skip


def _x_lead(row: Row, at: datetime) -> Arrival:
    number = row["Lead Number"]
    won = row["Converted"] == "1"
    return Arrival(
        at=at,
        form={
            "external_id": number,
            "source": code_of(row["Lead Source"], otherwise="none"),
            "name": f"Lead {number}",
            "contact": {"email": f"lead-{number}@example.com"},
            "tags": [row["Lead Origin"]],
            "fields": {
                key: value
                for key in ("Specialization", "City", "What is your current occupation")
                if (value := row[key]) and value != "Select"
            },
        },
        done_at=at + timedelta(days=3 if won else 2),
        won=won,
    )


# --- Anonymous Bank: calls of prospective customers ------------------------------------------------------------------


def bank(folder: Path) -> Replay:
    rows = [
        row
        for row in read_rows(folder / "bank_call_centre" / "calls_1999_02_01_17.csv.gz")
        if row["type"] == "NW" and row["outcome"] != "PHANTOM"
    ]
    templates = _templates(folder / "bank_call_centre" / "shift_templates.csv")
    crews = _crews(rows, templates)
    managers = [
        {"email": f"{server.lower()}@example.com", "name": server.title(), "schedule": f"shift-{template}"}
        for server, template in sorted(crews.items())
    ]
    zone = ZoneInfo("Asia/Jerusalem")
    arrivals = sorted((_call(row, n, zone) for n, row in enumerate(rows)), key=lambda a: (a.at, a.number))
    return Replay(
        name="bank",
        story="Prospect calls. The operators of the data, each in the one of eight shift templates that fits their "
        "calls best; one call at a time (limit 1). A call ends its talk time after it was assigned, and is lost when "
        "it still waits at its hang-up.",
        configuration=configuration(
            "Asia/Jerusalem",
            schedules=[
                {"code": f"shift-{n}", "title": f"Shift {n}", "weekly": dict.fromkeys(WEEK, _stretches(hours))}
                for n, hours in templates.items()
            ],
            managers=managers,
            sources={"line": "phone"},
            members=[{"manager": m["email"], "coefficient": 1} for m in managers],
            limit={"leads": 1},
        ),
        arrivals=arrivals,
    )


def _templates(path: Path) -> dict[int, set[int]]:
    """Return the hours of each shift."""
    rows = list(read_rows(path))
    return {n: {hour for hour, row in enumerate(rows) if row[f"Shift{n}"] == "1"} for n in range(1, 9)}


def _stretches(hours: set[int]) -> list[str]:
    starts = [h for h in sorted(hours) if h - 1 not in hours]
    ends = [h + 1 for h in sorted(hours) if h + 1 not in hours]
    return [f"{start:02}:00-{end:02}:00" for start, end in zip(starts, ends, strict=True)]


def _crews(rows: Iterable[Row], templates: dict[int, set[int]]) -> dict[str, int]:
    """Put each operator in the shift that holds most of their calls, the busiest operators first, no shift empty."""
    hours: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row["outcome"] == "AGENT" and row["server"] != "NO_SERVER":
            hours[row["server"]][int(row["ser_start"].split(":")[0]) % 24] += 1
    room = dict.fromkeys(templates, -(-len(hours) // len(templates)))
    crews: dict[str, int] = {}
    for server in sorted(hours, key=lambda s: (-hours[s].total(), s)):
        best = max((n for n in room if room[n]), key=lambda n: (sum(hours[server][h] for h in templates[n]), -n))
        crews[server], room[best] = best, room[best] - 1
    return crews


def _call(row: Row, number: int, zone: ZoneInfo) -> Arrival:
    day = datetime.strptime(row["date"], "%y%m%d")  # noqa: DTZ007  the wall clock; its zone comes below

    def instant(clock: str) -> datetime:
        hours, minutes, seconds = map(int, clock.split(":"))
        wall = day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return wall.replace(tzinfo=zone).astimezone(UTC)

    at, hung = instant(row["vru_entry"]), row["outcome"] == "HANG"
    left = instant(row["q_exit"] if int(row["q_time"]) else row["vru_exit"])
    return Arrival(
        at=at,
        form={
            "external_id": f"{row['date']}-{row['call_id']}-{number}",
            "source": "line",
            "name": f"Call {row['call_id']}",
            "contact": {"chat": f"line:{row['vru+line']}-{row['call_id']}-{number}"},
            "fields": {"priority": int(row["priority"])},
        },
        done_after=timedelta(seconds=60 if hung else max(1, int(row["ser_time"]))),
        gives_up_at=max(left, at + timedelta(seconds=1)) if hung else None,
        won=not hung,
    )


# --- BPI Challenge 2012: loan applications ---------------------------------------------------------------------------

AUTOMATIC = "112"
BPI_PEOPLE = 20


def bpi2012(folder: Path) -> Replay:
    cases: dict[str, list[Row]] = defaultdict(list)
    active: Counter[str] = Counter()
    for row in read_rows(folder / "bpi2012_loans" / "events.csv.gz"):
        cases[row["case_id"]].append(row)
        active[row["resource"]] += row["resource"] not in ("", AUTOMATIC)
    arrivals = sorted(
        (_application(number, events) for number, events in cases.items()), key=lambda a: (a.at, a.number)
    )
    people = [f"resource-{resource}@example.com" for resource, _ in active.most_common(BPI_PEOPLE)]
    return Replay(
        name="bpi2012",
        story=f"A_SUBMITTED arrives; the {BPI_PEOPLE} most active persons work 08-20 on working days. An offer is "
        "accepted within 15 working minutes when the data's work on the application begins before the deadline, else "
        "it goes to the next, and after three to the duty manager. Won, declined or cancelled when the data says so.",
        configuration=configuration(
            "Europe/Amsterdam",
            schedules=[
                {
                    "code": "office",
                    "title": "Office",
                    "weekly": {day: ["08:00-20:00"] for day in WEEK[:5]},
                    "holidays": {"country": "NL"},
                }
            ],
            managers=[{"email": email, "name": email.split("@")[0], "schedule": "office"} for email in people]
            + [{"email": "duty@example.com", "name": "Duty"}],
            sources={"web": "site"},
            members=[{"manager": email, "coefficient": 1} for email in people],
            limit={"leads": 60},
            acceptance={"minutes": 15, "clock": "working", "max_attempts": 3, "finally": "duty"},
            duty="duty@example.com",
        ),
        arrivals=arrivals,
        holidays=frozenset(map(date.fromisoformat, ("2011-12-25", "2011-12-26", "2012-01-01"))),
    )


def _application(number: str, events: list[Row]) -> Arrival:
    begun: dict[str, datetime] = {}
    done_at, won = None, False
    for event in events:
        at = datetime.fromisoformat(event["timestamp"]).astimezone(UTC)
        if event["lifecycle"] == "START" and event["activity"].startswith("W_"):
            begun.setdefault(event["activity"], at)
        if event["activity"] in ("A_APPROVED", "A_DECLINED", "A_CANCELLED") and done_at is None:
            done_at, won = at, event["activity"] == "A_APPROVED"
    at = datetime.fromisoformat(events[0]["reg_date"]).astimezone(UTC)
    return Arrival(
        at=at,
        form={
            "external_id": number,
            "source": "web",
            "name": f"Application {number}",
            "contact": {"email": f"applicant-{number}@example.com"},
            "budget": f"{int(events[0]['amount_req'])}.00",
            "currency": "EUR",
            "product": "loan",
        },
        touched_at=begun.get("W_Afhandelen leads") or min(begun.values(), default=None),
        done_at=max(done_at, at + timedelta(seconds=1)) if done_at else None,
        won=won,
    )


DATASETS: dict[str, Callable[[Path], Replay]] = {
    "olist": olist,
    "x_education": x_education,
    "bank": bank,
    "bpi2012": bpi2012,
}

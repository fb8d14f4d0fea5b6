"""The replay: what is read from the data, the second opinion on duty, and that a broken promise is found."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from accounts.time.schedules import Duty as ProgramDuty
from accounts.time.schedules import parse_cycle, parse_weekly
from benchmarks.replay.checks import Judgement, judge
from benchmarks.replay.database import configure
from benchmarks.replay.datasets import DATASETS, STAGES, configuration
from benchmarks.replay.duty import Duty
from benchmarks.replay.plan import Arrival, Replay
from benchmarks.replay.simulation import Simulation
from routing.models import Lead, Ledger
from tests.data import REPOSITORY, data_path
from tests.effort import by_night
from tests.permissions import taken_back

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
COUNTS = {"olist": 4764, "x_education": 5549, "bank": 5294, "bpi2012": 7738}


def small_replay(leads: int = 40) -> Replay:
    """Two crews of two, four leads each at most, a lead every 47 minutes that is closed after five hours."""
    people = [("ann", 0, 3), ("bob", 0, 1), ("cid", 2, 2), ("dot", 2, 2)]
    return Replay(
        name="small",
        story="",
        configuration=configuration(
            "Europe/Madrid",
            schedules=[
                {
                    "code": "crew",
                    "title": "2/2",
                    "cycle": {"start": date(2026, 1, 5), "days": [["09:00-21:00"]] * 2 + [[], []]},
                }
            ],
            managers=[
                {"email": f"{name}@example.com", "name": name, "schedule": "crew", "offset": offset}
                for name, offset, _ in people
            ],
            sources={"landing": "site"},
            members=[{"manager": f"{name}@example.com", "coefficient": weight} for name, _, weight in people],
            limit={"leads": 4},
        ),
        arrivals=[
            Arrival(
                at=(at := MONDAY + timedelta(minutes=47 * n)),
                form={"external_id": str(n), "source": "landing", "contact": {"email": f"{n}@example.com"}},
                done_at=at + timedelta(hours=30 + n % 5),
            )
            for n in range(leads)
        ],
    )


def lived(replay: Replay) -> tuple[Simulation, Judgement]:
    configure(replay)
    simulation = Simulation(replay, replay.arrivals)
    simulation.run()
    return simulation, judged(replay)


def judged(replay: Replay) -> Judgement:
    return judge(replay, expected={arrival.number for arrival in replay.arrivals})


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_every_row_of_the_data_becomes_a_lead_in_the_order_of_its_instant(name):
    folder = data_path("README.md").parent
    replay = DATASETS[name](folder)
    instants = [arrival.at for arrival in replay.arrivals]
    assert len(instants) == COUNTS[name]
    assert instants == sorted(instants)
    assert len({arrival.number for arrival in replay.arrivals}) == COUNTS[name]
    assert all(a.done_at is None or a.done_at > a.at for a in replay.arrivals)


def test_the_eight_shift_templates_cover_the_day_and_none_is_empty():
    replay = DATASETS["bank"](data_path("README.md").parent)
    assert {m["schedule"] for m in replay.configuration["managers"]} == {f"shift-{n}" for n in range(1, 9)}
    schedules = {s["code"]: s["weekly"]["mon"] for s in replay.configuration["schedules"]}
    assert (schedules["shift-1"], schedules["shift-8"]) == (["00:00-06:00"], ["18:00-24:00"])


@pytest.mark.parametrize(
    "schedule",
    [
        {"code": "x", "weekly": {"mon": ["09:00-13:00", "14:00-18:00"], "sun": ["22:00-03:00"]}},
        {"code": "x", "cycle": {"start": date(2026, 1, 5), "days": [["09:00-21:00"], ["21:00-09:00"], [], []]}},
    ],
)
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_the_second_opinion_on_duty_agrees_with_the_program(schedule, offset):
    facts = configuration(
        "Europe/Madrid",
        schedules=[schedule],
        managers=[{"email": "a@example.com", "schedule": "x", "offset": offset}],
        sources={},
        members=[],
    )
    second = Duty(Replay(name="", story="", configuration=facts, arrivals=[]))
    weekly = "weekly" in schedule
    chart = (
        parse_weekly(schedule["weekly"])
        if weekly
        else parse_cycle(schedule["cycle"]["start"], schedule["cycle"]["days"])
    )
    program = ProgramDuty("Europe/Madrid", chart, offset)
    instants = [MONDAY + timedelta(minutes=30 * n) for n in range(2 * 24 * 20)]
    assert [second.on_duty("a@example.com", at) for at in instants] == [program.on_duty(at) for at in instants]
    changes = []
    at = MONDAY
    while (at := program.next_change(at)) < instants[-1]:
        changes.append(at)
    assert set(changes) <= set(second.turns(MONDAY, instants[-1]))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_small_replay_keeps_every_promise():
    simulation, judgement = lived(small_replay())
    assert simulation.lived.violations + judgement.violations == []
    assert Lead.objects.count() == 40
    assert sum(standing.received for standing in judgement.standings.values()) == len(judgement.waited) > 20
    assert max(judgement.waited) > 0  # some came by night, and waited for a shift
    assert max(simulation.lived.most_held.values()) == 4
    assert judgement.worst < 2


FAULTS = {
    "UPDATE routing_decision SET chosen_id = (SELECT max(id) FROM accounts_manager) WHERE turn = 1": "was not eligible",
    "UPDATE routing_decision SET at = at - interval '10 hours' WHERE turn = 3": "the duty of",
    "UPDATE routing_lead SET external_id = 'other' WHERE external_id = '7'": "1 leads are lost, 1 came from nowhere",
    "UPDATE routing_load SET leads = leads + 1": "a load that is not the number of leads held",
}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_broken_promise_is_found():
    replay = small_replay(20)
    _, judgement = lived(replay)
    assert judgement.violations == []
    for statement, found in FAULTS.items():
        with taken_back():
            with connection.cursor() as cursor:
                cursor.execute(statement)
            assert any(found in violation for violation in judged(replay).violations), statement
    with taken_back():
        forget_a_decision()
        assert any("by the decisions it is" in violation for violation in judged(replay).violations)
    assert judged(replay).violations == []


def forget_a_decision() -> None:
    ledger = Ledger.objects.get(turn__gt=0)
    (one, fewer), (other, more) = list(ledger.standings.items())[:2]
    ledger.standings = {
        **ledger.standings,
        one: fewer._replace(balance=fewer.balance - 5),
        other: more._replace(balance=more.balance + 5),
    }
    ledger.save()


def test_stages_begin_with_the_inbox():
    assert [stage["kind"] for stage in STAGES] == ["unqualified", "open", "open", "won", "lost"]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.django_db
@pytest.mark.parametrize("name", by_night([*DATASETS], by_day=["olist", "x_education"]))
def test_the_command_replays_real_leads_also_over_http(name):
    data_path("README.md")
    command = [sys.executable, "-m", "benchmarks.replay", name, "--leads", by_night("150", by_day="50"), "--http", "20"]
    done = subprocess.run(
        [*command, "--database", f"replay_{os.getpid()}"],
        cwd=REPOSITORY,
        env=os.environ | {"LEADROUTER_DATA": str(data_path("README.md").parent)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: ok" in done.stdout


def test_without_data_the_command_says_so_and_is_content(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.replay"],
        cwd=REPOSITORY,
        env=os.environ | {"LEADROUTER_DATA": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "no data here" in done.stdout) == (0, True)

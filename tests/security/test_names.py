"""A name or a title is one line: what breaks lists, calendars, headings and terminals is refused by page and by file."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import models

from accounts.models import Account, Manager, User, WorkSchedule
from accounts.people.names import LoginField, NameField
from accounts.time import clock
from accounts.time.feeds import calendar_of
from routing.configuration import BadConfiguration, import_configuration
from routing.intake.kinds import Text
from routing.models import ApiKey, Pipeline, Registry, Source, Stage
from routing.views.first_steps import EnterLeadForm
from tests.effort import by_night
from tests.factories import make_manager, make_schedule

pytestmark = pytest.mark.django_db

SIGNS = ["\r", "\n", "\r\n", "\x85", "\u2028", "\u2029", "\x1b", "\t", "\x0b", "\x7f", "\x9b"]
NOT_NAMES = {"accounts.ConfigurationChange.name"}  # of a thing as it was then: written by the database


def test_every_column_of_a_name_or_a_title_is_one_line():
    found = {
        f"{model._meta.label}.{field.name}": field
        for model in apps.get_models()
        if model._meta.app_label in ("accounts", "routing")
        for field in model._meta.fields
        if field.name in ("name", "title") and isinstance(field, models.CharField) and not field.primary_key
    }
    assert len(found) > 10
    assert {label for label, field in found.items() if not isinstance(field, NameField)} == NOT_NAMES
    assert isinstance(User._meta.get_field("email"), LoginField)


@pytest.mark.thorough  # by day every sign is refused below, by the same field
@pytest.mark.parametrize("sign", by_night(SIGNS, by_day=SIGNS[2:4]))
def test_a_page_refuses_it(client, sign):
    client.force_login(User.objects.create_superuser("root@example.com"))
    schedule = make_schedule()
    name = f"An{sign}n"
    forms = {
        "accounts/user/add/": {"email": "x@example.com", "name": name},
        "accounts/manager/add/": {"email": "x@example.com", "name": name, "offset": "0", "skills": "{}"},
        "routing/source/add/": {"code": "x", "title": name, "channel": "site"},
        "auth/group/add/": {"name": name},
        f"accounts/workschedule/{schedule.pk}/change/": {"code": schedule.code, "title": name, "kind": "weekly"},
    }
    for address, form in forms.items():
        page = client.post(f"/admin/{address}", form)
        errors = page.context["adminform"].form.errors
        assert any("in one line" in message for message in errors.get("name", []) + errors.get("title", [])), address
    assert not any(model.objects.filter(**{f"{field}__contains": sign}).exists() for model, field in NAMED)


NAMED = [(User, "name"), (Source, "title"), (WorkSchedule, "title"), (Group, "name"), (Pipeline, "title")]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(
    ("place", "document"),
    [
        ("account.name", {"account": {"name": "{}"}}),
        ("account.pause_reasons[1]", {"account": {"pause_reasons": ["Lunch", "{}"]}}),
        ("schedules[0].title", {"schedules": [{"code": "x", "title": "{}", "weekly": {}}]}),
        ("managers[0].name", {"managers": [{"email": "x@example.com", "name": "{}"}]}),
        ("managers[0].email", {"managers": [{"email": '"{}"@example.com'}]}),
        ("managers[0].skills", {"managers": [{"email": "x@example.com", "skills": {"{}": ["es"]}}]}),
        ("managers[0].skills.language[0]", {"managers": [{"email": "x@example.com", "skills": {"language": ["{}"]}}]}),
        ("sources[0].title", {"sources": [{"code": "x", "channel": "site", "title": "{}"}]}),
        ("pipelines[0].title", {"pipelines": [{"code": "x", "title": "{}", "stages": [{"code": "a"}]}]}),
        ("pipelines[0].stages[0].title", {"pipelines": [{"code": "x", "stages": [{"code": "a", "title": "{}"}]}]}),
        ("registries[0].title", {"registries": [{"code": "x", "title": "{}"}]}),
    ],
)
def test_a_file_refuses_it_and_says_where(place, document, sign):
    with pytest.raises(BadConfiguration) as refused:
        import_configuration({"version": 1, **filled(document, f"An{sign}n")})
    found = dict(refused.value.errors)
    assert "in one line" in found[place]
    assert f"U+{ord(sign[0]):04X}" in found[place]


def filled(value, text):
    if isinstance(value, dict):
        return {filled(key, text): filled(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, text) for item in value]
    return value.replace("{}", text) if isinstance(value, str) else value


@pytest.mark.parametrize("sign", SIGNS)
def test_a_command_refuses_it_and_the_api_takes_the_lead_with_a_clean_name(sign):
    with pytest.raises(CommandError, match="in one line"):
        call_command("apikey", f"a{sign}b")
    assert not ApiKey.objects.exists()
    assert EnterLeadForm({"name": f"a{sign}b", "contact_name": f"a{sign}b"}).errors.keys() >= {"name", "contact_name"}
    assert Text().read(f"a{sign}b") in ("a b", "ab")


@pytest.mark.parametrize("sign", SIGNS)
def test_a_calendar_stays_whole_whatever_an_older_version_stored(sign):
    ann = make_manager("ann")
    User.objects.filter(pk=ann.user_id).update(name=f"Ann{sign}END:VCALENDAR")
    lines = calendar_of(Manager.objects.get(pk=ann.pk), at=clock.now()).decode().split("\r\n")
    assert [line for line in lines if line.splitlines() not in ([line], [])] == []
    assert lines.count("END:VCALENDAR") == 1
    assert [line for line in lines if line.startswith("X-WR-CALNAME")] == ["X-WR-CALNAME:Shifts of Ann END:VCALENDAR"]


def test_letters_of_all_scripts_stay_names():
    for name in ("José Ñandú", "Анна-Мария", "王小明", "عبد الله", "می‌خواهم", "👩‍💻 Team", "O’Neil & Sons", "a\u00a0b"):
        for model in (Account, Registry, Stage):
            field = model._meta.get_field("name" if model is Account else "title")
            field.run_validators(name)

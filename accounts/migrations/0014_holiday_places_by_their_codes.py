"""Store the places whose holidays are followed by the codes under which they can be saved and imported again."""

from django.db import migrations


def store_codes(apps, schema_editor):
    schedules = apps.get_model("accounts", "WorkSchedule").objects.using(schema_editor.connection.alias)
    for schedule in schedules.exclude(holiday_country=""):
        country, part = _place(schedule.holiday_country, schedule.holiday_subdivision)
        if (country, part) != (schedule.holiday_country, schedule.holiday_subdivision):
            schedules.filter(pk=schedule.pk).update(holiday_country=country, holiday_subdivision=part)


def _place(country, part):
    """Return GB for UK, and no part where the part has the holidays of the country."""
    import holidays

    country = {"UK": "GB"}.get(country, country)
    try:
        years = range(2024, 2030)
        own = holidays.country_holidays(country, subdiv=part or None, years=years)
        return country, part if set(own) != set(holidays.country_holidays(country, years=years)) else ""
    except NotImplementedError:  # no longer known; whoever saves the schedule next is told
        return country, part


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_longer_holiday_subdivisions"),
    ]

    operations = [
        migrations.RunPython(store_codes, migrations.RunPython.noop, elidable=True),
    ]

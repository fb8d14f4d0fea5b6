"""Leads whose distribution failed, and what a sweep has begun with."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def make_groups(apps, schema_editor):
    """Let supervisors see setbacks and have leads tried again; administrators may do all."""
    create_permissions(
        installed.get_app_config("routing"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="routing")
    supervisors, administrators = (Group.objects.get(name=name) for name in ("Supervisors", "Administrators"))
    supervisors.permissions.add(*ours.filter(codename__in=["view_setback", "change_setback"]))
    administrators.permissions.add(*ours.filter(content_type__model__in=["setback", "undertaking"]))


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0005_imports_and_exports"),
    ]

    operations = [
        migrations.CreateModel(
            name="Setback",
            fields=[
                (
                    "lead",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="setback",
                        serialize=False,
                        to="routing.lead",
                    ),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, help_text="Number of tries, counted before each one"),
                ),
                ("error", models.CharField(blank=True, max_length=500)),
                ("next_try_at", models.DateTimeField()),
                (
                    "set_aside_at",
                    models.DateTimeField(
                        blank=True, help_text="No longer tried, until somebody asks for it", null=True
                    ),
                ),
            ],
            options={
                "verbose_name": "setback",
                "ordering": ["-set_aside_at", "next_try_at"],
            },
        ),
        migrations.CreateModel(
            name="Undertaking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("leads", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ("begun_at", models.DateTimeField()),
            ],
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

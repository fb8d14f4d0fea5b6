"""Hand-overs, and who may look at them."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import routing.models.identifiers


def make_groups(apps, schema_editor):
    # Permissions come into being after all migrations; the groups need them now.
    for label in ("accounts", "routing"):
        config = installed.get_app_config(label)
        create_permissions(config, apps=apps, using=schema_editor.connection.alias, verbosity=0)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    of_it = Permission.objects.filter(content_type__app_label="routing")
    looked_at = of_it.filter(codename__in=["view_handover", "view_handedlead"])
    Group.objects.get_or_create(name="Supervisors")[0].permissions.add(*looked_at)
    everything = of_it.filter(content_type__model__in=["handover", "handedlead"])
    Group.objects.get_or_create(name="Administrators")[0].permissions.add(*everything)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_pause_reasons"),
        ("routing", "0006_setbacks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="adjustment",
            name="kind",
            field=models.CharField(
                choices=[
                    ("credit_back", "credited back"),
                    ("by_hand", "given by hand"),
                    ("refund", "declined or timed out"),
                    ("undone", "hand-over undone"),
                ],
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="HandOver",
            fields=[
                (
                    "id",
                    routing.models.identifiers.PublicId(
                        default=routing.models.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "stages",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        default=list,
                        help_text="Empty: all active stages.",
                        size=None,
                    ),
                ),
                (
                    "also",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("tasks", "open tasks of the leads"),
                                ("contact", "contacts"),
                                ("company", "companies"),
                            ],
                            max_length=8,
                        ),
                        default=list,
                        size=None,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("at", models.DateTimeField()),
                (
                    "finished_at",
                    models.DateTimeField(help_text="Empty if it was interrupted and can be continued.", null=True),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "manager",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hand_overs",
                        to="accounts.manager",
                        verbose_name="from",
                    ),
                ),
                (
                    "to",
                    models.ForeignKey(
                        db_index=False,
                        help_text="Empty if the triggers decided.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.manager",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "hand-over",
                "ordering": ["-at"],
            },
        ),
        migrations.CreateModel(
            name="HandedLead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("why", models.CharField(help_text="The decision's reason", max_length=16)),
                (
                    "along",
                    models.JSONField(default=dict, help_text="Objects handed over with it: HandOver.Along → ids"),
                ),
                (
                    "undone",
                    models.CharField(
                        blank=True,
                        choices=[("back", "returned"), ("left", "not returned: it has moved on since the hand-over")],
                        max_length=4,
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="routing.decision",
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="routing.lead"),
                ),
                (
                    "stage",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="routing.stage",
                    ),
                ),
                (
                    "to",
                    models.ForeignKey(
                        db_index=False,
                        help_text="Empty if nobody could take it and it stayed.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.manager",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="routing.handover",
                    ),
                ),
            ],
            options={
                "verbose_name": "lead handed over",
                "verbose_name_plural": "leads handed over",
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="handover",
            index=models.Index(fields=["manager", "-at"], name="handover_of_a_manager"),
        ),
        migrations.AddConstraint(
            model_name="handedlead",
            constraint=models.UniqueConstraint(fields=("batch", "lead"), name="handedlead_once"),
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

"""Contacts made one, and what is kept so that it can be undone."""

import django.db.models.deletion
from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import routing.models.identifiers


def make_groups(apps, schema_editor):
    create_permissions(
        installed.get_app_config("routing"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="routing")
    Group.objects.get_or_create(name="Supervisors")[0].permissions.add(
        *ours.filter(codename__in=["view_merge", "merge_contact"])
    )
    Group.objects.get_or_create(name="Administrators")[0].permissions.add(
        *ours.filter(content_type__model__in=["merge", "contacttraits", "duplicatesearch"]),
        *ours.filter(codename="merge_contact"),
    )


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0036_placeholders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="contact",
            options={
                "permissions": [
                    ("erase_person", "Can export and erase a person's data"),
                    ("merge_contact", "Can merge contacts who are one person, and undo it"),
                ],
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
            },
        ),
        migrations.AlterField(
            model_name="leadevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("moved", "moved"),
                    ("reassigned", "reassigned by hand"),
                    ("credited_back", "credited back"),
                    ("handed_over", "handed over with a related lead"),
                    ("handed_along", "contact, company or task handed over with it"),
                    ("handed_all", "handed over with all leads of a manager"),
                    ("handed_back", "hand-over undone"),
                    ("fields_set", "fields set by the trigger"),
                    ("deadline_moved", "time to accept it changed"),
                    ("merged", "its contact merged with another"),
                    ("separated", "merge of its contact undone"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="Merge",
            fields=[
                (
                    "id",
                    routing.models.identifiers.PublicId(
                        default=routing.models.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kept", models.UUIDField(help_text="The contact that stayed")),
                ("merged", models.UUIDField(help_text="The contact that is no longer there")),
                ("at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("moved", models.JSONField(blank=True, default=dict, editable=False)),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "holder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="merges",
                        to="routing.contact",
                        verbose_name="contact",
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "merge",
                "verbose_name_plural": "merges",
                "ordering": ["-at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at", None)), fields=("merged",), name="merge_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kept", models.F("merged")), _negated=True), name="merge_of_two"
                    ),
                ],
            },
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

"""What people send again: a double click, and what a known person sends while a lead of theirs is open."""

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import routing.models.as_sent
import routing.models.identifiers

# The newest open lead of the person of which they were heard, by its arrival or an activity, so many hours before or after.
OPEN_LEAD = """
CREATE FUNCTION leadrouter_open_lead(person uuid, arrived timestamptz, hours integer) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT l.id FROM routing_lead l
    WHERE l.contact_id = person AND l.stage_id IN (SELECT s.id FROM routing_stage s WHERE s.kind IN ('unqualified', 'open'))
      AND (l.arrived_at BETWEEN arrived - hours * interval '1 hour' AND arrived + hours * interval '1 hour'
           OR EXISTS (SELECT FROM routing_activity a WHERE a.lead_id = l.id
                      AND a.at BETWEEN arrived - hours * interval '1 hour' AND arrived + hours * interval '1 hour'))
    ORDER BY l.arrived_at DESC, l.id DESC LIMIT 1
$$;
"""

# What a person who is known already sent before; intake asks it of each lead that may repeat something.
#   clicked: the lead of which it is a double click. open_lead: that of which it is an activity.
#   known, activity: what has its number, where another request has just stored it.
# Two who take leads of one person at once take turns: the lock is that of the person's first phone, e-mail or chat, which
# nobody asks for who holds a lead or a ledger. The contact itself would not do: whoever hands it over holds a ledger.
SENT_BEFORE = """
CREATE FUNCTION leadrouter_sent_before(
    person uuid, source_ bigint, number_ text, key_ uuid, arrived timestamptz, hours integer,
    OUT known uuid, OUT activity uuid, OUT clicked uuid, OUT open_lead uuid)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM routing_contactpoint p WHERE p.contact_id = person ORDER BY p.id LIMIT 1 FOR NO KEY UPDATE;
    IF key_ IS NOT NULL THEN
        SELECT l.id INTO clicked FROM routing_lead l
        WHERE l.contact_id = person AND l.source_id = source_ AND l.click_key = key_
          AND l.arrived_at BETWEEN arrived - interval '10 minutes' AND arrived + interval '10 minutes'
        ORDER BY l.arrived_at, l.id LIMIT 1;
    END IF;
    IF clicked IS NULL AND hours > 0 THEN
        IF number_ IS NOT NULL THEN
            SELECT l.id INTO known FROM routing_lead l WHERE l.source_id = source_ AND l.external_id = number_;
            IF known IS NULL THEN
                SELECT a.lead_id, a.id INTO known, activity FROM routing_activity a
                WHERE a.source_id = source_ AND a.external_id = number_;
            END IF;
        END IF;
        IF known IS NULL THEN
            SELECT leadrouter_open_lead(person, arrived, hours) INTO open_lead;
        END IF;
    END IF;
END $$;
"""
NO_SENT_BEFORE = "DROP FUNCTION leadrouter_sent_before(uuid, bigint, text, uuid, timestamptz, integer)"


def make_groups(apps, schema_editor):
    create_permissions(
        installed.get_app_config("routing"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="routing", content_type__model="activity")
    Group.objects.get_or_create(name="Supervisors")[0].permissions.add(*ours.filter(codename__startswith="view_"))
    Group.objects.get_or_create(name="Administrators")[0].permissions.add(*ours)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_repeat_hours"), ("routing", "0037_merges")]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                (
                    "id",
                    routing.models.identifiers.PublicId(
                        default=routing.models.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("form", "form"),
                            ("call", "call"),
                            ("mail", "mail"),
                            ("message", "message"),
                            ("chat", "chat"),
                            ("repeat", "sent twice"),
                        ],
                        max_length=63,
                    ),
                ),
                ("at", models.DateTimeField(help_text="When it reached the source")),
                ("created_at", models.DateTimeField(help_text="When it reached Leadrouter")),
                ("external_id", models.CharField(max_length=255, null=True)),
                ("data", models.JSONField(default=dict, help_text="The fields of a lead that came")),
                (
                    "as_sent",
                    routing.models.as_sent.AsSent(
                        blank=True, db_default="", help_text="Contact and company exactly as they came"
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="activities",
                        to="routing.lead",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="activities",
                        to="routing.source",
                    ),
                ),
            ],
            options={
                "verbose_name": "activity",
                "verbose_name_plural": "activities",
                "indexes": [
                    models.Index(fields=["lead", "at"], name="activity_of_a_lead"),
                    models.Index(fields=["at"], include=("source", "lead"), name="activity_told_by_arrival"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "external_id"), name="activity_external_id_once_per_source"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="importrow",
            name="same_as",
            field=models.PositiveIntegerField(
                help_text="The first row with the same cells, if there is one", null=True
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="click_key",
            field=models.UUIDField(
                editable=False,
                help_text="Digest of product and text as they came, to know a double click",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="double_click",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="The same person, product and text within 10 minutes is one lead.",
                verbose_name="double clicks are one lead",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="known",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "by the channel: mail an activity, others a lead"),
                    ("lead", "a lead of its own"),
                    ("event", "an activity of the open lead"),
                ],
                db_default="",
                help_text="What becomes of it while the person has an open lead, within the account's repeat hours.",
                max_length=5,
                verbose_name="what known persons send",
            ),
        ),
        migrations.RunSQL(OPEN_LEAD, "DROP FUNCTION leadrouter_open_lead(uuid, timestamptz, integer)"),
        migrations.RunSQL(SENT_BEFORE, NO_SENT_BEFORE),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

"""Indexes leave out what most leads and contacts lack: a company, a responsible, an identifier at the source.

An intake writes four index entries less. Each index is built beside running traffic before the one that it replaces goes.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

UNIQUE = """
CREATE UNIQUE INDEX CONCURRENTLY lead_external_id_once ON routing_lead (source_id, external_id)
WHERE external_id IS NOT NULL
"""
REPLACE = """
ALTER TABLE routing_lead DROP CONSTRAINT lead_external_id_once_per_source;
ALTER INDEX lead_external_id_once RENAME TO lead_external_id_once_per_source;
"""
RESTORE = """
ALTER TABLE routing_lead ADD CONSTRAINT lead_external_id_once UNIQUE (source_id, external_id);
DROP INDEX lead_external_id_once_per_source;
ALTER TABLE routing_lead RENAME CONSTRAINT lead_external_id_once TO lead_external_id_once_per_source;
"""


def optional(to: str, related_name: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(
        to,
        django.db.models.deletion.PROTECT,
        null=True,
        blank=True,
        related_name=related_name,
        db_index=False,
        **options,
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("routing", "0033_plainer_help_texts")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "contact", models.Index(fields=["company"], condition=Q(company__isnull=False), name="contact_of_a_company")
        ),
        AddIndexConcurrently(
            "contact",
            models.Index(fields=["responsible"], condition=Q(responsible__isnull=False), name="contact_of_a_manager"),
        ),
        AddIndexConcurrently(
            "lead", models.Index(fields=["company"], condition=Q(company__isnull=False), name="lead_of_a_company")
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS lead_external_id_once", migrations.RunSQL.noop),
                migrations.RunSQL(UNIQUE, migrations.RunSQL.noop),
                migrations.RunSQL(REPLACE, RESTORE),
            ],
            state_operations=[
                migrations.RemoveConstraint("lead", "lead_external_id_once_per_source"),
                migrations.AddConstraint(
                    "lead",
                    models.UniqueConstraint(
                        fields=["source", "external_id"],
                        condition=Q(external_id__isnull=False),
                        name="lead_external_id_once_per_source",
                    ),
                ),
            ],
        ),
        migrations.AlterField("contact", "company", optional("routing.company", "contacts")),
        migrations.AlterField(
            "contact", "responsible", optional("accounts.manager", "contacts", verbose_name="responsible")
        ),
        migrations.AlterField("lead", "company", optional("routing.company", "leads")),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]

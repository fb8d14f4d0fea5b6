"""What is compared of contacts to find possible duplicates, and pairs of whom somebody said that they are two persons."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Who changes what is compared marks it: the search looks again. What new leads bring it sees by their number, so taking a
# lead costs nothing more.
MARK = """
CREATE FUNCTION leadrouter_mark_traits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'routing_contact' THEN
        UPDATE routing_contacttraits SET stale = true WHERE contact_id = NEW.id AND NOT stale;
    ELSE
        UPDATE routing_contacttraits SET stale = true WHERE contact_id IN (OLD.contact_id, NEW.contact_id) AND NOT stale;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_traits AFTER UPDATE OF name, company_id ON routing_contact FOR EACH ROW
    WHEN ((OLD.name, OLD.company_id) IS DISTINCT FROM (NEW.name, NEW.company_id))
    EXECUTE FUNCTION leadrouter_mark_traits();
CREATE TRIGGER mark_traits AFTER UPDATE OF contact_id, company_id, region, postal_code, fields ON routing_lead FOR EACH ROW
    WHEN ((OLD.contact_id, OLD.company_id, OLD.region, OLD.postal_code, OLD.fields)
        IS DISTINCT FROM (NEW.contact_id, NEW.company_id, NEW.region, NEW.postal_code, NEW.fields))
    EXECUTE FUNCTION leadrouter_mark_traits();
CREATE TRIGGER mark_traits AFTER UPDATE OF contact_id, key ON routing_contactpoint FOR EACH ROW
    WHEN ((OLD.contact_id, OLD.key) IS DISTINCT FROM (NEW.contact_id, NEW.key))
    EXECUTE FUNCTION leadrouter_mark_traits();
"""
NO_MARK = """
DROP TRIGGER mark_traits ON routing_contact;
DROP TRIGGER mark_traits ON routing_lead;
DROP TRIGGER mark_traits ON routing_contactpoint;
DROP FUNCTION leadrouter_mark_traits();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0034_fewer_index_entries"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="possibleduplicate",
            name="dismissed_at",
            field=models.DateTimeField(
                blank=True, help_text="When somebody said that they are two; never proposed again", null=True
            ),
        ),
        migrations.AddField(
            model_name="possibleduplicate",
            name="dismissed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="ContactTraits",
            fields=[
                (
                    "contact",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="traits",
                        serialize=False,
                        to="routing.contact",
                    ),
                ),
                (
                    "traits",
                    models.JSONField(),
                ),
                (
                    "keys",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        size=None,
                    ),
                ),
                ("leads", models.PositiveIntegerField()),
                ("version", models.PositiveSmallIntegerField()),
                ("stale", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "verbose_name": "traits of a contact",
                "verbose_name_plural": "traits of contacts",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["keys"], name="contacttraits_by_key"
                    ),
                    models.Index(condition=models.Q(("stale", True)), fields=["contact"], name="contacttraits_stale"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DuplicateSearch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seen_until", models.DateTimeField()),
                (
                    "looked_at",
                    models.DateTimeField(null=True),
                ),
                (
                    "all_seen_at",
                    models.DateTimeField(null=True),
                ),
            ],
            options={
                "verbose_name": "search for possible duplicates",
                "verbose_name_plural": "searches for possible duplicates",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="duplicatesearch_is_one")],
            },
        ),
        migrations.RunSQL(MARK, NO_MARK),
    ]

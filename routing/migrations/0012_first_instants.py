"""On a lead: when it was first assigned and first accepted, and by whom; the database sees to it."""

import django.db.models.deletion
from django.db import migrations, models

# A lead that somebody has was assigned. The services say when; this catches who does not: the old code during an upgrade.
ASSIGNED = """
CREATE FUNCTION leadrouter_first_assigned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.assigned_at := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END;
    RETURN NEW;
END $$;
CREATE TRIGGER first_assigned BEFORE INSERT OR UPDATE OF responsible_id ON routing_lead FOR EACH ROW
    WHEN (NEW.responsible_id IS NOT NULL AND NEW.assigned_at IS NULL) EXECUTE FUNCTION leadrouter_first_assigned();
"""
NOT_ASSIGNED = """
DROP TRIGGER first_assigned ON routing_lead;
DROP FUNCTION leadrouter_first_assigned();
"""
# Whoever accepts an offer holds the lock of its lead.
ACCEPTED = """
CREATE FUNCTION leadrouter_first_accepted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE routing_lead SET accepted_at = NEW.closed_at, accepted_by_id = NEW.manager_id
    WHERE id = NEW.lead_id AND (accepted_at IS NULL OR accepted_at > NEW.closed_at);
    RETURN NULL;
END $$;
CREATE TRIGGER first_accepted AFTER UPDATE OF outcome ON routing_offer FOR EACH ROW
    WHEN (NEW.outcome = 'accepted' AND OLD.outcome <> 'accepted') EXECUTE FUNCTION leadrouter_first_accepted();
"""
NOT_ACCEPTED = """
DROP TRIGGER first_accepted ON routing_offer;
DROP FUNCTION leadrouter_first_accepted();
"""


class Migration(migrations.Migration):
    dependencies = [("routing", "0011_unqualified_leads"), ("accounts", "0002_configuration_version")]

    operations = [
        migrations.AddField(
            model_name="lead",
            name="assigned_at",
            field=models.DateTimeField(editable=False, help_text="When it was first assigned", null=True),
        ),
        migrations.AddField(
            model_name="lead",
            name="accepted_at",
            field=models.DateTimeField(editable=False, help_text="When it was first accepted", null=True),
        ),
        migrations.AddField(
            model_name="lead",
            name="accepted_by",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                help_text="The manager who first accepted it",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.manager",
            ),
        ),
        migrations.RunSQL(ASSIGNED, NOT_ASSIGNED),
        migrations.RunSQL(ACCEPTED, NOT_ACCEPTED),
    ]

"""Fill in when leads were first assigned and accepted, from their stories: a thousand at a time, each time for good."""

from django.db import migrations, transaction

AT_ONCE = 1_000
NIL = "00000000-0000-0000-0000-000000000000"

# Locked in the order in which all lock leads. What the trigger of 0012 wrote since, or a run before this, is no obstacle:
# the earlier instant is the first.
FILL = """
WITH lead AS (
    SELECT id, assigned_at, accepted_at FROM routing_lead WHERE id > %(after)s ORDER BY id LIMIT %(at_once)s FOR NO KEY UPDATE
), first AS (
    SELECT lead.id, assigned.at AS assigned_at, accepted.at AS accepted_at, accepted.manager_id FROM lead
    CROSS JOIN LATERAL (SELECT least(lead.assigned_at,
        (SELECT min(at) FROM routing_decision WHERE lead_id = lead.id AND outcome = 'assigned'),
        (SELECT min(at) FROM routing_leadevent WHERE lead_id = lead.id AND kind IN ('reassigned', 'handed_over'))) AS at) assigned
    LEFT JOIN LATERAL (
        SELECT closed_at AS at, manager_id FROM routing_offer WHERE lead_id = lead.id AND outcome = 'accepted'
        ORDER BY closed_at, id LIMIT 1) accepted ON true
    WHERE (assigned.at, accepted.at) IS DISTINCT FROM (lead.assigned_at, lead.accepted_at)
), filled AS (
    UPDATE routing_lead SET assigned_at = first.assigned_at, accepted_at = first.accepted_at, accepted_by_id = first.manager_id
    FROM first WHERE routing_lead.id = first.id
)
SELECT id FROM lead ORDER BY id DESC LIMIT 1
"""


def fill(apps, schema_editor):
    connection, after = schema_editor.connection, NIL
    while after:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(FILL, {"after": after, "at_once": AT_ONCE})
            [after] = cursor.fetchone() or [None]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself, beside running traffic

    dependencies = [("routing", "0012_first_instants")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]

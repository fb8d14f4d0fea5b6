"""What goes along with a lead follows when somebody gets it for good: when it is accepted, where acceptance is asked."""

import django.contrib.postgres.fields
from django.db import migrations, models

# got: leads that managers got for good, in the order of the decisions. takes: what follows the lead (also_assign); claims: of
# what its manager becomes responsible if nobody is (responsible_check); firm: it was accepted, or nobody asked for that:
# only then it takes leads along that somebody has for good. kinds: all of takes and claims, so that the others cost nothing.
GOT = """
ROWS FROM (json_to_recordset(got) AS (
    lead uuid, manager bigint, contact uuid, company uuid, takes text[], claims text[], firm boolean)) WITH ORDINALITY
    AS r (lead, manager, contact, company, takes, claims, firm, position)
"""
# Rows are locked first, in the order of their ids; who was responsible is read of the locked row. So of two who accept leads
# of one contact at the same moment, one becomes responsible where nobody was, and the story names who was before.
PARTY = """
IF '{party}' = ANY (kinds) THEN
    WITH sent AS (
        SELECT DISTINCT ON (r.{party}) r.{party} AS id, r.lead, r.manager, '{party}' = ANY (r.takes) AS takes FROM {got}
        WHERE r.{party} IS NOT NULL AND '{party}' = ANY (r.takes || r.claims)
        ORDER BY r.{party}, '{party}' = ANY (r.takes) DESC,  -- the last who takes it, else the first who claims it
            CASE WHEN '{party}' = ANY (r.takes) THEN -r.position ELSE r.position END
    ), before AS (
        SELECT c.id, c.responsible_id AS former, sent.lead, sent.manager FROM routing_{party} c JOIN sent ON sent.id = c.id
        WHERE CASE WHEN sent.takes THEN c.responsible_id IS DISTINCT FROM sent.manager ELSE c.responsible_id IS NULL END
        ORDER BY c.id FOR NO KEY UPDATE OF c
    ), handed AS (
        UPDATE routing_{party} c SET responsible_id = before.manager FROM before WHERE c.id = before.id
        RETURNING c.id, before.lead, before.manager, before.former
    )
    INSERT INTO routing_leadevent (lead_id, at, kind, by_id, data)
    SELECT lead, at_, 'handed_along', by_, jsonb_build_object('object', '{party}', 'id', id, 'from', former, 'to', manager) FROM handed;
END IF;
"""
TASKS = """
IF 'tasks' = ANY (kinds) THEN
    WITH before AS (
        SELECT t.id, t.responsible_id AS former, r.lead, r.manager FROM {got} JOIN routing_task t ON t.lead_id = r.lead
        WHERE 'tasks' = ANY (r.takes) AND t.done_at IS NULL AND t.responsible_id IS DISTINCT FROM r.manager
        ORDER BY t.id FOR NO KEY UPDATE OF t
    ), handed AS (
        UPDATE routing_task t SET responsible_id = before.manager FROM before WHERE t.id = before.id
        RETURNING t.id, before.lead, before.manager, before.former
    )
    INSERT INTO routing_leadevent (lead_id, at, kind, by_id, data)
    SELECT lead, at_, 'handed_along', by_, jsonb_build_object('object', 'task', 'id', id, 'from', former, 'to', manager) FROM handed;
END IF;
"""
# This is no distribution: no trigger runs and no limit applies.
LEADS = """
IF '{party}_leads' = ANY (kinds) THEN
    WITH sent AS (
        SELECT DISTINCT ON (r.{party}) r.{party} AS id, r.lead, r.manager, r.firm FROM {got}
        WHERE r.{party} IS NOT NULL AND '{party}_leads' = ANY (r.takes) ORDER BY r.{party}, r.position DESC
    ), before AS (
        SELECT o.id, o.responsible_id AS former, sent.lead, sent.manager FROM sent
        JOIN routing_lead o ON o.{party}_id = sent.id AND o.id <> sent.lead
        JOIN routing_stage stage ON stage.id = o.stage_id AND stage.kind IN ('unqualified', 'open')
        WHERE o.responsible_id IS DISTINCT FROM sent.manager AND (sent.firm OR o.state <> 'assigned')
        ORDER BY o.id FOR NO KEY UPDATE OF o
    ), handed AS (
        UPDATE routing_lead o SET responsible_id = before.manager, state = 'assigned', assigned_at = least(o.assigned_at, at_)
        FROM before WHERE o.id = before.id RETURNING o.id, before.lead, before.manager, before.former
    ), withdrawn AS (
        UPDATE routing_offer offer SET closed_at = greatest(offered_at, at_), outcome = 'withdrawn' FROM handed
        WHERE offer.lead_id = handed.id AND offer.closed_at IS NULL
    )
    INSERT INTO routing_leadevent (lead_id, at, kind, by_id, data)
    SELECT id, at_, 'handed_over', by_, jsonb_build_object('with', lead, 'from', former, 'to', manager) FROM handed;
END IF;
"""
FOLLOW = f"""
CREATE FUNCTION leadrouter_follow(got json, kinds text[], at_ timestamptz, by_ bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    {PARTY.format(party="contact", got=GOT)}
    {PARTY.format(party="company", got=GOT)}
    {TASKS.format(got=GOT)}
    {LEADS.format(party="contact", got=GOT)}
    {LEADS.format(party="company", got=GOT)}
END $$;
"""  # nosec B608  # of the words above
NOT_FOLLOW = "DROP FUNCTION leadrouter_follow(json, text[], timestamptz, bigint)"

# Whoever accepts, by whatever door and release: the old one would not have anything follow, for it did so at the offer.
ACCEPTED = """
CREATE FUNCTION leadrouter_follow_accepted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE accepted record;
BEGIN
    SELECT lead.id AS lead, NEW.manager_id AS manager, lead.contact_id AS contact, lead.company_id AS company,
           rule.also_assign AS takes, rule.responsible_check AS claims, true AS firm
    INTO accepted FROM routing_lead lead, routing_trigger rule WHERE lead.id = NEW.lead_id AND rule.id = NEW.trigger_id;
    IF cardinality(accepted.takes || accepted.claims) > 0 THEN
        PERFORM leadrouter_follow(json_build_array(row_to_json(accepted)), accepted.takes || accepted.claims, NEW.closed_at, NULL);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_accepted AFTER UPDATE OF outcome ON routing_offer FOR EACH ROW
    WHEN (NEW.outcome = 'accepted' AND OLD.outcome <> 'accepted') EXECUTE FUNCTION leadrouter_follow_accepted();
"""
NOT_ACCEPTED = """
DROP TRIGGER follow_accepted ON routing_offer;
DROP FUNCTION leadrouter_follow_accepted();
"""

# The release before moved all of it when it made an offer. What such an offer took goes back when it ends unaccepted, so far
# as it is still where it was put. A lead that had waited or was on offer waits again. A day after the migration this ends.
GIVE_BACK = """
CREATE FUNCTION leadrouter_give_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM routing_offer o WHERE o.lead_id = NEW.lead_id AND o.manager_id = NEW.manager_id
               AND o.outcome = 'accepted' AND o.closed_at = NEW.offered_at) THEN
        RETURN NULL;  -- they accepted the lead by moving it, and had it offered again: what followed is theirs
    END IF;
    WITH took AS (
        SELECT e.data ->> 'object' AS object, e.data ->> 'id' AS id, (e.data ->> 'from')::bigint AS former
        FROM routing_leadevent e WHERE e.lead_id = NEW.lead_id AND e.kind = 'handed_along' AND e.at = NEW.offered_at
        AND e.by_id IS NULL AND (e.data ->> 'to')::bigint = NEW.manager_id
    ), contacts AS (
        UPDATE routing_contact c SET responsible_id = took.former FROM took
        WHERE took.object = 'contact' AND c.id::text = took.id AND c.responsible_id = NEW.manager_id RETURNING took.*
    ), companies AS (
        UPDATE routing_company c SET responsible_id = took.former FROM took
        WHERE took.object = 'company' AND c.id::text = took.id AND c.responsible_id = NEW.manager_id RETURNING took.*
    ), tasks AS (
        UPDATE routing_task t SET responsible_id = took.former FROM took
        WHERE took.object = 'task' AND t.lead_id = NEW.lead_id AND t.id::text = took.id AND t.responsible_id = NEW.manager_id
        RETURNING took.*
    )
    INSERT INTO routing_leadevent (lead_id, at, kind, data)
    SELECT NEW.lead_id, NEW.closed_at, 'handed_along',
           jsonb_build_object('object', object, 'id', id, 'from', NEW.manager_id, 'to', former)
    FROM (SELECT * FROM contacts UNION ALL SELECT * FROM companies UNION ALL SELECT * FROM tasks) back;

    WITH took AS (
        SELECT o.id, (e.data ->> 'from')::bigint AS former, o.trigger_id, rule.stage_id = o.stage_id AS on_stage,
               EXISTS (SELECT FROM routing_offer f WHERE f.lead_id = o.id AND f.outcome = 'withdrawn'
                       AND f.manager_id = (e.data ->> 'from')::bigint AND f.closed_at = NEW.offered_at) AS offered
        FROM routing_lead lead JOIN routing_lead o ON (o.contact_id = lead.contact_id OR o.company_id = lead.company_id)
        JOIN routing_leadevent e ON e.lead_id = o.id AND e.kind = 'handed_over' AND e.at = NEW.offered_at
        JOIN routing_stage stage ON stage.id = o.stage_id AND stage.kind IN ('unqualified', 'open')
        LEFT JOIN routing_trigger rule ON rule.id = o.trigger_id
        WHERE lead.id = NEW.lead_id AND e.data ->> 'with' = NEW.lead_id::text AND o.responsible_id = NEW.manager_id
          AND o.state = 'assigned'
          AND NOT EXISTS (SELECT FROM routing_leadevent later WHERE later.lead_id = o.id AND later.id > e.id)
        ORDER BY o.id FOR NO KEY UPDATE OF o
    ), back AS (
        UPDATE routing_lead o SET
            state = CASE WHEN took.former IS NOT NULL AND NOT took.offered THEN 'assigned' WHEN took.on_stage THEN 'waiting'
                         WHEN took.former IS NOT NULL THEN 'assigned' ELSE 'idle' END,
            responsible_id = CASE WHEN took.former IS NOT NULL AND NOT (took.offered AND coalesce(took.on_stage, false)) THEN took.former END
        FROM took WHERE o.id = took.id RETURNING o.id, o.responsible_id
    )
    INSERT INTO routing_leadevent (lead_id, at, kind, data)
    SELECT id, NEW.closed_at, 'handed_back', jsonb_build_object('with', NEW.lead_id, 'from', NEW.manager_id, 'to', responsible_id)
    FROM back;
    RETURN NULL;
END $$;
DO $$ BEGIN
    EXECUTE format('CREATE TRIGGER give_back AFTER UPDATE OF outcome ON routing_offer FOR EACH ROW'
        ' WHEN (NEW.outcome IN (''declined'', ''timed_out'', ''withdrawn'') AND OLD.closed_at IS NULL AND NEW.offered_at < %L)'
        ' EXECUTE FUNCTION leadrouter_give_back()', now() + interval '1 day');
END $$;
"""
NOT_GIVE_BACK = """
DROP TRIGGER give_back ON routing_offer;
DROP FUNCTION leadrouter_give_back();
"""


class Migration(migrations.Migration):
    dependencies = [("routing", "0030_plural_names")]

    operations = [
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
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="trigger",
            name="also_assign",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("contact", "main contact"),
                        ("company", "company"),
                        ("tasks", "open tasks of the lead"),
                        ("contact_leads", "other active leads of the main contact"),
                        ("company_leads", "active leads of the company"),
                    ],
                    max_length=16,
                ),
                blank=True,
                default=list,
                help_text="Follow the lead once it is accepted; at once if nobody has to accept it.",
                size=None,
            ),
        ),
        migrations.RunSQL(FOLLOW, NOT_FOLLOW),
        migrations.RunSQL(ACCEPTED, NOT_ACCEPTED),
        migrations.RunSQL(GIVE_BACK, NOT_GIVE_BACK),
    ]

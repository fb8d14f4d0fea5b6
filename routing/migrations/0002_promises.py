"""What the database itself keeps: the load of each manager, every registry's ledger, one row per person and company."""

from django.db import migrations

# How many leads each manager holds in each stage, exact whoever writes a lead. Rows are taken in the order of the stage,
# so that two moves in opposite directions do not wait for each other.
LOAD = """
CREATE FUNCTION leadrouter_add_load(manager bigint, stage bigint, leads_ integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE routing_load SET leads = leads + leads_ WHERE stage_id = stage AND manager_id = manager;
    IF NOT FOUND THEN
        INSERT INTO routing_load (manager_id, stage_id, leads) VALUES (manager, stage, leads_)
        ON CONFLICT (stage_id, manager_id) DO UPDATE SET leads = routing_load.leads + EXCLUDED.leads;
    END IF;
END $$;
CREATE FUNCTION leadrouter_count_load() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM leadrouter_add_load(NEW.responsible_id, NEW.stage_id, 1);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM leadrouter_add_load(OLD.responsible_id, OLD.stage_id, -1);
    ELSIF (OLD.stage_id, coalesce(OLD.responsible_id, 0)) < (NEW.stage_id, coalesce(NEW.responsible_id, 0)) THEN
        IF OLD.responsible_id IS NOT NULL THEN PERFORM leadrouter_add_load(OLD.responsible_id, OLD.stage_id, -1); END IF;
        IF NEW.responsible_id IS NOT NULL THEN PERFORM leadrouter_add_load(NEW.responsible_id, NEW.stage_id, 1); END IF;
    ELSE
        IF NEW.responsible_id IS NOT NULL THEN PERFORM leadrouter_add_load(NEW.responsible_id, NEW.stage_id, 1); END IF;
        IF OLD.responsible_id IS NOT NULL THEN PERFORM leadrouter_add_load(OLD.responsible_id, OLD.stage_id, -1); END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_load_insert AFTER INSERT ON routing_lead FOR EACH ROW
    WHEN (NEW.responsible_id IS NOT NULL) EXECUTE FUNCTION leadrouter_count_load();
CREATE TRIGGER count_load_delete AFTER DELETE ON routing_lead FOR EACH ROW
    WHEN (OLD.responsible_id IS NOT NULL) EXECUTE FUNCTION leadrouter_count_load();
CREATE TRIGGER count_load_update AFTER UPDATE OF responsible_id, stage_id ON routing_lead FOR EACH ROW
    WHEN (OLD.responsible_id IS DISTINCT FROM NEW.responsible_id OR OLD.stage_id <> NEW.stage_id)
    EXECUTE FUNCTION leadrouter_count_load();
"""
NO_LOAD = """
DROP TRIGGER count_load_insert ON routing_lead;
DROP TRIGGER count_load_delete ON routing_lead;
DROP TRIGGER count_load_update ON routing_lead;
DROP FUNCTION leadrouter_count_load();
DROP FUNCTION leadrouter_add_load(bigint, bigint, integer);
"""

# The last word on limits, across registries: called when all is written, with the managers' rows locked.
LIMITS = """
CREATE FUNCTION leadrouter_check_limits(limits jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    over bigint;
BEGIN
    SELECT l.manager INTO over FROM jsonb_to_recordset(limits) AS l(manager bigint, stages bigint[], leads integer)
    WHERE (SELECT sum(leads) FROM routing_load WHERE manager_id = l.manager AND stage_id = ANY (l.stages)) > l.leads
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'manager % would hold more than the limit', over USING ERRCODE = 'LR001';
    END IF;
END $$;
"""

# A registry has its ledger from birth, and a trigger the registry of its own that it counts in when it names no other.
LEDGERS = """
CREATE FUNCTION leadrouter_open_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO routing_ledger (registry_id, turn, managers, balances, received, last_turns, added)
    VALUES (NEW.id, 0, '{}', '{}', '{}', '{}', 0);
    RETURN NULL;
END $$;
CREATE TRIGGER open_ledger AFTER INSERT ON routing_registry FOR EACH ROW EXECUTE FUNCTION leadrouter_open_ledger();
CREATE FUNCTION leadrouter_open_own_registry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO routing_registry (trigger_id, title, accounting, reset, refund_missed)
    VALUES (NEW.id, '', 'fair_share', 'never', false);
    RETURN NULL;
END $$;
CREATE TRIGGER open_own_registry AFTER INSERT ON routing_trigger
    FOR EACH ROW EXECUTE FUNCTION leadrouter_open_own_registry();
"""
NO_LEDGERS = """
DROP TRIGGER open_own_registry ON routing_trigger;
DROP FUNCTION leadrouter_open_own_registry();
DROP TRIGGER open_ledger ON routing_registry;
DROP FUNCTION leadrouter_open_ledger();
"""

# Finds or makes the contact and the company of a lead: by e-mail, then phone, then chat; by domain, then name. What the
# lead adds to a known contact (a phone beside the e-mail) is added unless somebody else has it. Of two who bring the
# same new person at once the second waits for the first, and finds the row.
PEOPLE = """
CREATE FUNCTION leadrouter_company(new_id uuid, name_ text, domain_ text, namekey text, domainkey text, at timestamptz,
                                   OUT company routing_company) LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(namekey, '') = '' AND domainkey IS NULL THEN RETURN; END IF;
    LOOP
        IF domainkey IS NOT NULL THEN
            SELECT * INTO company FROM routing_company c
            WHERE c.domain_key = domainkey;
            IF FOUND THEN RETURN; END IF;
            UPDATE routing_company c SET domain = domain_, domain_key = domainkey  -- known by its name alone until now
            WHERE c.name_key = namekey AND c.name_key <> '' AND c.domain_key IS NULL RETURNING * INTO company;
            IF FOUND THEN RETURN; END IF;
        ELSE
            SELECT * INTO company FROM routing_company c
            WHERE c.name_key = namekey ORDER BY c.domain_key NULLS FIRST, c.id LIMIT 1;
            IF FOUND THEN RETURN; END IF;
        END IF;
        INSERT INTO routing_company (id, name, domain, name_key, domain_key, created_at)
        VALUES (new_id, name_, domain_, coalesce(namekey, ''), domainkey, at) ON CONFLICT DO NOTHING
        RETURNING * INTO company;
        IF FOUND THEN RETURN; END IF;
    END LOOP;
END $$;
CREATE FUNCTION leadrouter_contact(new_id uuid, name_ text, email_ text, phone_ text, chat_ text,
                                   emailkey text, phonekey text, chatkey text, company uuid, at timestamptz,
                                   OUT contact routing_contact) LANGUAGE plpgsql AS $$
DECLARE
    known routing_contact;
BEGIN
    IF name_ = '' AND email_ = '' AND phone_ = '' AND chat_ = '' THEN RETURN; END IF;
    LOOP
        IF emailkey IS NOT NULL THEN SELECT * INTO known FROM routing_contact c WHERE c.email_key = emailkey; END IF;
        IF known.id IS NULL AND phonekey IS NOT NULL THEN
            SELECT * INTO known FROM routing_contact c WHERE c.phone_key = phonekey;
        END IF;
        IF known.id IS NULL AND chatkey IS NOT NULL THEN
            SELECT * INTO known FROM routing_contact c WHERE c.chat_key = chatkey;
        END IF;
        IF known.id IS NOT NULL THEN
            contact := known;
            -- What is somebody else's stays theirs: they are two contacts.
            IF EXISTS (SELECT FROM routing_contact c WHERE c.phone_key = phonekey AND c.id <> known.id) THEN phonekey := NULL; END IF;
            IF EXISTS (SELECT FROM routing_contact c WHERE c.chat_key = chatkey AND c.id <> known.id) THEN chatkey := NULL; END IF;
            IF (known.email_key IS NULL AND emailkey IS NOT NULL) OR (known.phone_key IS NULL AND phonekey IS NOT NULL)
               OR (known.chat_key IS NULL AND chatkey IS NOT NULL) OR (known.company_id IS NULL AND company IS NOT NULL)
               OR (known.name = '' AND name_ <> '') THEN
                BEGIN
                    UPDATE routing_contact c SET
                        name = CASE WHEN c.name = '' THEN name_ ELSE c.name END,
                        email = CASE WHEN c.email_key IS NULL AND emailkey IS NOT NULL THEN email_ ELSE c.email END,
                        phone = CASE WHEN c.phone_key IS NULL AND phonekey IS NOT NULL THEN phone_ ELSE c.phone END,
                        chat = CASE WHEN c.chat_key IS NULL AND chatkey IS NOT NULL THEN chat_ ELSE c.chat END,
                        email_key = coalesce(c.email_key, emailkey), phone_key = coalesce(c.phone_key, phonekey),
                        chat_key = coalesce(c.chat_key, chatkey), company_id = coalesce(c.company_id, company)
                    WHERE c.id = known.id RETURNING * INTO contact;
                EXCEPTION WHEN unique_violation THEN
                    NULL;  -- it became somebody else's just now
                END;
            END IF;
            RETURN;
        END IF;
        INSERT INTO routing_contact (id, name, email, phone, chat, email_key, phone_key, chat_key, company_id, created_at)
        VALUES (new_id, name_, email_, phone_, chat_, emailkey, phonekey, chatkey, company, at) ON CONFLICT DO NOTHING
        RETURNING * INTO contact;
        IF FOUND THEN RETURN; END IF;
    END LOOP;
END $$;
"""
NO_PEOPLE = """
DROP FUNCTION leadrouter_contact(uuid, text, text, text, text, text, text, text, uuid, timestamptz);
DROP FUNCTION leadrouter_company(uuid, text, text, text, text, timestamptz);
"""

WATCHED = (
    "routing_source",
    "routing_pipeline",
    "routing_stage",
    "routing_registry",
    "routing_trigger",
    "routing_trigger_limit_stages",
    "routing_member",
)
# Hot rows change in place: room on their pages spares the indexes.
FILLFACTOR = "ALTER TABLE routing_ledger SET (fillfactor = 50); ALTER TABLE routing_load SET (fillfactor = 70)"
# The arrays of large teams are stored apart, but not compressed: that would cost every decision more than its writing.
STORAGE = "; ".join(
    f"ALTER TABLE routing_{table} ALTER COLUMN {column} SET STORAGE EXTERNAL"
    for table, columns in {
        "ledger": ("managers", "balances", "received", "last_turns"),
        "decision": ("held", "balances", "received", "last_turns"),
    }.items()
    for column in columns
)


def watch(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION leadrouter_configuration_changed()",
        f"DROP TRIGGER configuration_changed ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("routing", "0001_initial"), ("accounts", "0002_configuration_version")]

    operations = [
        migrations.RunSQL(LOAD, NO_LOAD),
        migrations.RunSQL(LIMITS, "DROP FUNCTION leadrouter_check_limits(jsonb)"),
        migrations.RunSQL(LEDGERS, NO_LEDGERS),
        migrations.RunSQL(PEOPLE, NO_PEOPLE),
        migrations.RunSQL(FILLFACTOR, migrations.RunSQL.noop),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        *map(watch, WATCHED),
    ]

"""Contacts are found by their phones, e-mails and chats, and by who can be whom; the contact's own keys have had their day."""

from django.db import migrations, models

# Finds or makes the contact of a lead: by e-mail, then chat, then phone. A phone is often shared, so names must be able to
# be one person's; that is Python's to know. Where it does not know of a name yet, the answer asks, and nothing is written.
#   same, others: contacts whose names were compared: they can be, or cannot be, this person's.
#   matched: email, chat, phone or new. shares: contacts who have a key that came with it, as [id, name]. asked: likewise.
#   known_name, responsible, points: of a contact that is not new; the statement around this cannot see them yet.
#   elsewhere: other sources have sent leads of it.
# What the lead adds to a known contact is added unless somebody else has it. Of two who bring the same new person at once
# the second waits for the first, and finds the row. Keys are taken in one order, of e-mail, chat and phone.
MEET = """
CREATE FUNCTION leadrouter_meet(
    new_id uuid, name_ text, email_ text, emailkey text, chat_ text, chatkey text, phone_ text, phonekey text, extension_ text,
    chatphone text, company uuid, source_ bigint, same uuid[], others uuid[], at timestamptz,
    OUT met uuid, OUT matched text, OUT shares json, OUT asked json, OUT known_name text, OUT responsible bigint, OUT points json,
    OUT elsewhere boolean)
LANGUAGE plpgsql AS $$
DECLARE
    by_email uuid; by_chat uuid; by_phone uuid; by_chatphone uuid;
    candidate record; unknown json[]; wanted integer; written integer;
BEGIN
    IF name_ = '' AND email_ = '' AND phone_ = '' AND chat_ = '' THEN RETURN; END IF;
    LOOP
        SELECT (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'email' AND p.key = emailkey AND NOT p.shared),
               (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'chat' AND p.key = chatkey AND NOT p.shared),
               (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'phone' AND p.key = phonekey AND NOT p.shared)
        INTO by_email, by_chat, by_phone;
        IF chatphone IS NOT NULL THEN
            SELECT p.contact_id INTO by_chatphone FROM routing_contactpoint p
            WHERE p.kind = 'phone' AND p.key = chatphone AND NOT p.shared;
        END IF;
        met := coalesce(by_email, by_chat);
        matched := CASE WHEN by_email IS NOT NULL THEN 'email' WHEN by_chat IS NOT NULL THEN 'chat' END;
        IF met IS NULL AND (by_phone IS NOT NULL OR by_chatphone IS NOT NULL) THEN
            unknown := '{}';
            FOR candidate IN
                SELECT c.id, c.name FROM routing_contactpoint p JOIN routing_contact c ON c.id = p.contact_id
                WHERE p.kind = 'phone' AND p.key IN (phonekey, chatphone) ORDER BY p.shared, p.key <> phonekey, p.id
            LOOP
                IF name_ = '' OR candidate.name = '' OR lower(candidate.name) = lower(name_) OR candidate.id = ANY (same) THEN
                    met := candidate.id;
                    matched := CASE WHEN phonekey IS NULL THEN 'chat' ELSE 'phone' END;
                    EXIT;
                ELSIF NOT coalesce(candidate.id = ANY (others), false) THEN
                    unknown := unknown || json_build_array(candidate.id, candidate.name);
                END IF;
            END LOOP;
            IF met IS NULL AND cardinality(unknown) > 0 THEN
                asked := to_json(unknown);
                RETURN;
            END IF;
        END IF;
        IF met IS NULL THEN
            INSERT INTO routing_contactpoint (contact_id, kind, text, extension, key, shared, main, source_id, first_seen_at)
            SELECT new_id, v.kind, v.text, v.extension, v.key, v.shared, false, source_, at
            FROM (VALUES ('email', email_, '', emailkey, false),
                         ('chat', chat_, '', chatkey, by_chatphone IS NOT NULL),
                         ('phone', coalesce(chatphone, ''), '', chatphone, by_chatphone IS NOT NULL),
                         ('phone', phone_, extension_, phonekey, by_phone IS NOT NULL)) AS v (kind, text, extension, key, shared)
            WHERE v.text <> '' ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS written = ROW_COUNT;
            wanted := (email_ <> '')::integer + (chat_ <> '')::integer + (phone_ <> '')::integer + (chatphone IS NOT NULL)::integer;
            IF written = wanted THEN
                INSERT INTO routing_contact (id, name, email, phone, phone_extension, chat, company_id, created_at)
                VALUES (new_id, name_, email_, coalesce(nullif(phone_, ''), chatphone, ''), extension_, chat_, company, at);
                met := new_id;
                matched := 'new';
                EXIT;
            END IF;
            DELETE FROM routing_contactpoint WHERE contact_id = new_id;
        ELSIF (email_ = '' OR by_email = met) AND (chat_ = '' OR by_chat = met) AND (phone_ = '' OR by_phone = met)
                AND (chatphone IS NULL OR by_chatphone = met) THEN
            wanted := 0;  -- all is known
            written := 0;
        ELSE
            WITH new AS (
                SELECT v.* FROM (VALUES
                    ('email', email_, '', emailkey, by_email),
                    ('chat', chat_, '', chatkey, coalesce(by_chat, nullif(by_chatphone, met))),
                    ('phone', coalesce(chatphone, ''), '', chatphone, by_chatphone),
                    ('phone', phone_, extension_, phonekey, by_phone)) AS v (kind, text, extension, key, owner)
                WHERE v.text <> '' AND v.owner IS NULL AND NOT EXISTS (
                    SELECT FROM routing_contactpoint p
                    WHERE p.contact_id = met AND p.kind = v.kind AND (v.key IS NULL OR p.key = v.key))
            ), added AS (
                INSERT INTO routing_contactpoint (contact_id, kind, text, extension, key, shared, main, source_id, first_seen_at)
                SELECT met, kind, text, extension, key, false, false, source_, at FROM new ON CONFLICT DO NOTHING RETURNING id
            )
            SELECT (SELECT count(*) FROM new), (SELECT count(*) FROM added) INTO wanted, written;
            IF written > 0 THEN PERFORM leadrouter_show_points(met); END IF;
        END IF;
        IF met IS NOT NULL AND written = wanted THEN
            UPDATE routing_contact c SET name = CASE WHEN c.name = '' THEN name_ ELSE c.name END,
                company_id = coalesce(c.company_id, company)
            WHERE c.id = met AND ((c.name = '' AND name_ <> '') OR (c.company_id IS NULL AND company IS NOT NULL));
            EXIT;
        END IF;
        -- Somebody else made one of the keys just now: look again.
    END LOOP;

    IF by_chat <> met OR by_phone <> met OR by_chatphone <> met THEN
        SELECT json_agg(json_build_array(c.id, c.name)) INTO shares FROM routing_contact c
        WHERE c.id IN (by_chat, by_phone, by_chatphone) AND c.id <> met;
    END IF;
    IF shares IS NOT NULL AND matched <> 'new' THEN
        INSERT INTO routing_possibleduplicate (one_id, other_id, reasons, found_at)
        SELECT least(met, v.owner), greatest(met, v.owner), array_agg(DISTINCT v.reason), at
        FROM (VALUES (by_chat, 'shared_chat', 'chat', chatkey), (by_phone, 'shared_phone', 'phone', phonekey),
                     (by_chatphone, 'shared_phone', 'phone', chatphone)) AS v (owner, reason, kind, key)
        WHERE v.owner <> met AND NOT EXISTS (  -- known to be shared by two persons
            SELECT FROM routing_contactpoint p WHERE p.contact_id = met AND p.kind = v.kind AND p.key = v.key AND p.shared)
        GROUP BY v.owner ON CONFLICT DO NOTHING;
    END IF;
    IF matched <> 'new' THEN
        SELECT c.name, c.responsible_id INTO known_name, responsible FROM routing_contact c WHERE c.id = met;
        SELECT json_agg(json_build_array(p.kind, p.text, p.extension, p.key IS NOT NULL, p.shared, p.main, p.source_id, p.first_seen_at)
            ORDER BY p.main DESC, p.key IS NULL, p.first_seen_at DESC, p.id DESC)
        INTO points FROM routing_contactpoint p WHERE p.contact_id = met;
        elsewhere := EXISTS (SELECT FROM routing_lead l WHERE l.contact_id = met AND l.source_id IS DISTINCT FROM source_);
    END IF;
END $$;
"""
NO_MEET = """
DROP FUNCTION leadrouter_meet(uuid, text, text, text, text, text, text, text, text, text, uuid, bigint, uuid[], uuid[], timestamptz);
"""

# Processes from before call this; they do not compare names.
OLD_CONTACT = """
CREATE OR REPLACE FUNCTION leadrouter_contact(new_id uuid, name_ text, email_ text, phone_ text, chat_ text,
                                   emailkey text, phonekey text, chatkey text, company uuid, at timestamptz,
                                   OUT contact routing_contact) LANGUAGE plpgsql AS $$
DECLARE
    found record;
    known uuid[];
BEGIN
    phonekey := leadrouter_point_key('phone', phonekey);
    chatkey := leadrouter_point_key('chat', chatkey);
    SELECT array_agg(p.contact_id) INTO known FROM routing_contactpoint p WHERE p.kind = 'phone' AND p.key = phonekey;
    SELECT * INTO found FROM leadrouter_meet(new_id, name_, email_, emailkey, chat_, chatkey, phone_, phonekey, '', NULL, company,
        NULL, known, NULL, at);
    SELECT * INTO contact FROM routing_contact c WHERE c.id = found.met;
END $$;
"""
# And they may edit the keys of a contact: these become rows, and leave its own columns.
MOVE = """
DROP TRIGGER copy_points ON routing_contact;
DROP FUNCTION leadrouter_copy_points();
CREATE FUNCTION leadrouter_move_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO routing_contactpoint (contact_id, kind, text, key, shared, main, first_seen_at)
    SELECT NEW.id, v.kind, coalesce(nullif(v.text, ''), v.key), v.key, false, false,
        CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END
    FROM (VALUES ('email', NEW.email, NEW.email_key), ('chat', NEW.chat, leadrouter_point_key('chat', NEW.chat_key)),
          ('phone', NEW.phone, leadrouter_point_key('phone', NEW.phone_key))) AS v (kind, text, key)
    WHERE v.key IS NOT NULL ON CONFLICT DO NOTHING;
    NEW.email_key := NULL;
    NEW.phone_key := NULL;
    NEW.chat_key := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER move_keys BEFORE INSERT OR UPDATE OF email_key, phone_key, chat_key ON routing_contact FOR EACH ROW
    WHEN (NEW.email_key IS NOT NULL OR NEW.phone_key IS NOT NULL OR NEW.chat_key IS NOT NULL)
    EXECUTE FUNCTION leadrouter_move_keys();
"""


def without_index(name: str, length: int) -> migrations.AlterField:
    return migrations.AlterField(
        "contact", name, models.CharField(blank=True, editable=False, max_length=length, null=True)
    )


KEYS = {"email_key": 320, "phone_key": 20, "chat_key": 500}


class Migration(migrations.Migration):
    dependencies = [("routing", "0025_fill_contact_points")]

    operations = [
        migrations.RunSQL(MEET, NO_MEET),
        migrations.RunSQL(OLD_CONTACT, migrations.RunSQL.noop),
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        *(without_index(name, length) for name, length in KEYS.items()),
    ]

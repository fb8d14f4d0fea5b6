"""What identifies nobody: a table of the configuration, and contacts that are found without it."""

from importlib import import_module

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import accounts.history.configuration_tables

# As in 0026, with one thing more.
#   nobody: which of email, phone and chat identify nobody. Nobody is found by them. A new contact has them as shared by all,
#   so that they are nobody's key; a known one has them added only where it has nothing else of the kind.
MEET = """
CREATE FUNCTION leadrouter_meet(
    new_id uuid, name_ text, email_ text, emailkey text, chat_ text, chatkey text, phone_ text, phonekey text, extension_ text,
    chatphone text, company uuid, source_ bigint, same uuid[], others uuid[], nobody text[], at timestamptz,
    OUT met uuid, OUT matched text, OUT shares json, OUT asked json, OUT known_name text, OUT responsible bigint, OUT points json,
    OUT elsewhere boolean)
LANGUAGE plpgsql AS $$
DECLARE
    by_email uuid; by_chat uuid; by_phone uuid; by_chatphone uuid;
    candidate record; unknown json[]; wanted integer; written integer;
    emailknown text := CASE WHEN 'email' = ANY (nobody) THEN NULL ELSE emailkey END;
    chatknown text := CASE WHEN 'chat' = ANY (nobody) THEN NULL ELSE chatkey END;
    phoneknown text := CASE WHEN 'phone' = ANY (nobody) THEN NULL ELSE phonekey END;
    chatphoneknown text := CASE WHEN 'chat' = ANY (nobody) THEN NULL ELSE chatphone END;
BEGIN
    IF name_ = '' AND email_ = '' AND phone_ = '' AND chat_ = '' THEN RETURN; END IF;
    LOOP
        SELECT (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'email' AND p.key = emailknown AND NOT p.shared),
               (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'chat' AND p.key = chatknown AND NOT p.shared),
               (SELECT p.contact_id FROM routing_contactpoint p WHERE p.kind = 'phone' AND p.key = phoneknown AND NOT p.shared)
        INTO by_email, by_chat, by_phone;
        IF chatphoneknown IS NOT NULL THEN
            SELECT p.contact_id INTO by_chatphone FROM routing_contactpoint p
            WHERE p.kind = 'phone' AND p.key = chatphoneknown AND NOT p.shared;
        END IF;
        met := coalesce(by_email, by_chat);
        matched := CASE WHEN by_email IS NOT NULL THEN 'email' WHEN by_chat IS NOT NULL THEN 'chat' END;
        IF met IS NULL AND (by_phone IS NOT NULL OR by_chatphone IS NOT NULL) THEN
            unknown := '{}';
            FOR candidate IN
                SELECT c.id, c.name FROM routing_contactpoint p JOIN routing_contact c ON c.id = p.contact_id
                WHERE p.kind = 'phone' AND p.key IN (phoneknown, chatphoneknown) ORDER BY p.shared, p.key <> phoneknown, p.id
            LOOP
                IF name_ = '' OR candidate.name = '' OR lower(candidate.name) = lower(name_) OR candidate.id = ANY (same) THEN
                    met := candidate.id;
                    matched := CASE WHEN phoneknown IS NULL THEN 'chat' ELSE 'phone' END;
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
            SELECT new_id, v.kind, v.text, v.extension, v.key, v.key IS NOT NULL AND (v.known IS NULL OR v.owned), false, source_, at
            FROM (VALUES ('email', email_, '', emailkey, emailknown, false),
                         ('chat', chat_, '', chatkey, chatknown, by_chatphone IS NOT NULL),
                         ('phone', coalesce(chatphone, ''), '', chatphone, chatphoneknown, by_chatphone IS NOT NULL),
                         ('phone', phone_, extension_, phonekey, phoneknown, by_phone IS NOT NULL))
                AS v (kind, text, extension, key, known, owned)
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
                    ('email', email_, '', emailkey, emailknown, by_email),
                    ('chat', chat_, '', chatkey, chatknown, coalesce(by_chat, nullif(by_chatphone, met))),
                    ('phone', coalesce(chatphone, ''), '', chatphone, chatphoneknown, by_chatphone),
                    ('phone', phone_, extension_, phonekey, phoneknown, by_phone)) AS v (kind, text, extension, key, known, owner)
                WHERE v.text <> '' AND v.owner IS NULL AND NOT EXISTS (
                    SELECT FROM routing_contactpoint p
                    WHERE p.contact_id = met AND p.kind = v.kind AND (v.known IS NULL OR p.key = v.key))
            ), added AS (
                INSERT INTO routing_contactpoint (contact_id, kind, text, extension, key, shared, main, source_id, first_seen_at)
                SELECT met, kind, text, extension, key, key IS NOT NULL AND known IS NULL, false, source_, at FROM new ON CONFLICT DO NOTHING RETURNING id
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
        FROM (VALUES (by_chat, 'shared_chat', 'chat', chatknown), (by_phone, 'shared_phone', 'phone', phoneknown),
                     (by_chatphone, 'shared_phone', 'phone', chatphoneknown)) AS v (owner, reason, kind, key)
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
# Processes from before call it without `nobody`.
OLD_MEET = """
CREATE OR REPLACE FUNCTION leadrouter_meet(
    new_id uuid, name_ text, email_ text, emailkey text, chat_ text, chatkey text, phone_ text, phonekey text, extension_ text,
    chatphone text, company uuid, source_ bigint, same uuid[], others uuid[], at timestamptz,
    OUT met uuid, OUT matched text, OUT shares json, OUT asked json, OUT known_name text, OUT responsible bigint, OUT points json,
    OUT elsewhere boolean)
LANGUAGE sql AS $$
    SELECT * FROM leadrouter_meet(new_id, name_, email_, emailkey, chat_, chatkey, phone_, phonekey, extension_, chatphone,
        company, source_, same, others, '{}'::text[], at)
$$;
"""
BEFORE = import_module("routing.migrations.0026_meet_contacts").MEET.replace("CREATE", "CREATE OR REPLACE", 1)
NO_MEET = """
DROP FUNCTION leadrouter_meet(uuid, text, text, text, text, text, text, text, text, text, uuid, bigint, uuid[], uuid[], text[],
    timestamptz);
"""


def make_groups(apps, schema_editor):
    create_permissions(
        installed.get_app_config("routing"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(content_type__app_label="routing", content_type__model="placeholder")
    for name in ("Supervisors", "Administrators"):
        Group.objects.get_or_create(name=name)[0].permissions.add(*ours)


class Migration(migrations.Migration):
    dependencies = [("routing", "0035_possible_duplicates")]

    operations = [
        migrations.CreateModel(
            name="Placeholder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("mail_provider", "domain of a mail provider"),
                            ("social_network", "domain of a site that many use, such as a social network"),
                            ("company", "name that is no company's"),
                            ("mailbox", "mailbox of a company, such as info@"),
                            ("email", "e-mail address"),
                            ("phone", "phone number"),
                            ("chat", "chat handle"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "value",
                    models.CharField(
                        help_text="Spelling does not matter: case, accents, “www.” and dots in a mailbox make no difference.",
                        max_length=500,
                    ),
                ),
                (
                    "identifies",
                    models.BooleanField(
                        default=False,
                        help_text="Tick this for a value that the built-in list has, but that one person or company uses here.",
                        verbose_name="identifies somebody after all",
                    ),
                ),
            ],
            options={
                "verbose_name": "value that identifies nobody",
                "verbose_name_plural": "values that identify nobody",
                "ordering": ["kind", "value"],
                "constraints": [
                    accounts.history.configuration_tables.Versioned(name="routing_placeholder_versioned"),
                    accounts.history.configuration_tables.Recorded(name="routing_placeholder_recorded"),
                    models.UniqueConstraint(
                        fields=("kind", "value"),
                        name="placeholder_once",
                        violation_error_message="This value is on the list already.",
                    ),
                ],
            },
        ),
        migrations.RunSQL(MEET, NO_MEET),
        migrations.RunSQL(OLD_MEET, BEFORE),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]

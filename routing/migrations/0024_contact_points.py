"""Phones, e-mails and chats of a contact as rows; what a lead was sent with, beside whom it was taken for."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import routing.models.as_sent

# The key of before, as it is compared now: Argentina's numbers without the 9, a number given as a chat handle as the number.
KEY = """
CREATE FUNCTION leadrouter_point_key(kind text, key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN kind = 'phone' THEN regexp_replace(key, '^\\+549(\\d{10})$', '+54\\1')
        WHEN kind = 'chat' AND key ~ '^\\+[\\d\\s().-]{7,}$' THEN '+' || regexp_replace(key, '\\D', '', 'g')
        WHEN kind = 'chat' AND key ~ '^((https?://)?(www\\.)?wa\\.me/\\+?\\d{7,15}/?|\\d{7,15}@(c\\.us|s\\.whatsapp\\.net))$'
            THEN '+' || substring(key FROM '\\d{7,15}')
        ELSE key END
$$;
"""
NO_KEY = "DROP FUNCTION leadrouter_point_key(text, text)"

# Until all processes are new, the old ones write keys into the contact's own columns: the rows follow.
COPY = """
CREATE FUNCTION leadrouter_copy_points() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO routing_contactpoint (contact_id, kind, text, key, shared, main, first_seen_at)
    SELECT NEW.id, v.kind, coalesce(nullif(v.text, ''), v.key), v.key, false, false,
        CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE now() END
    FROM (VALUES ('email', NEW.email, NEW.email_key), ('chat', NEW.chat, leadrouter_point_key('chat', NEW.chat_key)),
          ('phone', NEW.phone, leadrouter_point_key('phone', NEW.phone_key))) AS v (kind, text, key)
    WHERE v.key IS NOT NULL ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER copy_points AFTER INSERT OR UPDATE OF email_key, phone_key, chat_key ON routing_contact FOR EACH ROW
    WHEN (NEW.email_key IS NOT NULL OR NEW.phone_key IS NOT NULL OR NEW.chat_key IS NOT NULL)
    EXECUTE FUNCTION leadrouter_copy_points();
"""
NO_COPY = """
DROP TRIGGER copy_points ON routing_contact;
DROP FUNCTION leadrouter_copy_points();
"""

# What is shown of a contact is the echo of its rows: of each kind the main one, else the newest that can be read.
SHOW = """
CREATE FUNCTION leadrouter_show_points(person uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE routing_contact c SET email = coalesce(shown.emails[1], ''), phone = coalesce(shown.phones[1], ''),
        phone_extension = coalesce(shown.extensions[1], ''), chat = coalesce(shown.chats[1], ''),
        other_emails = coalesce(array_to_string(shown.emails[2:], ' '), '')
    FROM (
        SELECT array_agg(text) FILTER (WHERE kind = 'email') AS emails, array_agg(text) FILTER (WHERE kind = 'phone') AS phones,
            array_agg(extension) FILTER (WHERE kind = 'phone') AS extensions, array_agg(text) FILTER (WHERE kind = 'chat') AS chats
        FROM (SELECT kind, text, extension FROM routing_contactpoint WHERE contact_id = person
              ORDER BY main DESC, key IS NULL, first_seen_at DESC, id DESC) point
    ) shown WHERE c.id = person
$$;
"""

# A key that its owner no longer has is of the first who shares it: no number is left without a person. The contact is
# written anew, so that pages which show it notice.
PASS_ON = """
CREATE FUNCTION leadrouter_pass_key_on() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    heir uuid;
BEGIN
    UPDATE routing_contactpoint SET shared = false
    WHERE id = (SELECT id FROM routing_contactpoint WHERE kind = OLD.kind AND key = OLD.key AND shared ORDER BY id LIMIT 1)
      AND NOT EXISTS (SELECT FROM routing_contactpoint WHERE kind = OLD.kind AND key = OLD.key AND NOT shared)
    RETURNING contact_id INTO heir;
    IF heir IS NOT NULL THEN PERFORM leadrouter_show_points(heir); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER pass_key_on AFTER DELETE OR UPDATE OF key, shared ON routing_contactpoint FOR EACH ROW
    WHEN (OLD.key IS NOT NULL AND NOT OLD.shared) EXECUTE FUNCTION leadrouter_pass_key_on();
"""
NO_PASS_ON = """
DROP TRIGGER pass_key_on ON routing_contactpoint;
DROP FUNCTION leadrouter_pass_key_on();
"""


def make_groups(apps, schema_editor):
    create_permissions(
        installed.get_app_config("routing"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ours = Permission.objects.filter(
        content_type__app_label="routing", content_type__model__in=["contactpoint", "possibleduplicate"]
    )
    Group.objects.get_or_create(name="Supervisors")[0].permissions.add(*ours.filter(codename__startswith="view_"))
    Group.objects.get_or_create(name="Administrators")[0].permissions.add(*ours)


class Migration(migrations.Migration):
    dependencies = [("routing", "0023_imports_ask_for_the_order_of_dates")]

    operations = [
        migrations.CreateModel(
            name="ContactPoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("email", "e-mail"), ("phone", "phone"), ("chat", "chat")], max_length=5),
                ),
                (
                    "text",
                    models.CharField(
                        help_text="Normalized where it can be read, otherwise as it was written", max_length=500
                    ),
                ),
                ("extension", models.CharField(blank=True, db_default="", max_length=8)),
                (
                    "key",
                    models.CharField(
                        db_collation="C",
                        editable=False,
                        help_text="Normalized, used to compare",
                        max_length=500,
                        null=True,
                    ),
                ),
                (
                    "shared",
                    models.BooleanField(
                        default=False, editable=False, help_text="The key belongs to another contact, who has it too"
                    ),
                ),
                ("main", models.BooleanField(default=False, help_text="Shown first")),
                ("first_seen_at", models.DateTimeField(editable=False)),
                (
                    "contact",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="points",
                        to="routing.contact",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="routing.source",
                    ),
                ),
            ],
            options={
                "verbose_name": "phone, e-mail or chat",
                "verbose_name_plural": "phones, e-mails and chats",
            },
        ),
        migrations.AddIndex(
            model_name="contactpoint",
            index=models.Index(
                condition=models.Q(("shared", True)), fields=["kind", "key"], name="contact_point_shared"
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("shared", False)), fields=("kind", "key"), name="contact_point_of_one_contact"
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.UniqueConstraint(fields=("contact", "kind", "key"), name="contact_point_once"),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.UniqueConstraint(
                condition=models.Q(("main", True)), fields=("contact", "kind"), name="contact_point_main_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("shared", False), ("key__isnull", False), _connector="OR"),
                name="contact_point_shares_a_key",
            ),
        ),
        migrations.CreateModel(
            name="PossibleDuplicate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), help_text="Codes", size=None
                    ),
                ),
                ("found_at", models.DateTimeField()),
                (
                    "one",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="routing.contact",
                    ),
                ),
                (
                    "other",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="routing.contact"
                    ),
                ),
            ],
            options={
                "verbose_name": "possible duplicate",
                "verbose_name_plural": "possible duplicates",
            },
        ),
        migrations.AddConstraint(
            model_name="possibleduplicate",
            constraint=models.UniqueConstraint(fields=("one", "other"), name="possible_duplicate_once"),
        ),
        migrations.AddConstraint(
            model_name="possibleduplicate",
            constraint=models.CheckConstraint(
                condition=models.Q(("one__lt", models.F("other"))), name="possible_duplicate_in_order"
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="other_emails",
            field=models.TextField(blank=True, db_default="", editable=False),
        ),
        migrations.AddField(
            model_name="contact",
            name="phone_extension",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=8),
        ),
        migrations.AlterField(
            model_name="contact", name="chat", field=models.CharField(blank=True, editable=False, max_length=500)
        ),
        migrations.AlterField(
            model_name="contact",
            name="email",
            field=models.CharField(blank=True, editable=False, max_length=500, verbose_name="e-mail"),
        ),
        migrations.AlterField(
            model_name="contact", name="phone", field=models.CharField(blank=True, editable=False, max_length=200)
        ),
        migrations.AddField(
            model_name="lead",
            name="as_sent",
            field=routing.models.as_sent.AsSent(
                blank=True, db_default="", editable=False, help_text="Contact and company exactly as they came"
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="also_sent",
            field=models.TextField(
                blank=True,
                db_default="",
                editable=False,
                help_text="Words of it that contact and company do not show, to search",
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="matched_by",
            field=models.CharField(
                blank=True,
                choices=[("email", "e-mail"), ("chat", "chat"), ("phone", "phone"), ("new", "new")],
                db_default="",
                editable=False,
                help_text="By what its contact was found",
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="lead",
            name="shares_with",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                blank=True,
                db_default=models.Value("{}"),
                default=list,
                editable=False,
                help_text="Other contacts who have a number, address or handle that came with it",
                size=None,
            ),
        ),
        migrations.RunSQL(KEY, NO_KEY),
        migrations.RunSQL(COPY, NO_COPY),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
        migrations.RunSQL(PASS_ON, NO_PASS_ON),
        migrations.RunSQL(SHOW, "DROP FUNCTION leadrouter_show_points(uuid)"),
    ]

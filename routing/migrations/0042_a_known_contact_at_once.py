"""Read all of a known contact that intake asks for by one statement."""

from importlib import import_module

from django.db import migrations

THREE = """\
        SELECT c.name, c.responsible_id INTO known_name, responsible FROM routing_contact c WHERE c.id = met;
        SELECT json_agg(json_build_array(p.kind, p.text, p.extension, p.key IS NOT NULL, p.shared, p.main, p.source_id, p.first_seen_at)
            ORDER BY p.main DESC, p.key IS NULL, p.first_seen_at DESC, p.id DESC)
        INTO points FROM routing_contactpoint p WHERE p.contact_id = met;
        elsewhere := EXISTS (SELECT FROM routing_lead l WHERE l.contact_id = met AND l.source_id IS DISTINCT FROM source_);
"""
ONE = """\
        SELECT c.name, c.responsible_id, (
                SELECT json_agg(json_build_array(p.kind, p.text, p.extension, p.key IS NOT NULL, p.shared, p.main, p.source_id,
                    p.first_seen_at) ORDER BY p.main DESC, p.key IS NULL, p.first_seen_at DESC, p.id DESC)
                FROM routing_contactpoint p WHERE p.contact_id = met),
            EXISTS (SELECT FROM routing_lead l WHERE l.contact_id = met AND l.source_id IS DISTINCT FROM source_)
        INTO known_name, responsible, points, elsewhere FROM routing_contact c WHERE c.id = met;
"""
_0040 = import_module("routing.migrations.0040_one_index_tells")
BEFORE = _0040.BEFORE.replace(_0040.WRITTEN, _0040.BY_KEY)
AFTER = BEFORE.replace(THREE, ONE)


class Migration(migrations.Migration):
    dependencies = [("routing", "0041_words_of_activities")]

    operations = [migrations.RunSQL(AFTER, BEFORE)]

from django.db import migrations

RENAME_PERMISSIONS = """
    UPDATE auth_permission
    SET codename = replace(codename, '{old}', '{new}'), name = replace(name, '{old_words}', '{new_words}')
    WHERE codename LIKE '%\\_{old}' AND content_type_id IN
        (SELECT id FROM django_content_type WHERE app_label = 'routing' AND model IN ('undertaking', 'sweepbatch'))
"""
OLD = {"old": "undertaking", "old_words": "undertaking"}
NEW = {"old": "sweepbatch", "old_words": "sweep batch"}


class Migration(migrations.Migration):
    dependencies = [("routing", "0021_history_for_replay")]

    # The table keeps its name, so that processes of the version before can go on during an upgrade.
    operations = [
        migrations.AlterModelTable("Undertaking", "routing_undertaking"),
        migrations.RenameModel("Undertaking", "SweepBatch"),
        migrations.RunSQL(
            RENAME_PERMISSIONS.format(**OLD, new="sweepbatch", new_words="sweep batch"),
            RENAME_PERMISSIONS.format(**NEW, new="undertaking", new_words="undertaking"),
        ),
    ]

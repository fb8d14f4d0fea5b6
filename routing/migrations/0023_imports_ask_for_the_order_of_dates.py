import django.contrib.postgres.fields
from django.db import migrations, models


def ask_again(apps, schema_editor):
    """Work out the order from the column where the import has not begun; nobody was asked before."""
    batches = apps.get_model("routing", "LeadImport").objects.using(schema_editor.connection.alias)
    batches.filter(started_at=None, month_first=False).update(month_first=None)


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0022_sweep_batch"),
    ]

    operations = [
        migrations.AddField(
            model_name="leadimport",
            name="checked",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="How many rows were checked before the start, which would be refused, by which choices",
            ),
        ),
        migrations.AddField(
            model_name="leadimport",
            name="joined",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=32),
                db_default=[],
                default=list,
                help_text="Fields that several columns together are",
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="leadimport",
            name="month_first",
            field=models.BooleanField(
                help_text="Whether 03/02/2026 is March 2; empty: nobody has said it.",
                null=True,
                verbose_name="order of day and month",
            ),
        ),
        migrations.RunPython(ask_again, migrations.RunPython.noop, elidable=True),
    ]

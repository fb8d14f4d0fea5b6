from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0029_hand_overs_in_the_worker"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="adjustment",
            options={"ordering": ["-at", "-id"], "verbose_name": "adjustment", "verbose_name_plural": "adjustments"},
        ),
        migrations.AlterModelOptions(
            name="apikey",
            options={"ordering": ["name"], "verbose_name": "API key", "verbose_name_plural": "API keys"},
        ),
        migrations.AlterModelOptions(
            name="contact",
            options={
                "permissions": [("erase_person", "Can export and erase a person's data")],
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
            },
        ),
        migrations.AlterModelOptions(
            name="decision",
            options={"ordering": ["id"], "verbose_name": "decision", "verbose_name_plural": "decisions"},
        ),
        migrations.AlterModelOptions(
            name="handover",
            options={"ordering": ["-at"], "verbose_name": "hand-over", "verbose_name_plural": "hand-overs"},
        ),
        migrations.AlterModelOptions(
            name="intakerequest",
            options={"verbose_name": "intake request", "verbose_name_plural": "intake requests"},
        ),
        migrations.AlterModelOptions(
            name="lead",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("view_unqualified", "Can see the Unqualified section and where its leads came from"),
                    ("export_lead", "Can export leads with their contacts as a file"),
                ],
                "verbose_name": "lead",
                "verbose_name_plural": "leads",
            },
        ),
        migrations.AlterModelOptions(
            name="leadevent",
            options={"ordering": ["at", "id"], "verbose_name": "lead event", "verbose_name_plural": "lead events"},
        ),
        migrations.AlterModelOptions(
            name="member",
            options={"ordering": ["position", "id"], "verbose_name": "member", "verbose_name_plural": "members"},
        ),
        migrations.AlterModelOptions(
            name="offer",
            options={"ordering": ["id"], "verbose_name": "offer", "verbose_name_plural": "offers"},
        ),
        migrations.AlterModelOptions(
            name="pipeline",
            options={"ordering": ["position", "id"], "verbose_name": "pipeline", "verbose_name_plural": "pipelines"},
        ),
        migrations.AlterModelOptions(
            name="setback",
            options={
                "ordering": ["-set_aside_at", "next_try_at"],
                "verbose_name": "setback",
                "verbose_name_plural": "setbacks",
            },
        ),
        migrations.AlterModelOptions(
            name="source",
            options={"ordering": ["code"], "verbose_name": "source", "verbose_name_plural": "sources"},
        ),
        migrations.AlterModelOptions(
            name="stage",
            options={
                "ordering": ["pipeline", "position", "id"],
                "verbose_name": "stage",
                "verbose_name_plural": "stages",
            },
        ),
        migrations.AlterModelOptions(
            name="task",
            options={"verbose_name": "task", "verbose_name_plural": "tasks"},
        ),
        migrations.AlterModelOptions(
            name="trigger",
            options={
                "ordering": ["stage", "priority", "id"],
                "verbose_name": "trigger",
                "verbose_name_plural": "triggers",
            },
        ),
        migrations.AlterModelOptions(
            name="unqualifiedlead",
            options={"verbose_name": "unqualified lead", "verbose_name_plural": "unqualified leads"},
        ),
    ]

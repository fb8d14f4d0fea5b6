"""The groups Managers, Supervisors and Administrators, and what each may do."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

# model -> letters: view, add, change, delete
SUPERVISORS = {
    "accounts": {
        "account": "v",
        "user": "vac",  # the admin lets them change plain users only, and rights not at all
        "manager": "vac",
        "workschedule": "vacd",
        "scheduleexception": "vacd",
        "pause": "vac",
    },
    "routing": {
        "source": "vacd",
        "apikey": "vac",
        "refusedintake": "vc",
        "pipeline": "vacd",
        "stage": "vacd",
        "registry": "vacd",
        "ledger": "v",
        "adjustment": "v",
        "trigger": "vacd",
        "member": "vacd",
        "company": "vac",
        "contact": "vac",
        "lead": "vc",
        "leadevent": "v",
        "task": "vacd",
        "decision": "v",
        "offer": "v",
        "load": "v",
        "heartbeat": "v",
    },
}
ADMINISTRATORS = ("accounts", "routing", "reports", "django_celery_beat")  # all there is
VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}


def make_groups(apps, schema_editor):
    # Permissions come into being after all migrations; the groups need them now.
    for label in ("auth", *ADMINISTRATORS):
        create_permissions(
            installed.get_app_config(label), apps=apps, using=schema_editor.connection.alias, verbosity=0
        )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    known = {(p.content_type.app_label, p.codename): p for p in Permission.objects.select_related("content_type")}
    Group.objects.get_or_create(name="Managers")
    supervisors = {
        (label, f"{VERBS[letter]}_{model}")
        for label, models in SUPERVISORS.items()
        for model, letters in models.items()
        for letter in letters
    } | {("routing", "view_unqualified")}
    Group.objects.get_or_create(name="Supervisors")[0].permissions.add(*(known[name] for name in sorted(supervisors)))
    Group.objects.get_or_create(name="Administrators")[0].permissions.add(
        *(permission for (label, _), permission in known.items() if label in ADMINISTRATORS),
        *(known["auth", f"{verb}_group"] for verb in VERBS.values()),
    )


def remove_groups(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=["Managers", "Supervisors", "Administrators"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0002_promises"),
        ("accounts", "0002_configuration_version"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="lead",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("view_unqualified", "Can see the Unqualified section and where its leads came from")],
                "verbose_name": "lead",
            },
        ),
        migrations.RunPython(make_groups, remove_groups),
    ]

"""The permissions of the reports, and who has them: supervisors and administrators."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

GROUPS = ("Supervisors", "Administrators")


def permit(apps, schema_editor):
    # Permissions come into being after all migrations; the groups need them now.
    create_permissions(
        installed.get_app_config("reports"), apps=apps, using=schema_editor.connection.alias, verbosity=0
    )
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    permissions = Permission.objects.filter(content_type__app_label="reports")
    for group in Group.objects.filter(name__in=GROUPS):
        group.permissions.add(*permissions)


def forbid(apps, schema_editor):
    apps.get_model("auth", "Permission").objects.filter(content_type__app_label="reports").delete()


class Migration(migrations.Migration):
    initial = True
    dependencies = [("routing", "0003_roles")]

    operations = [
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))
            ],
            options={
                "permissions": [
                    ("view_fairness", "Can see the fairness report"),
                    ("view_response", "Can see the report of response times"),
                    ("view_workload", "Can see the report of workload against limits"),
                    ("view_redistribution", "Can see the report of redistribution"),
                    ("view_conversion", "Can see the report of conversion"),
                    ("view_waiting", "Can see the report of waiting leads"),
                ],
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.RunPython(permit, forbid),
    ]

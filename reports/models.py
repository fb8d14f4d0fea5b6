"""Permissions of the reports. Reports have no tables."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Report(models.Model):  # noqa: DJ008  # nobody sees one
    """Has no table; permissions need a model."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [
            ("view_fairness", _("Can see the fairness report")),
            ("view_response", _("Can see the report of response times")),
            ("view_workload", _("Can see the report of workload against limits")),
            ("view_redistribution", _("Can see the report of redistribution")),
            ("view_conversion", _("Can see the report of conversion")),
            ("view_waiting", _("Can see the report of waiting leads")),
        ]

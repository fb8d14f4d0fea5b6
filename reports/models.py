"""What may be permitted of the reports. They have no tables of their own."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Report(models.Model):  # noqa: DJ008  # nobody sees one
    """No table: permissions need a name to hang on."""

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

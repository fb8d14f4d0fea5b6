"""What a sender says of a lead, as JSON → what services take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .fields import COMPANY, CONTACT, LEAD
from .kinds import BadValue, Flag, Form, Identifier, in_utc, refuse
from .limits import AHEAD

CONTACT_FORM = Form({field.name: field.kind for field in CONTACT})
COMPANY_FORM = Form({field.name: field.kind for field in COMPANY})
LEAD_FORM = Form(
    {
        "source": Identifier(63, help="Code of a source, for keys that do not belong to one."),
        "unqualified": Flag(help="Puts the lead into the pipeline's unqualified stage."),
        "pipeline": Identifier(63, help="Code. Default: the first pipeline."),
        "stage": Identifier(127, help="Code. Default: the pipeline's first open stage."),
        **{field.name: field.kind for field in LEAD},
        "contact": CONTACT_FORM,
        "company": COMPANY_FORM,
    }
)


def read_lead(data: object, *, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return what the service takes. Raises BadValue."""
    form = LEAD_FORM.read({} if data is None else data)
    if isinstance(data, Mapping):
        form["as_sent"] = {"contact": data.get("contact"), "company": data.get("company")}
    written = form.get("arrived_at")
    if written is not None:
        try:
            form["arrived_at"] = in_utc(written, zone)
            if form["arrived_at"] > at + AHEAD:
                refuse("invalid-time", "This is more than a day in the future.")
        except BadValue as bad:
            raise BadValue({"arrived_at": bad.faults}) from None
    return form

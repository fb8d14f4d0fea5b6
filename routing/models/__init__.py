"""Tables, in the order of a lead's way."""

from .contact_points import ContactPoint, PossibleDuplicate
from .crm import Activity, Company, Contact, Lead, LeadEdit, LeadEvent, Load, Task, UnqualifiedLead
from .decisions import Decision, Heartbeat, Lineup, Offer, Setback, SweepBatch, waiting_since
from .duplicates import ContactTraits, DuplicateSearch, Merge
from .handovers import HandedLead, HandOver
from .identifiers import new_id
from .imports import ImportRow, LeadExport, LeadImport
from .intake import ApiKey, IntakeRequest, RefusedIntake, Source
from .pipelines import Pipeline, Stage
from .placeholders import Placeholder
from .registries import Adjustment, Ledger, Registry
from .triggers import Member, Trigger

__all__ = [
    "Activity",
    "Adjustment",
    "ApiKey",
    "Company",
    "Contact",
    "ContactPoint",
    "ContactTraits",
    "Decision",
    "DuplicateSearch",
    "HandOver",
    "HandedLead",
    "Heartbeat",
    "ImportRow",
    "IntakeRequest",
    "Lead",
    "LeadEdit",
    "LeadEvent",
    "LeadExport",
    "LeadImport",
    "Ledger",
    "Lineup",
    "Load",
    "Member",
    "Merge",
    "Offer",
    "Pipeline",
    "Placeholder",
    "PossibleDuplicate",
    "RefusedIntake",
    "Registry",
    "Setback",
    "Source",
    "Stage",
    "SweepBatch",
    "Task",
    "Trigger",
    "UnqualifiedLead",
    "new_id",
    "waiting_since",
]

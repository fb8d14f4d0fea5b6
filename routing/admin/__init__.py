"""The admin's pages of leads and their way, in the order of the models."""

from . import configuration, duplicates, hand_overs, imports, intake, leads, managers, people, records

__all__ = ["configuration", "duplicates", "hand_overs", "imports", "intake", "leads", "managers", "people", "records"]

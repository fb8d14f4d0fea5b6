"""The admin's pages of leads and their way, in the order of the models."""

from . import configuration, facts, hand_overs, imports, intake, leads, managers, people

__all__ = ["configuration", "facts", "hand_overs", "imports", "intake", "leads", "managers", "people"]

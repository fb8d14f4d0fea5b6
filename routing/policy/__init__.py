"""The configuration as values, and the roster that is built from it. Pure: no database, no Django."""

from .roster import MemberFacts, Roster, SourceFacts, StageFacts, TriggerTerms, build
from .shapes import Account, Configuration

__all__ = ["Account", "Configuration", "MemberFacts", "Roster", "SourceFacts", "StageFacts", "TriggerTerms", "build"]

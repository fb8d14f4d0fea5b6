"""A sales team to look at: a configuration, a few hundred leads, and what became of them in the last days."""

from .story import CONFIGURATION, tell

__all__ = ["CONFIGURATION", "tell"]

"""Wiring only: nothing imports it, settings name things by dotted path."""

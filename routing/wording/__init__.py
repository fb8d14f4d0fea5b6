"""Decisions and triggers in words. Pure: plain values in, text out, in the active language."""

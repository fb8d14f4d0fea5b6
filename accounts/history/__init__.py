"""History: who changed the configuration and people's rights, and how two edits at once are merged."""

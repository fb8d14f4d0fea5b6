"""People: their names, roles, preferences and invitations."""

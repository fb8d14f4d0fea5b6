"""What a screen shows, as plain values: the manager's page, the board, a trigger tried on an imaginary lead."""

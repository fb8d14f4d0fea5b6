"""A development machine: everything in one terminal, private services, and the translation catalogues."""

"""One reader per kind of catalogue file; each yields records and knows nothing of roles."""

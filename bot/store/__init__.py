"""Everything that is Redis."""

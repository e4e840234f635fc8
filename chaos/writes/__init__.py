"""`deploy` and `clean`, killed at each of their writes."""

"""Everything fails at once, on real servers, and what was promised is checked: ``make chaos``, docs/reliability.md."""

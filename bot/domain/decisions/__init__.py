"""Pure decisions: a record and what happened become the next record and its events."""

"""What changed without us, and what Redis has lost."""

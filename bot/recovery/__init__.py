"""What changed without us, and what Redis lost."""

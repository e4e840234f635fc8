"""Whether the new pool does worse than the old one, and how sure that is: pure functions."""

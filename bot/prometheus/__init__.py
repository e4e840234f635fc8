"""Prometheus, and whatever else answers its HTTP API: the only part that asks it."""

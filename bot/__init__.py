"""Rolloutbot: what a rollout is, and when things happen."""

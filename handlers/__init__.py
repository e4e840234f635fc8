"""Slack: what people type and press comes in here, and cards, threads and replies go out."""

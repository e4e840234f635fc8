"""What Slack and the terminal both tell of a rollout; each draws it in its own way."""

"""What Slack and the terminal both say about a rollout; each draws it in its own way."""

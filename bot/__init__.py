"""What a rollout is, and when things happen."""

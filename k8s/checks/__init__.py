"""What `check` looks at before a rollout, and what a start refuses or warns of. Each file is one topic, and pure."""

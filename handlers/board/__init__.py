"""The board: keeps cards and threads in Slack as the store says."""

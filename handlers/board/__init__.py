"""The board: makes cards and threads in Slack what the store says."""

"""HTTP: Slack's signed requests on one address, and what a cluster asks of a process on another."""

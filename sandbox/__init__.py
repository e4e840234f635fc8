"""Everything that a bot needs on one machine, for the demo and the tests: a real API server, a real Valkey, a Slack."""

"""A whole world on one machine: a real API server, a real Valkey and a Slack, for the demo and for the tests."""

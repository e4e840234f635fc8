"""The terminal: the same engine and policy as in Slack, for the engineer at 3 a.m. when Slack is gone."""

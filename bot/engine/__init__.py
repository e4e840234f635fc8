"""The order of effects: receive, decide, apply; and the ports it needs of the world."""

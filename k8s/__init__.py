"""The cluster: one file for each resource that the bot reads or writes."""

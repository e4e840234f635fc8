"""Values and pure functions: no vendor, no network, no clock."""

"""Bad canaries, which the gates should catch soon, and honest ones, which they should leave alone: on real traffic."""

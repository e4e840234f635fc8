"""Users of a gateway: a steady mix of requests, and a ledger that says what became of each."""

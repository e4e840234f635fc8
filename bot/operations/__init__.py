"""Work that takes minutes and writes no route: one file an executor, and what runs them."""

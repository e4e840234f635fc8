"""Puts the program together and runs it."""

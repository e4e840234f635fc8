"""Hostile input of every kind, thrown at a running bot on real servers; what got through is counted."""

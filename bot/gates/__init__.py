"""Gates, one file each: what must hold before the canary gets more, and what must not happen while it has some.

To add one: write its file with a ``GATE``, and name it in registry.py.
"""

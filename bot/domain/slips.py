"""What a word may be a slip of: verbs, keys, pools and routes alike, with one measure of how near is near enough."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

NEAR: Final = 0.75
"""One letter wrong, missing, doubled or swapped in four; below it, plain words come near each other."""

_MOST_LETTERS = 100
_MOST_MEANT = 3


def likely_meant(word: str, known: Iterable[str]) -> Sequence[str]:
    """Return the known words that are so near that one of them was probably meant: three at most, the nearest first."""
    if len(word) > _MOST_LETTERS:
        return []
    return difflib.get_close_matches(word.lower(), sorted(set(known)), n=_MOST_MEANT, cutoff=NEAR)

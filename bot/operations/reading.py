"""Words after an executor's name, read as most executors need them: a subject, and ``key=value`` for known keys."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import read_name
from bot.domain.errors import UsageError
from bot.domain.slips import likely_meant

REASON: Final = "reason"
"""A key that every operation has."""

POOL: Final = "pool"
"""A key for the word that needs none."""

LONGEST_VALUE: Final = 1000


def is_bare(word: Word) -> bool:
    """Say whether a word names what an operation works on: it has no key, or the one that it does not need."""
    return word.key in ("", POOL)


def read_subject(words: Sequence[Word], line: str) -> str:
    """Return the only word without a key; ``line`` is the whole usage. Raises UsageError."""
    bare = list(filter(is_bare, words))
    if len(bare) != 1:
        name = line.split()[0]
        wrong = f"{shown(bare[1].raw)} is one word too many." if bare else f"`{name}` needs a subject."
        raise UsageError(wrong, hint=f"Usage: `{line}`.")
    return read_name("subject", bare[0].value)


def read_words(words: Sequence[Word], most: int, line: str) -> Sequence[str]:
    """Return the words without a key; ``line`` is the whole usage. Raises UsageError if there are too many."""
    bare = list(filter(is_bare, words))
    if len(bare) > most:
        raise UsageError(f"{shown(bare[most].raw)} is one word too many.", hint=f"Usage: `{line}`.")
    return [word.value for word in bare]


def read_keys(words: Sequence[Word], keys: Sequence[str], line: str) -> Mapping[str, str]:
    """Return what was said by key; ``reason`` is known everywhere. Raises UsageError."""
    known, given = (*keys, REASON), dict[str, str]()
    for word in words:
        if is_bare(word):
            continue
        if word.key not in known:
            near = likely_meant(word.key, known)
            hint = f"Did you mean `{near[0]}`?" if near else f"Usage: `{line}`."
            raise UsageError(f"{shown(word.key)} is not a key of `{line.split()[0]}`.", hint=hint)
        if word.key in given:
            raise UsageError(f"`{word.key}` is there twice.", hint="Leave one of them out.")
        if len(word.value) > LONGEST_VALUE and word.key != REASON:
            raise UsageError(f"`{word.key}` is too long.", hint=f"Give at most {LONGEST_VALUE} characters.")
        given[word.key] = word.value
    return given

"""The reasons that a rollout keeps as strings: a person's words, or one of our sentences."""

from typing import Final

from bot.domain.prose import Prose, one_line, said, sentence, short

LONGEST: Final = 400


def reason(words: str, by: str, longest: int = LONGEST) -> Prose:
    """Turn a reason into prose: a person's words stay plain, and backticks in our sentences are code."""
    if by:
        return said(words, longest)
    return short(sentence(one_line(words).strip()), longest)

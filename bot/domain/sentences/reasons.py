"""The reasons that a rollout keeps as strings: a person's words, or a sentence of ours."""

from typing import Final

from bot.domain.prose import Prose, one_line, said, sentence, short

LONGEST: Final = 400


def reason(words: str, by: str, longest: int = LONGEST) -> Prose:
    """Take up a reason: what a person gave means only itself, in a sentence of ours backticks are code."""
    if by:
        return said(words, longest)
    return short(sentence(one_line(words).strip()), longest)

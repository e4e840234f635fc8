"""What users ask for: pure functions."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request; ``share`` is how often it comes beside the others."""

    name: str
    share: int
    path: str = "/v1/completions"
    words: int = 12
    tokens: int = 16
    is_stream: bool = False
    adapter: bool = False


KINDS: Final = (
    Kind(name="short", share=40),
    Kind(name="long prompt", share=20, words=600),
    Kind(name="stream", share=20, tokens=60, is_stream=True),
    Kind(name="chat stream", share=10, path="/v1/chat/completions", tokens=40, is_stream=True),
    Kind(name="adapter", share=10, adapter=True),
)
LONG_STREAM: Final = Kind(name="long stream", share=1, tokens=1500, is_stream=True)
"""A stream of 30 seconds from model servers that take 20 ms for a token."""
_TEXT: Final = "write as if you were a critic about the food the fog and the long hills of a city by the sea"
_WORDS: Final = _TEXT.split()


def choose(chance: random.Random, only: str = "") -> Kind:
    """Return a kind, as often as its share says, or the one with a name."""
    if only:
        return next(kind for kind in KINDS if kind.name == only)
    return chance.choices(KINDS, [kind.share for kind in KINDS])[0]


def body(kind: Kind, chance: random.Random, model: str, adapter: str) -> Mapping[str, Any]:
    """Return the body of a request. Every prompt is another one, so that no cache decides who answers."""
    prompt = " ".join(chance.choices(_WORDS, k=kind.words))
    asks: dict[str, Any] = {
        "model": adapter if kind.adapter else model,
        "max_tokens": kind.tokens,
        "temperature": 0,
        "stream": kind.is_stream,
    }
    if kind.path.endswith("chat/completions"):
        return {**asks, "messages": [{"role": "user", "content": prompt}]}
    return {**asks, "prompt": prompt}

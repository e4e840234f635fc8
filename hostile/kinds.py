"""The kinds of hostile input. Each tries ``count`` inputs of its own making, and counts what became of them."""

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

from hostile.brake import brake
from hostile.http_door import elsewhere, misshapen, silent, unclear, unsigned
from hostile.records import notes, rows
from hostile.stand import Stand
from hostile.tried import Tried
from hostile.words import words

Kind: TypeAlias = Callable[[Stand, random.Random, int], Tried]

KINDS: Mapping[str, tuple[Kind, int]] = {
    "HTTP requests that Slack did not sign": (unsigned, 400),
    "HTTP requests of an unclear length, and noise": (unclear, 300),
    "signed payloads of another shape": (misshapen, 400),
    "answers to addresses that are not Slack's": (elsewhere, 100),
    "silent and slow connections": (silent, 300),
    "forged records on the route": (notes, 40),
    "rows in Redis of another shape": (rows, 300),
    "words with tokens, mentions and hidden characters": (words, 40),
    "roll backs over full, forged and padded annotations": (brake, 20),
}
"""Each kind, and how many of it a whole run tries."""

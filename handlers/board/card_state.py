"""One card that is behind, and what its block ids say."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime

from bot.engine.store_port import Shown
from handlers.board.topic import Topic
from handlers.board.waiting import Wait
from handlers.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class CardState:
    """What is stored, what is shown, and when the board looked; ``again`` is what the card itself waits for."""

    topic: Topic
    shown: Shown
    stored: Shown | None
    """What the store says Slack shows; a writer must have seen it."""

    now: datetime
    again: Wait | None = None

    @property
    def id(self) -> str:
        return self.topic.id

    @property
    def is_doubtful(self) -> bool:
        """Say whether Slack may show more than the store knows."""
        return self.shown.doubt is not None

    @property
    def next_place(self) -> int:
        """Return the place of the next event in the thread, from 1, counting forgotten events too."""
        return self.shown.forgotten + self.shown.cursor + 1

    @property
    def next_mark(self) -> str:
        """Return how the block id of the thread's next message begins."""
        return f"event:{self.id}:{self.next_place}-"


def recounted(shown: Shown, told: int) -> tuple[int, int]:
    """Return cursor and forgotten events of a thread that tells ``told`` events.

    The store still has the first ``shown.doubt`` events of what it knew; whatever the thread tells beyond them is
    forgotten, and what was added after that is news.
    """
    known = shown.doubt or 0
    cursor = max(shown.cursor, min(told - shown.forgotten, known))
    return cursor, max(told - cursor, shown.forgotten)


def digest_of(card: Card) -> str:
    """Return a digest of everything that a message shows."""
    text = json.dumps([card.text, card.blocks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def card_number(block_id: str) -> int:
    """Read which of a rollout's cards it is, from ``card:{id}:{n}.{revision}``."""
    match = re.search(r":([0-9]+)\.[0-9]+$", block_id)
    return int(match[1]) if match else 0


def last_event(block_id: str) -> int:
    """Read the place of the last event from ``event:{id}:{first}-{last}``."""
    match = re.search(r"-([0-9]+)$", block_id)
    return int(match[1]) if match else 0

"""What the board keeps in Redis: which cards are behind, what Slack shows of each, and the stream of events.

dirty       zset    rollout ids by urgency, and of one urgency by when they fell behind (lua/shared/mark.lua);
                    ``mark`` in r:ID counts how often
shown:ID    text    what Slack shows of a rollout
events:ID   list    what happened to it
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

import redis
from pydantic import TypeAdapter

from bot.domain.errors import UnreadableError
from bot.domain.events import Event
from bot.domain.urgency import Urgency
from bot.engine.encoding import read_event
from bot.engine.store_port import Shown
from bot.store.connection import store_errors
from bot.store.epoch import ANY_EPOCH, Expected, SeenWrites
from bot.store.keys import Prefix
from bot.store.rows import readable
from bot.store.scripts import script

_SHOWN = TypeAdapter(Shown)


class RedisBoard:
    """The BoardMemory port."""

    def __init__(self, client: "redis.Redis", prefix: Prefix, seen: SeenWrites) -> None:
        self._redis, self._prefix, self._seen = client, prefix, seen
        self._clean, self._dirty, self._show = (script(client, name) for name in ("clean", "dirty", "show"))

    def dirty(self, limit: int) -> Mapping[str, str]:
        """Return the marks of rollouts that are behind in Slack, the most urgent first; none if data is missing."""
        with store_errors():
            found = cast(list[str], self._dirty(keys=[self._prefix()], args=[limit - 1, *self._seen.expected()]))
        return dict(zip(found[::2], found[1::2], strict=True))

    def clean(self, rollout_id: str, seen: str) -> None:
        """Take a card off the list of outdated ones, unless it was marked again since its mark was ``seen``."""
        with store_errors():
            self._clean(keys=[self._prefix()], args=[rollout_id, seen])

    def shown(self, rollout_id: str) -> Shown | None:
        """Return what Slack shows of a rollout."""
        with store_errors():
            text = cast(str | None, self._redis.get(f"{self._prefix()}shown:{rollout_id}"))
        with readable("card"):
            return _SHOWN.validate_json(text) if text else None

    def show(self, rollout_id: str, shown: Shown, *, was: Shown | None) -> bool:
        """Save what Slack shows; say whether it is saved.

        It is not if somebody else has saved it since it ``was``, or if data is missing.
        """
        return self._save(rollout_id, shown, was, self._seen.expected)

    def _save(self, rollout_id: str, shown: Shown, was: Shown | None, expected: Expected) -> bool:
        texts = [_SHOWN.dump_json(one).decode() if one else "" for one in (shown, was)]
        with store_errors():
            args = [rollout_id, *texts, *expected()]
            is_saved, *counts = cast(list[str], self._show(keys=[self._prefix()], args=args))
        self._seen.saw(counts)
        return bool(is_saved)

    def events(self, rollout_id: str, after: int) -> Sequence[Event]:
        """Return the events of the stream after the first ``after`` ones."""
        with store_errors():
            texts = self._redis.lrange(f"{self._prefix()}events:{rollout_id}", after, -1)
        with readable("thread"):
            return [read_event(text) for text in cast(list[str], texts)]

    def doubt(self) -> None:
        """Make the board look again at what Slack shows of every rollout, before a rebuild adds events.

        It skips finished cards until something new happens to them: Slack would not take all of them at once.
        """
        prefix = self._prefix()
        with store_errors():
            ids = {*self._redis.zrange(f"{prefix}active", 0, -1), *self._redis.zrange(f"{prefix}dirty", 0, -1)}
            for rollout_id in cast(set[str], ids):
                self._doubt_one(rollout_id)
                self._redis.zadd(f"{prefix}dirty", {rollout_id: int(Urgency.PROGRESS)}, nx=True)
            for key in self._redis.scan_iter(match=f"{prefix}shown:*", count=1000):
                self._doubt_one(cast(str, key).removeprefix(f"{prefix}shown:"))

    def _doubt_one(self, rollout_id: str) -> None:
        with suppress(UnreadableError):  # left as it is
            while (shown := self.shown(rollout_id)) is not None and shown.doubt is None:
                count = self._redis.llen(f"{self._prefix()}events:{rollout_id}")
                self._save(rollout_id, replace(shown, doubt=count), shown, lambda: ANY_EPOCH)

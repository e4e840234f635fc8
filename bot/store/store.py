"""The bot's memory in Redis: records, inbox, slots, due times, and what the board shows.

Every change is one script of lua.py. Keys, all under ``{rolloutbot}:``:

    r:ID        hash    decision, record, applied, pending, acceptance, due, step_due, trouble, readiness,
                        findings, and for scripts:
                        slotless, over, uid, mark, op, applied_revision
    inbox       hash    requests by delivery id; inbox:at their times, seen:DELIVERY and became:DELIVERY kept 15 min
    slots       hash    which rollout has a route, by the route's uid; order:UID its rollouts, oldest first
    due         zset    when the timer looks at a rollout; pending, pending:brakes when a write is tried next
    active, canary:NAME, channel:ID   zsets of rollout ids by start time
    events:ID   list    what happened; dirty and shown:ID belong to the board (board.py)
    store       hash    epoch and writes: whether all this is whole (epoch.py)

What is kept of a rollout that is over goes after ``rows.KEPT_SECONDS``, an index that names no other later than that.
"""

import json
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import redis
from pydantic import TypeAdapter

from bot.domain.commands.request import Request
from bot.domain.deadlines import POLL_ACCEPTANCE
from bot.domain.errors import UnreadableError, lost_data
from bot.domain.rollout import Applied, Entry
from bot.engine.encoding import read_request, request_json
from bot.engine.ports import Became, Progress, Save, Saved
from bot.store import lua
from bot.store.board import RedisBoard
from bot.store.connection import store_errors
from bot.store.epoch import Rebuilding, Sight
from bot.store.rows import APPLIED, FIELDS, KEPT_SECONDS, entry_of, epoch, learn_arguments, save_arguments, time_of

log = logging.getLogger(__name__)

PREFIX: Final = "{rolloutbot}:"
CLAIM_AHEAD: Final = 10.0
TOO_FAR: Final = timedelta(seconds=60)

_BECAME = TypeAdapter(Became)


class RedisStore(RedisBoard):
    """The Store and Board ports on one Redis."""

    def __init__(self, client: "redis.Redis", prefix: str = PREFIX, sight: Sight | None = None) -> None:
        super().__init__(client, prefix, sight or Sight())
        self.changed: Callable[[], None] = nobody  # called after a card was marked as behind
        script = client.register_script
        self._receive, self._save, self._applied = script(lua.RECEIVE), script(lua.SAVE), script(lua.APPLIED)
        self._learn, self._claim, self._drop = script(lua.LEARN), script(lua.CLAIM), script(lua.DROP)
        self._is_whole = script(lua.IS_WHOLE)

    # --- inbox

    def receive(self, request: Request) -> bool:
        """Put a request into the inbox; False where this delivery was seen before."""
        args = [request.delivery, uuid.uuid4().hex, epoch(request.at), request_json(request)]
        with store_errors():
            return bool(self._receive(keys=[self._p], args=args) == 1)

    def requests(self, received_before: datetime) -> Sequence[Request]:
        """Return at most 1,000 requests that have waited since before a time, oldest first."""
        ids = self._reached("inbox:at", received_before, 1000)
        with store_errors():
            texts = cast(list[str | None], self._redis.hmget(f"{self._p}inbox", ids)) if ids else []
        return [request for request in map(_readable, ids, texts) if request]

    def drop(self, delivery: str, became: Became) -> bool:
        """Take a request that changed nothing out of the inbox; False where it was not there any more."""
        args = [delivery, uuid.uuid4().hex, _BECAME.dump_json(became).decode()]
        with store_errors():
            return bool(self._drop(keys=[self._p], args=args) == 1)

    def became(self, delivery: str) -> Became:
        """Return what became of a request in the last 15 minutes; both empty: nothing is known."""
        with store_errors():
            text = cast(str | None, self._redis.get(f"{self._p}became:{delivery}"))
        return _BECAME.validate_json(text) if text else Became()

    # --- records

    def load(self, rollout_id: str) -> Entry | None:
        """Return what is stored of a rollout."""
        with store_errors():
            fields = self._redis.hmget(f"{self._p}r:{rollout_id}", list(FIELDS))
        return entry_of(cast(list[str | None], fields))

    def load_all(self, ids: Sequence[str]) -> Sequence[Entry]:
        """Return what is stored of several rollouts, in one round trip."""
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for rollout_id in ids:
                pipe.hmget(f"{self._p}r:{rollout_id}", list(FIELDS))
            rows = pipe.execute()
        return [entry for row in rows if (entry := _known(row)) is not None]

    def entries(self) -> Sequence[Entry]:
        """Return all rollouts that are not over, newest first."""
        return self.load_all(self._newest("active"))

    def named(self, canary: str) -> Sequence[Entry]:
        """Return the rollouts of a canary that are not over, then its last ones that are, newest first."""
        return self.load_all(self._active_first(f"canary:{canary}"))

    def in_channel(self, channel: str) -> Sequence[Entry]:
        """Return the rollouts of a channel that are not over, then its last ones that are, newest first."""
        return self.load_all(self._active_first(f"channel:{channel}"))

    def _active_first(self, index: str, ended: int = 10) -> list[str]:
        with store_errors():
            both = self._redis.zinter([f"{self._p}active", f"{self._p}{index}"], aggregate="MAX")
        active = cast(list[str], both)[::-1]
        newest = [one for one in self._newest(index, len(active) + ended) if one not in active]
        return [*active, *newest[:ended]]

    def _newest(self, index: str, most: int = 0) -> list[str]:
        with store_errors():
            return cast(list[str], self._redis.zrevrange(self._p + index, 0, most - 1))

    def slot(self, route_uid: str) -> str | None:
        """Return the id of the rollout that has the route."""
        with store_errors():
            return cast(str | None, self._redis.hget(f"{self._p}slots", route_uid))

    def latest(self, route_uid: str) -> str | None:
        """Return the id of the newest rollout that was not refused on the route."""
        with store_errors():
            return cast(str | None, self._redis.lindex(f"{self._p}order:{route_uid}", -1))

    def save(self, save: Save) -> Saved:
        """Compare and save one decision; sent once more where no reply came, which is safe.

        Raises StoreError too where data was lost and is not rebuilt yet.
        """
        arguments = json.dumps(save_arguments(save))
        with store_errors():
            reply = self._save(keys=[self._p], args=[arguments, *self._sight.arguments()])
        said, *counted = cast(list[str], reply)
        if said == "forgetful":
            raise lost_data()
        if counted:
            self._sight.saw(counted)
        self.changed()
        return Saved(said)

    def applied(self, rollout_id: str, applied: Applied, *, moved: bool) -> None:
        """Save that a decision is on the route; ``moved``: its weights were written and want acceptance."""
        poll = epoch(applied.at + POLL_ACCEPTANCE)
        text = APPLIED.dump_json(applied).decode()
        args: list[str | int] = [rollout_id, applied.revision, applied.decision, text, "1" if moved else "0", poll]
        with store_errors():
            self._applied(keys=[self._p], args=[*args, applied.generation, KEPT_SECONDS])
        self.changed()

    def learn(self, rollout_id: str, decision: str, progress: Progress) -> bool:
        """Save what was learnt, if this decision is still the stored one."""
        arguments = json.dumps(learn_arguments(rollout_id, decision, progress))
        with store_errors():
            learnt = bool(self._learn(keys=[self._p], args=[arguments]) == 1)
        self.changed()
        return learnt

    # --- time

    def unapplied(self, now: datetime, *, brakes: bool) -> Sequence[str]:
        """Return at most 200 ids of rollouts with a roll back, or else another decision, to write now."""
        return self._reached("pending:brakes" if brakes else "pending", now, 200)

    def _reached(self, index: str, now: datetime, most: int) -> list[str]:
        """Return members whose time has come, or lies so far ahead that a clock must have been wrong."""
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zrangebyscore(self._p + index, "-inf", epoch(now), start=0, num=most)
            pipe.zrangebyscore(self._p + index, epoch(now + TOO_FAR), "+inf", start=0, num=most)
            come, far = pipe.execute()
        return [*cast(list[str], come), *cast(list[str], far)]

    def retry_at(self, rollout_id: str, at: datetime) -> None:
        """Set the next try of a write that is still pending."""
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for index in ("pending", "pending:brakes"):
                pipe.zadd(self._p + index, {rollout_id: epoch(at)}, xx=True)
            pipe.execute()

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return what is due and push it ahead, so that it comes again where its step saves no new time."""
        ahead = f"{now.timestamp() + CLAIM_AHEAD:.6f}"
        with store_errors():
            args: list[str | int] = [epoch(now), ahead, most, *self._sight.arguments()]
            flat, *counted = cast(list[Any], self._claim(keys=[self._p], args=args))
        if counted:
            self._sight.saw(counted)
        return [(flat[i], time_of(flat[i + 1])) for i in range(0, len(flat), 2)]

    def next_due(self) -> datetime | None:
        """Return the earliest due time."""
        with store_errors():
            first = self._redis.zrange(f"{self._p}due", 0, 0, withscores=True)
        return time_of(cast(Any, first)[0][1]) if first else None

    def due_times(self) -> Sequence[tuple[str, datetime]]:
        """Return every due time, earliest first."""
        with store_errors():
            rows = self._redis.zrange(f"{self._p}due", 0, -1, withscores=True)
        return [(rollout_id, time_of(score)) for rollout_id, score in cast(Any, rows)]

    def forget_due(self, rollout_id: str) -> None:
        """Take a due time away that belongs to no record."""
        with store_errors():
            self._redis.zrem(f"{self._p}due", rollout_id)

    # --- is it whole

    def is_whole(self) -> bool:
        """Say whether nothing is missing of what was stored, as far as this replica has seen it."""
        with store_errors():
            return bool(self._is_whole(keys=[self._p], args=[*self._sight.arguments()]) == 1)

    def rebuilding(self) -> "RedisStore":
        """Return the same store for a rebuild, which saves into it although it is not whole."""
        same = RedisStore(self._redis, self._p, Rebuilding())
        same.changed = lambda: self.changed()
        return same

    def declare_whole(self, now: datetime) -> None:
        """Say that everything is taken up again."""
        count = {"epoch": self._sight.epoch_after(int(now.timestamp() * 1000)), "writes": 0}
        with store_errors():
            self._redis.hset(f"{self._p}store", mapping=cast(Any, count))

    def is_led(self) -> bool:
        """Say whether some bot holds the lease, and so takes steps and keeps deadlines."""
        with store_errors():
            return bool(self._redis.exists(f"{self._p}lease"))

    def ping(self) -> None:
        """Raise StoreError where Redis does not answer."""
        with store_errors():
            self._redis.ping()


def _readable(delivery: str, text: str | None) -> Request | None:
    try:
        return read_request(text) if text else None
    except ValueError:
        log.error("the request of delivery %s cannot be read; it stays in the inbox", delivery)
        return None


def _known(row: list[str | None]) -> Entry | None:
    """Read one of many rows; one that another version wrote does not hide the others."""
    try:
        return entry_of(row)
    except UnreadableError:
        return None


def nobody() -> None:
    """Nobody draws cards in this process."""

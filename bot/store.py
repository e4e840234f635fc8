"""The bot's memory in Redis: records, inbox, slots, due times, and what the board shows.

Every change is one script of bot/lua.py. Keys, all under ``{rolloutbot}:``:

    r:ID        hash    decision, record, applied, pending, acceptance, due, trouble, readiness, and for scripts:
                        slotless, over, uid, mark, op, applied_revision
    inbox       hash    requests by delivery id; inbox:at their times, seen:DELIVERY kept 15 min
    slots       hash    which rollout has a route, by the route's uid; order:UID its rollouts, oldest first
    due         zset    when the timer looks at a rollout; pending, pending:brakes when a write is tried next
    active, canary:NAME, channel:ID   zsets of rollout ids by start time
    events:ID   list    what happened; dirty and shown:ID belong to the board
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, cast

import redis
from pydantic import TypeAdapter
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from bot import lua
from bot.domain.command import Request
from bot.domain.deadlines import POLL_ACCEPTANCE
from bot.domain.errors import StoreError, UnreadableError
from bot.domain.events import Event
from bot.domain.rollout import Applied, Entry
from bot.ports import Progress, Save, Saved, Shown
from bot.record import read_event, read_request, request_json
from bot.rows import APPLIED, FIELDS, KEPT_SECONDS, entry_of, epoch, learn_arguments, save_arguments, time_of

log = logging.getLogger(__name__)

PREFIX: Final = "{rolloutbot}:"
CLAIM_AHEAD: Final = 10.0
TOO_FAR: Final = timedelta(seconds=60)

_SHOWN = TypeAdapter(Shown)


def connect(url: str) -> "redis.Redis":
    """Open a client whose every call ends within about a second.

    One retry is safe because each script knows its own decision or token again.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=64,
        timeout=0.5,
        socket_timeout=0.4,
        socket_connect_timeout=0.3,
        retry=Retry(ExponentialBackoff(cap=0.05, base=0.01), 1),
        decode_responses=True,
    )
    return redis.Redis(connection_pool=pool)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn redis-py's errors into ours; their texts may name hosts, so they stay in the log."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreError("Redis does not answer.") from error


class RedisStore:
    """The Store and Board ports on one Redis."""

    def __init__(self, client: "redis.Redis", prefix: str = PREFIX) -> None:
        self._redis = client
        self._p = prefix
        self.changed: Callable[[], None] = nobody  # called after a card was marked as behind
        script = client.register_script
        self._receive, self._save, self._applied = script(lua.RECEIVE), script(lua.SAVE), script(lua.APPLIED)
        self._learn, self._claim, self._clean = script(lua.LEARN), script(lua.CLAIM), script(lua.CLEAN)
        self._drop = script(lua.DROP)

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

    def drop(self, delivery: str) -> bool:
        """Take a refused request out of the inbox; False where it was not there any more."""
        with store_errors():
            return bool(self._drop(keys=[self._p], args=[delivery, uuid.uuid4().hex]) == 1)

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
        """Compare and save one decision; sent once more where no reply came, which is safe."""
        arguments = json.dumps(save_arguments(save))
        with store_errors():
            saved = Saved(cast(str, self._save(keys=[self._p], args=[arguments])))
        self.changed()
        return saved

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
            flat = cast(list[str], self._claim(keys=[self._p], args=[epoch(now), ahead, most]))
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

    # --- board

    def dirty(self, limit: int) -> Sequence[str]:
        """Return ids of rollouts whose card or thread is behind, state changes first."""
        with store_errors():
            return cast(list[str], self._redis.zrange(f"{self._p}dirty", 0, limit - 1))

    def clean(self, rollout_id: str, seen: str) -> None:
        """Take a card off the dirty list, unless it was marked again since ``mark`` was ``seen``."""
        with store_errors():
            self._clean(keys=[self._p], args=[rollout_id, seen])

    def mark(self, rollout_id: str) -> str:
        """Return the mark under which a card is dirty now."""
        with store_errors():
            return cast(str | None, self._redis.hget(f"{self._p}r:{rollout_id}", "mark")) or "0"

    def shown(self, rollout_id: str) -> Shown | None:
        """Return what Slack shows of a rollout."""
        with store_errors():
            text = cast(str | None, self._redis.get(f"{self._p}shown:{rollout_id}"))
        return _SHOWN.validate_json(text) if text else None

    def show(self, rollout_id: str, shown: Shown) -> None:
        """Save what Slack shows."""
        with store_errors():
            self._redis.set(f"{self._p}shown:{rollout_id}", _SHOWN.dump_json(shown).decode(), keepttl=True)

    def events(self, rollout_id: str, after: int) -> Sequence[Event]:
        """Return the events of the stream after the first ``after`` ones."""
        with store_errors():
            texts = self._redis.lrange(f"{self._p}events:{rollout_id}", after, -1)
        return [read_event(text) for text in cast(list[str], texts)]

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

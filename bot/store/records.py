"""The records: what was decided about each rollout, and what else is known about it.

    r:ID        hash    decision, record, applied, pending, acceptance, due, step_due, trouble, readiness, findings,
                        followed, and for scripts: slotless, over, uid, mark, op, applied_revision
    slots       hash    which rollout has a route, by the route's uid; order:UID its rollouts, oldest first
    active, canary:NAME, channel:ID   zsets of rollout ids by start time

What is kept of a rollout that is over goes after ``rows.KEPT_SECONDS``, an index that names no other later than that.
"""

import json
from collections.abc import Callable, Sequence
from typing import cast

import redis

from bot.domain.deadlines import POLL_ACCEPTANCE
from bot.domain.errors import UnreadableError, lost_data
from bot.domain.rollout import Applied, Entry
from bot.engine.store_port import Progress, Save, Saved
from bot.engine.trail import log_decision
from bot.store.connection import store_errors
from bot.store.epoch import Expected, SeenWrites
from bot.store.keys import Prefix
from bot.store.rows import APPLIED, FIELDS, KEPT_SECONDS, entry_of, learn_arguments, save_arguments
from bot.store.scripts import script
from bot.store.times import epoch


class RedisRecords:
    """Saves and finds records. ``fell_behind`` is called after a card was marked as behind; ``expected`` says what a
    memory must hold at least for a decision to be saved.
    """

    def __init__(
        self,
        client: "redis.Redis",
        prefix: Prefix,
        seen: SeenWrites,
        expected: Expected,
        fell_behind: Callable[[], None],
    ) -> None:
        self._redis, self._prefix, self._seen = client, prefix, seen
        self._expected, self._fell_behind = expected, fell_behind
        self._save, self._applied, self._learn = (script(client, name) for name in ("save", "applied", "learn"))

    def load(self, rollout_id: str) -> Entry | None:
        """Return what is stored of a rollout."""
        with store_errors():
            fields = self._redis.hmget(f"{self._prefix()}r:{rollout_id}", list(FIELDS))
        return entry_of(cast(list[str | None], fields))

    def load_all(self, ids: Sequence[str]) -> Sequence[Entry]:
        """Return what is stored of several rollouts, in one round trip."""
        prefix = self._prefix()
        with store_errors(), self._redis.pipeline(transaction=False) as pipe:
            for rollout_id in ids:
                pipe.hmget(f"{prefix}r:{rollout_id}", list(FIELDS))
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
        prefix = self._prefix()
        with store_errors():
            both = self._redis.zinter([f"{prefix}active", f"{prefix}{index}"], aggregate="MAX")
        active = cast(list[str], both)[::-1]
        newest = [one for one in self._newest(index, len(active) + ended) if one not in active]
        return [*active, *newest[:ended]]

    def _newest(self, index: str, most: int = 0) -> list[str]:
        with store_errors():
            return cast(list[str], self._redis.zrevrange(self._prefix() + index, 0, most - 1))

    def slot(self, route_uid: str) -> str | None:
        """Return the id of the rollout that has the route."""
        with store_errors():
            return cast(str | None, self._redis.hget(f"{self._prefix()}slots", route_uid))

    def latest(self, route_uid: str, *, but: str = "") -> str | None:
        """Return the id of the newest rollout that was not refused on the route, other than ``but``."""
        with store_errors():
            newest = cast(list[str], self._redis.lrange(f"{self._prefix()}order:{route_uid}", -2, -1))
        return next((one for one in reversed(newest) if one != but), None)

    def save(self, save: Save) -> Saved:
        """Compare and save one decision; it is sent once more if no reply came, which is safe.

        Also raises StoreError while lost data is not restored yet.
        """
        arguments = json.dumps(save_arguments(save))
        with store_errors():
            reply = self._save(keys=[self._prefix()], args=[arguments, *self._expected()])
        said, *counted = cast(list[str], reply)
        if said == "forgetful":
            raise lost_data()
        if counted:
            self._seen.saw(counted)
            log_decision(save)
        self._fell_behind()
        return Saved(said)

    def applied(self, rollout_id: str, applied: Applied, *, moved: bool) -> None:
        """Save that a decision is on the route; ``moved``: its weights were written and wait for acceptance."""
        poll = epoch(applied.at + POLL_ACCEPTANCE)
        text = APPLIED.dump_json(applied).decode()
        args: list[str | int] = [rollout_id, applied.revision, applied.decision, text, "1" if moved else "0", poll]
        with store_errors():
            self._applied(keys=[self._prefix()], args=[*args, applied.generation, KEPT_SECONDS])
        self._fell_behind()

    def learn(self, rollout_id: str, decision: str, progress: Progress) -> bool:
        """Save what was learnt, if this decision is still the stored one."""
        arguments = json.dumps(learn_arguments(rollout_id, decision, progress))
        with store_errors():
            learnt = bool(self._learn(keys=[self._prefix()], args=[arguments]) == 1)
        self._fell_behind()
        return learnt


def _known(row: list[str | None]) -> Entry | None:
    """Read one of many rows; one from another version does not hide the others."""
    try:
        return entry_of(row)
    except UnreadableError:
        return None

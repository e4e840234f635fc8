"""What the bots' Redis holds, read from outside, and how a run makes it lose data."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bot.store.keys import prefix_of
from chaos.ledger import Ledger, Loss
from chaos.schedule import Kind
from sandbox.valkey import INSTALL, Valkey

PREFIX = prefix_of(INSTALL)
HELD = """
local p = ARGV[1]
local held = {inbox = redis.call('HKEYS', p .. 'inbox'), records = {}, streams = {}}
local function rest(key, kind) return string.sub(key, #p + #kind + 1) end
for _, key in ipairs(redis.call('KEYS', p .. 'r:*')) do
  local row = redis.call('HMGET', key, 'record', 'decision', 'applied', 'pending')
  held.records[rest(key, 'r:')] = {row[1] or '', row[2] or '', row[3] or '', row[4] or '[]'}
end
for _, key in ipairs(redis.call('KEYS', p .. 'events:*')) do
  held.streams[rest(key, 'events:')] = redis.call('LRANGE', key, 0, -1)
end
"""
"""Reads everything in one script, so that nothing happens between this and what the script does next."""

LOOK = HELD + "return cjson.encode(held)"
FLUSH = HELD + "redis.call('FLUSHALL') return cjson.encode(held)"


@dataclass(frozen=True, slots=True)
class Held:
    """What Redis held at one moment."""

    inbox: frozenset[str]
    records: Mapping[str, Mapping[str, Any]]
    unwritten: frozenset[str]
    streams: Mapping[str, Sequence[str]]


class Memory:
    def __init__(self, valkey: Valkey, ledger: Ledger) -> None:
        self._valkey, self._ledger = valkey, ledger

    def look(self) -> Held:
        return self._read(LOOK)

    def inbox(self) -> frozenset[str]:
        """Return the requests that nobody has decided yet."""
        with self._client() as client:
            return frozenset(map(str, client.hkeys(f"{PREFIX}inbox")))

    def waiting(self) -> tuple[int, int]:
        """Count the requests in the inbox, and the decisions that are not on their routes yet."""
        with self._client() as client, client.pipeline() as pipe:
            pipe.hlen(f"{PREFIX}inbox")
            pipe.zcard(f"{PREFIX}pending")
            pipe.zcard(f"{PREFIX}pending:brakes")
            inbox, pending, brakes = pipe.execute()
        return int(inbox), int(pending) + int(brakes)

    def behind(self) -> frozenset[str]:
        """Return the rollouts whose cards are out of date."""
        with self._client() as client:
            return frozenset(map(str, client.zrange(f"{PREFIX}dirty", 0, -1)))

    def shown(self, rollout_id: str) -> Mapping[str, Any]:
        """Return what the bot believes Slack shows of a rollout."""
        with self._client() as client:
            text = client.get(f"{PREFIX}shown:{rollout_id}")
        shown: Mapping[str, Any] = json.loads(str(text)) if text else {}
        return shown

    # --- losing data

    def flush(self) -> Held:
        held = self._read(FLUSH)
        self._lost(Kind.STORE_FLUSH, 0.0, held)
        return held

    def copy(self, to: Path) -> float:
        """Copy what is on disk, and return the time."""
        at = time.time()
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self._files(), to)
        return at

    def go_back(self, copied: Path, since: float) -> Held:
        """Crash, and come back with what was on disk at ``since``. No client is served after the last look."""
        held = self._read(LOOK, pause=True)
        self._valkey.server.kill()
        shutil.rmtree(self._files())
        shutil.copytree(copied, self._files())
        self._valkey.start()
        self._lost(Kind.STORE_OLDER, since, held)
        return held

    def keep_streams(self) -> Held:
        """Record the streams of events as they are at the end."""
        held = self.look()
        self._note_streams(held)
        return held

    def _lost(self, kind: Kind, since: float, held: Held) -> None:
        unwritten = {rollout_id: held.records[rollout_id] for rollout_id in held.unwritten}
        loss = Loss(kind=kind, since=since, at=time.time(), inbox=held.inbox, unwritten=unwritten)
        self._ledger.losses.append(loss)
        self._ledger.hit(kind, *["record"] * len(held.records), *["request in the inbox"] * len(held.inbox))
        self._note_streams(held)

    def _note_streams(self, held: Held) -> None:
        for rollout_id, stream in held.streams.items():
            self._ledger.streams[rollout_id].append(list(stream))

    def _files(self) -> Path:
        return self._valkey.server.log.parent / "appendonlydir"

    def _read(self, script: str, *, pause: bool = False) -> Held:
        with self._client() as client, client.pipeline() as pipe:
            if pause:  # no client is served from here on
                pipe.execute_command("CLIENT", "PAUSE", 10_000, "ALL")
            pipe.eval(script, 0, PREFIX)
            held = json.loads(str(pipe.execute()[-1]))
        rows: dict[str, list[str]] = held["records"] or {}
        records = {name: json.loads(row[0])["rollout"] for name, row in rows.items() if row[0]}
        return Held(
            inbox=frozenset(held["inbox"]),
            records=records,
            unwritten=frozenset(name for name, row in rows.items() if row[0] and not _is_written(row)),
            streams=held["streams"] or {},
        )

    def _client(self) -> "redis.Redis":
        return redis.Redis.from_url(self._valkey.url(), decode_responses=True, socket_timeout=20)


def _is_written(row: Sequence[str]) -> bool:
    return bool(row[2]) and json.loads(row[2])["decision"] == row[1]

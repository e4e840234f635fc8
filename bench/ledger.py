"""Counts and times what one click asks of the cluster and of the store, without changing what it does."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import redis
from kubernetes.client import Configuration

from k8s.connection import TimeoutClient


class Ledger:
    """The calls since ``open``, by name: how many, and how many seconds they took."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def open(self) -> None:
        """Start counting from zero."""
        self.counts.clear()
        self.seconds.clear()

    def call(self, name: str, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return work(*arguments, **options)
        finally:
            self.counts[name] += 1
            self.seconds[name] += time.perf_counter() - begun


class Watched:
    """A port of the engine whose calls go into the ledger; ``after`` is called after each one."""

    def __init__(self, port: Any, ledger: Ledger, name: str, *, after: Callable[[str], None] = lambda _: None) -> None:
        self._port, self._ledger, self._name, self._after = port, ledger, name, after

    def __getattr__(self, method: str) -> Any:
        work = getattr(self._port, method)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = self._ledger.call(f"{self._name}.{method}", work, *arguments, **options)
            self._after(method)
            return answer

        return call


class WatchedApi(TimeoutClient):
    """The bot's client of the API server; its requests go into the ledger."""

    def __init__(self, configuration: Configuration, ledger: Ledger) -> None:
        super().__init__(configuration)
        self.user_agent = "rolloutbot"
        self._ledger = ledger

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        return self._ledger.call("API requests", super().call_api, *arguments, **options)


class WatchedRedis(redis.Redis):
    """The bot's client of Redis; its round trips go into the ledger."""

    def __init__(self, client: "redis.Redis", ledger: Ledger) -> None:
        super().__init__(connection_pool=client.connection_pool)
        self._ledger = ledger

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        return self._ledger.call("Redis round trips", super().execute_command, *arguments, **options)

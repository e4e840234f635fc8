"""What people are called in Slack, as a bot last heard it: the terminal does not ask Slack."""

from datetime import timedelta
from typing import Final, cast

import redis

from bot.store.connection import store_errors
from bot.store.keys import Prefix

KEPT: Final = timedelta(days=30)


class SlackNames:
    """Names by Slack user id. Every call may raise StoreError."""

    def __init__(self, client: "redis.Redis", prefix: Prefix) -> None:
        self._redis, self._prefix = client, prefix

    def remember(self, user: str, name: str) -> None:
        """Keep a name for thirty days."""
        with store_errors():
            self._redis.set(self._key(user), name, ex=KEPT)

    def of(self, user: str) -> str:
        """Return the name of a user, empty if no bot has heard it lately."""
        with store_errors():
            return cast(str | None, self._redis.get(self._key(user))) or ""

    def _key(self, user: str) -> str:
        return f"{self._prefix()}name:{user}"

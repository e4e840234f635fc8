"""The inbox: people's requests that wait for a decision, and the results of those that were decided.

inbox       hash    requests by delivery id; inbox:at their times
seen:ID                 that a delivery came, kept for 25 hours: Slack may deliver it again for a day.
became:ID, dropped:ID   what became of it, kept for 15 minutes (``dropped`` for one)
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Final, cast

import redis
from pydantic import TypeAdapter

from bot.domain.commands.request import Request
from bot.engine.encoding import read_request, request_json
from bot.engine.store_port import Became
from bot.store.connection import store_errors
from bot.store.keys import Prefix
from bot.store.scripts import script
from bot.store.times import TOO_FAR, epoch, reached

log = logging.getLogger(__name__)

_BECAME = TypeAdapter(Became)

CRYPTIC: Final = "Requests in the inbox that cannot be read"

ASIDE: Final = TOO_FAR - timedelta(seconds=10)
"""A time that is further ahead counts as a mistake of a clock, and so as come."""

MOST_NAMED: Final = 10_000
"""How many unreadable requests a process remembers, to name each only once."""


class RedisInbox:
    """Each request once, however often it is delivered."""

    def __init__(self, client: "redis.Redis", prefix: Prefix) -> None:
        self._redis, self._prefix = client, prefix
        self._receive, self._drop = script(client, "receive"), script(client, "drop")
        self._process, self._calls = uuid.uuid4().hex, count()
        self._unreadable: set[str] = set()

    def receive(self, request: Request) -> bool:
        """Put a request into the inbox; False if this delivery was seen before."""
        args = [request.delivery, self._token(), epoch(request.at), request_json(request)]
        with store_errors():
            return bool(self._receive(keys=[self._prefix()], args=args) == 1)

    def requests(self, received_before: datetime) -> Sequence[Request]:
        """Return at most 1,000 requests that have waited since before a time, oldest first."""
        prefix = self._prefix()
        ids = reached(self._redis, f"{prefix}inbox:at", received_before, 1000)
        with store_errors():
            texts = cast(list[str | None], self._redis.hmget(f"{prefix}inbox", ids)) if ids else []
        found = [(delivery, text, _read(text)) for delivery, text in zip(ids, texts, strict=True)]
        self._set_aside([delivery for delivery, _, request in found if request is None], received_before)
        self._name([delivery for delivery, text, request in found if text and request is None])  # others: just done
        return [request for _, _, request in found if request]

    def drop(self, delivery: str, became: Became) -> bool:
        """Remove a request that changed nothing from the inbox; False if it was gone already."""
        args = [delivery, self._token(), _BECAME.dump_json(became).decode()]
        with store_errors():
            return bool(self._drop(keys=[self._prefix()], args=args) == 1)

    def became(self, delivery: str) -> Became:
        """Return the result of a request of the last 15 minutes; all fields are empty if nothing is known."""
        with store_errors():
            text = cast(str | None, self._redis.get(f"{self._prefix()}became:{delivery}"))
        return _BECAME.validate_json(text) if text else Became()

    def _token(self) -> str:
        """Name this call: if its reply is lost, Redis knows it again."""
        return f"{self._process}:{next(self._calls)}"

    def _set_aside(self, unreadable: Sequence[str], now: datetime) -> None:
        """Leave requests alone for a while, so that others have their turn; a newer version may read them."""
        if not unreadable:
            return
        with store_errors():
            again = epoch(now + ASIDE)
            self._redis.zadd(f"{self._prefix()}inbox:at", dict.fromkeys(unreadable, again), xx=True)

    def _name(self, unreadable: Sequence[str]) -> None:
        """Log those that were not named yet."""
        if news := [delivery for delivery in unreadable if delivery not in self._unreadable]:
            if len(self._unreadable) < MOST_NAMED:
                self._unreadable.update(news)
            log.error(
                "%s: %d, the first of delivery %s. They wait for a version that can.", CRYPTIC, len(news), news[0]
            )


def _read(text: str | None) -> Request | None:
    try:
        return read_request(text) if text else None
    except ValueError:
        return None

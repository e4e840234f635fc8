"""Bots of their own servers that are asked to end while something they depend on hangs."""

import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.store.connection import connect
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, SIGNING_SECRET
from sandbox.valkey import valkey
from sandbox.workplace import workplace
from tests.builders import CANARY
from tests.memory import a_store
from tests.scenarios.play import Bot, bot_process
from tests.scenarios.signed import a_command, post, signed


@dataclass(frozen=True)
class End:
    """How a bot ended, and how many requests it left to the next one."""

    status: int
    left: int


def end_with_a_request_in_hand(environment: dict[str, str], *, impatiently: bool = False) -> End:
    """Give a bot a start that it cannot carry out, and send SIGTERM; once more when it was heard if ``impatiently``."""
    with workplace(prefix="tests") as place, valkey(place) as redis:
        bot = _bot(place.folder, {**environment, "REDIS_URL": redis.url()}).start()
        wait_until("the lead", bot.leads, seconds=10)
        body = a_command(f"start {CANARY} 10")
        assert post(bot.address, body, signed(body)) == 200
        bot.server.signal(signal.SIGTERM)
        if impatiently:
            wait_until("the signal heard", lambda: "stopping" in bot.log(), seconds=5)
            bot.server.signal(signal.SIGTERM)
        status = _ended(bot, seconds=2 if impatiently else 10)
        with connect(redis.url()) as client:
            return End(status, len(a_store(client).requests(datetime.now(UTC) + timedelta(minutes=1))))


def end_while_redis_hangs(environment: dict[str, str]) -> End:
    """Freeze the Redis of a leader, and send SIGTERM."""
    with workplace(prefix="tests") as place, valkey(place) as redis:
        bot = _bot(place.folder, {**environment, "REDIS_URL": redis.url()}).start()
        wait_until("the lead", bot.leads, seconds=10)
        redis.server.freeze()
        bot.server.signal(signal.SIGTERM)
        return End(_ended(bot, seconds=10), 0)


def _bot(folder: Path, environment: dict[str, str]) -> Bot:
    return bot_process(
        "bot", folder, {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_SIGNING_SECRET": SIGNING_SECRET, **environment}
    )


def _ended(bot: Bot, *, seconds: float) -> int:
    try:
        return bot.server.ended(seconds=seconds)
    finally:
        bot.server.kill()

from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from bot.domain.verbs.pause import PAUSE
from bot.domain.verbs.registry import added
from bot.engine.store_port import Became, Saved
from bot.store.inbox import ASIDE
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, a_request
from tests.memory import PREFIX


def test_a_request_is_decided_once(store: RedisStore) -> None:
    request = a_request("pause")
    store.receive(request)
    assert store.save(a_save(STARTED, request=request.delivery)) is Saved.YES
    assert store.save(a_save(STEPPED, "d1", request=request.delivery)) is Saved.DECIDED
    assert store.drop(request.delivery, Became(refusal="No.")) is False
    assert store.became(request.delivery) == Became(rollout=STARTED.id)


def test_a_delivery_is_received_once_and_waits_in_the_inbox(store: RedisStore) -> None:
    request = a_request("pause", reason="& < > é — 🚀")
    assert [store.receive(request), store.receive(request)] == [True, False]
    assert store.requests(NOON + timedelta(seconds=1)) == [request]
    assert store.requests(NOON - timedelta(seconds=1)) == []


def test_a_request_of_a_verb_that_only_a_newer_version_knows_stays_in_the_inbox(
    store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    newer, ours = a_request("rewind", delivery="newer"), a_request("pause", delivery="ours")
    later = NOON + timedelta(seconds=1)
    assert [store.receive(newer), store.receive(ours)] == [True, True]
    assert store.requests(later) == [ours]
    assert caplog.messages == [
        "Requests in the inbox that cannot be read: 1, the first of delivery newer. They wait for a version that can."
    ]
    with added(replace(PAUSE, name="rewind")):
        assert store.requests(later) == [ours]
        assert store.requests(later + ASIDE) == [ours, newer]


def test_requests_that_nobody_can_read_keep_no_other_waiting_and_are_named_once(
    store: RedisStore, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ours, later = a_request("pause", delivery="ours"), NOON + timedelta(seconds=1)
    cryptic = {f"cryptic-{number}": "[" * 1000 for number in range(1500)}
    with redis.Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}inbox", mapping=cryptic)
        client.zadd(f"{PREFIX}inbox:at", dict.fromkeys(cryptic, 0.0))
        client.zadd(f"{PREFIX}inbox:at", {"without a request": 0.0})
    store.receive(ours)
    assert [store.requests(later) for _ in range(3)] == [[], [ours], [ours]]
    assert len(caplog.messages) == 2
    assert store.requests(later + ASIDE) == [ours]
    assert len(caplog.messages) == 2


def test_a_request_that_was_done_while_the_inbox_was_read_is_not_named(
    store: RedisStore, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.zadd(f"{PREFIX}inbox:at", {"done": 0.0})
    assert (store.requests(NOON), caplog.messages) == ([], [])


@pytest.mark.parametrize("became", ["saved", "refused", "refused and forgotten"])
def test_for_a_day_a_delivery_is_known_again_in_few_bytes(store: RedisStore, redis_url: str, became: str) -> None:
    request = a_request("pause", delivery="8443215678901.2345678901.0123456789abcdef0123456789abcdef")
    with redis.Redis.from_url(redis_url) as client:
        if became != "refused and forgotten":
            store.receive(request)
        if became == "saved":
            store.save(a_save(STARTED, request=request.delivery))
        else:
            store.drop(request.delivery, Became(refusal="No."))
        client.delete(f"{PREFIX}became:{request.delivery}", f"{PREFIX}dropped:{request.delivery}")  # 15 minutes later
        assert store.receive(request) is False
        assert store.requests(NOON + timedelta(days=1)) == []
        seen = f"{PREFIX}seen:{request.delivery}"
        assert timedelta(hours=24) < timedelta(seconds=client.ttl(seen)) <= timedelta(hours=25)
        assert client.memory_usage(seen) <= 256

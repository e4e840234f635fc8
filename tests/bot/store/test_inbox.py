from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.verbs.pause import PAUSE
from bot.domain.verbs.registry import added
from bot.engine.store_port import Became, Saved
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, a_request


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
    assert caplog.messages == ["The request of delivery newer cannot be read. It waits for a version that can."]
    with added(replace(PAUSE, name="rewind")):
        assert store.requests(later) == [newer, ours]

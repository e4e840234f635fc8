from datetime import timedelta

from bot.domain.commands.request import Verb
from bot.engine.ports import Became, Saved
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, a_request


def test_a_request_is_decided_once(store: RedisStore) -> None:
    request = a_request(Verb.PAUSE)
    store.receive(request)
    assert store.save(a_save(STARTED, request=request.delivery)) is Saved.YES
    assert store.save(a_save(STEPPED, "d1", request=request.delivery)) is Saved.DECIDED
    assert store.drop(request.delivery, Became(refusal="No.")) is False
    assert store.became(request.delivery) == Became(rollout=STARTED.id)


def test_a_delivery_is_received_once_and_waits_in_the_inbox(store: RedisStore) -> None:
    request = a_request(Verb.PAUSE, reason="& < > é — 🚀")
    assert [store.receive(request), store.receive(request)] == [True, False]
    assert store.requests(NOON + timedelta(seconds=1)) == [request]
    assert store.requests(NOON - timedelta(seconds=1)) == []

from datetime import timedelta

from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, a_save
from tests.builders import NOON


def test_a_claim_comes_again_where_the_step_saved_no_new_time(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    assert store.claim_due(NOON) == [(STARTED.id, NOON)]
    assert store.claim_due(NOON) == []
    assert store.next_due() == NOON + timedelta(seconds=10)

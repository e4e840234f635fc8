from datetime import timedelta

import pytest

from bot.domain.rollout import Phase
from bot.engine.store_port import Progress
from bot.store.store import RedisStore
from tests.bot.store.saves import STARTED, a_save
from tests.builders import NOON, a_rollout


def test_a_claim_comes_again_where_the_step_saved_no_new_time(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    assert store.claim_due(NOON) == [(STARTED.id, NOON)]
    assert store.claim_due(NOON) == []
    assert store.next_due() == NOON + timedelta(seconds=10)


def test_the_failure_of_an_old_decision_does_not_delay_a_newer_roll_back(store: RedisStore) -> None:
    store.save(a_save(STARTED))
    store.save(a_save(a_rollout(revision=2, decision="d2", phase=Phase.ROLLED_BACK), STARTED.decision))
    now, later = NOON + timedelta(days=365), NOON + timedelta(days=365, seconds=30)
    store.learn(STARTED.id, STARTED.decision, Progress(retry=later))
    assert store.unapplied(now, brakes=True) == [STARTED.id]
    store.learn(STARTED.id, "d2", Progress(retry=later))
    assert store.unapplied(now, brakes=True) == []


def test_what_is_due_of_an_unreadable_record_is_put_off_and_named_once(
    store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(a_save(STARTED))
    now, later = NOON + timedelta(days=365), NOON + timedelta(days=365, seconds=50)
    assert (store.next_due(), store.unapplied(now, brakes=False)) == (NOON, [STARTED.id])
    for _ in range(2):
        store.set_aside(STARTED.id, later)
    assert (store.next_due(), store.unapplied(now, brakes=False)) == (later, [])
    assert caplog.messages == [f"The record of {STARTED.id} cannot be read. It waits for a version that can."]


def test_nothing_becomes_due_because_a_record_cannot_be_read(store: RedisStore) -> None:
    store.set_aside("r-0000000f", NOON)
    assert (store.next_due(), store.unapplied(NOON, brakes=True), store.unapplied(NOON, brakes=False)) == (None, [], [])

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis
import time_machine

from bot.domain.errors import StoreError
from bot.domain.rollout import Change
from bot.engine.store_port import Save
from bot.service.scheduler import Timer
from bot.store.clock import SystemClock
from bot.store.connection import connect
from bot.store.store import RedisStore
from sandbox.process import wait_until
from tests.builders import a_rollout
from tests.memory import a_store, due_times


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    yield client
    client.close()


def save_due(store: RedisStore, rollout_id: str, at: datetime) -> None:
    rollout = a_rollout(id=rollout_id, decision=rollout_id)
    store.save(Save(change=Change(after=rollout, events=(), due=at), expected=None))


class Ticks:
    """Records what was ticked, and takes its due time away as a real step would."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self.seen: list[str] = []

    def __call__(self, rollout_id: str) -> None:
        self._store.forget_due(rollout_id)
        self.seen.append(rollout_id)


def test_saving_a_record_is_scheduling_it(client: "redis.Redis") -> None:
    store = a_store(client)
    ticks = Ticks(store)
    timer = Timer(store, SystemClock(), ticks)
    timer.start()
    save_due(store, "r-now", datetime.now(UTC))
    save_due(store, "r-later", datetime.now(UTC) + timedelta(hours=1))
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    timer.stop()
    assert ticks.seen == ["r-now"]


class Shifted(SystemClock):
    """A clock that is some time ahead of this machine's, as Redis's may be."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_redis_clock_decides_what_is_due_whatever_this_machine_says(client: "redis.Redis", ahead: timedelta) -> None:
    store, clock = a_store(client), Shifted(ahead)
    ticks = Ticks(store)
    save_due(store, "r-now", clock.now())
    save_due(store, "r-later", clock.now() + timedelta(minutes=30))
    timer = Timer(store, clock, ticks)
    timer.start()
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    timer.stop()
    assert ticks.seen == ["r-now"]


def test_a_step_that_was_due_while_nobody_led_is_late_and_done_once(client: "redis.Redis") -> None:
    store = a_store(client)
    ticks = Ticks(store)
    save_due(store, "r-late", datetime.now(UTC) - timedelta(hours=3))
    timer = Timer(store, SystemClock(), ticks)
    timer.start()
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    timer.stop()
    assert ticks.seen == ["r-late"]


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_steps_and_sweeps_go_on_after_the_clock_of_the_machine_has_jumped(
    client: "redis.Redis", jump: timedelta
) -> None:
    store, sweeps = a_store(client), threading.Semaphore(0)
    ticks = Ticks(store)
    timer = Timer(store, SystemClock(), ticks)
    timer.every(timedelta(seconds=0.1), "a sweep", sweeps.release)
    timer.start()
    assert sweeps.acquire(timeout=5)
    with time_machine.travel(datetime.now(UTC) + jump):
        while sweeps.acquire(blocking=False):
            pass
        save_due(store, "r-now", datetime.now(UTC))
        wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
        assert sweeps.acquire(timeout=5)
        assert sweeps.acquire(timeout=5)
    timer.stop()
    assert ticks.seen == ["r-now"]


class Flaky:
    """A view of due times that fails until it is mended."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self.broken = threading.Event()
        self.asked = 0

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Fail, or claim."""
        self.asked += 1
        if self.broken.is_set():
            raise StoreError("Redis does not answer.")
        return self._store.claim_due(now, most)

    def next_due(self) -> datetime | None:
        """Pass it on."""
        return self._store.next_due()


def test_the_timer_outlives_a_store_that_fails(client: "redis.Redis") -> None:
    store = a_store(client)
    ticks, flaky = Ticks(store), Flaky(store)
    flaky.broken.set()
    timer = Timer(flaky, SystemClock(), ticks)
    timer.start()
    save_due(store, "r-now", datetime.now(UTC))
    wait_until("the failing look", lambda: flaky.asked > 0, seconds=5)
    flaky.broken.clear()
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    timer.stop()
    assert ticks.seen == ["r-now"]


def test_a_step_that_breaks_is_claimed_again_and_delays_nobody(client: "redis.Redis") -> None:
    store = a_store(client)
    ticks = Ticks(store)

    def tick(rollout_id: str) -> None:
        assert rollout_id != "r-broken"
        ticks(rollout_id)

    timer = Timer(store, SystemClock(), tick)
    now = datetime.now(UTC)
    save_due(store, "r-broken", now)
    save_due(store, "r-whole", now + timedelta(milliseconds=1))
    timer.start()
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    timer.stop()
    again = due_times(client)["r-broken"]
    assert (ticks.seen, again > now + timedelta(seconds=9)) == (["r-whole"], True)


def test_a_process_that_no_longer_leads_claims_nothing_and_begins_nothing(client: "redis.Redis") -> None:
    store = a_store(client)
    ticks, sweeps, leads = Ticks(store), threading.Semaphore(0), threading.Event()
    timer = Timer(store, SystemClock(), ticks, leads.is_set)
    timer.every(timedelta(seconds=0.01), "a sweep", sweeps.release)
    save_due(store, "r-now", datetime.now(UTC))
    due = due_times(client)
    timer.start()
    assert not sweeps.acquire(timeout=0.6)
    assert (ticks.seen, due_times(client)) == ([], due)
    leads.set()
    wait_until("the tick", lambda: bool(ticks.seen), seconds=5)
    assert sweeps.acquire(timeout=5)
    timer.stop()


class Withheld:
    """Due times that are over and cannot be claimed, as in a store that is not whole."""

    def __init__(self) -> None:
        self.looks = 0

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Give nothing away."""
        self.looks += 1
        return []

    def next_due(self) -> datetime | None:
        """Return a time that is over."""
        return datetime.now(UTC) - timedelta(hours=1)


def test_due_work_that_cannot_be_claimed_is_not_asked_for_without_a_pause() -> None:
    withheld, busy = Withheld(), 100
    timer = Timer(withheld, SystemClock(), lambda rollout_id: None)
    timer.start()
    threading.Event().wait(0.4)
    timer.stop()
    assert 0 < withheld.looks < busy

"""Leading: one reign after the other, and nothing that it waits for costs the lease."""

import threading
from collections.abc import Iterator

import pytest
import redis

from bot.service.leader import Leader
from bot.store.connection import connect
from bot.store.lease import Lease
from sandbox.process import wait_until
from tests.memory import PREFIX, prefix

KEY = f"{PREFIX}lease"


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    yield client
    client.close()


class Part:
    """What a leader begins and ends, with a story of it; either takes as long as a test wants."""

    def __init__(self, client: "redis.Redis", name: str, story: list[str], *, seconds: float = 10.0) -> None:
        self.name, self.story = name, story
        self.may_begin, self.may_end = threading.Event(), threading.Event()
        self.may_begin.set()
        self.may_end.set()
        self.leader = Leader(Lease(client, prefix, seconds=seconds), begin=self._begin, end=self._end)

    def _begin(self) -> None:
        self.story.append(f"{self.name} begins")
        self.may_begin.wait()

    def _end(self) -> None:
        self.story.append(f"{self.name} ends")
        self.may_end.wait()
        self.story.append(f"{self.name} has ended")

    def until(self, line: str) -> None:
        """Wait for the newest line of the story."""
        wait_until(line, lambda: self.story[-1:] == [f"{self.name} {line}"], seconds=10)


def test_one_process_leads_and_the_next_takes_over_when_it_has_stopped(client: "redis.Redis") -> None:
    story: list[str] = []
    first, second = Part(client, "first", story), Part(client, "second", story)
    first.leader.start()
    first.until("begins")
    second.leader.start()
    first.leader.stop()
    second.until("begins")
    second.leader.stop()
    assert story == [
        *("first begins", "first ends", "first has ended"),
        *("second begins", "second ends", "second has ended"),
    ]


def test_a_leader_that_is_slow_to_begin_and_to_end_keeps_the_lease_until_it_has_ended(client: "redis.Redis") -> None:
    story: list[str] = []
    slow, other = Part(client, "slow", story, seconds=1), Part(client, "other", story, seconds=1)
    slow.may_begin.clear()
    slow.may_end.clear()
    slow.leader.start()
    slow.until("begins")
    other.leader.start()
    assert not slow.may_begin.wait(1.5)
    slow.may_begin.set()
    stopping = threading.Thread(target=slow.leader.stop)
    stopping.start()
    slow.until("ends")
    assert not slow.leader.leads()
    assert not slow.may_end.wait(1.5)
    slow.may_end.set()
    other.until("begins")
    stopping.join()
    other.leader.stop()
    assert story[:4] == ["slow begins", "slow ends", "slow has ended", "other begins"]


def test_a_lost_lease_stops_new_work_at_once_and_no_reign_begins_before_the_last_is_over(client: "redis.Redis") -> None:
    part = Part(client, "it", [], seconds=0.5)
    part.may_end.clear()
    part.leader.start()
    part.until("begins")
    client.set(KEY, "somebody else")
    wait_until("the loss", lambda: not part.leader.leads(), seconds=5)
    part.until("ends")
    client.delete(KEY)
    assert not part.may_end.wait(0.4)
    assert (part.story, client.exists(KEY)) == (["it begins", "it ends"], 0)  # left to somebody who can lead now
    part.may_end.set()
    part.until("begins")
    part.leader.stop()
    assert part.story.count("it has ended") == 2


def test_a_leader_that_cannot_work_gives_the_lease_back(
    client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("no more threads")

    ended = threading.Event()
    leader, part = Leader(Lease(client, prefix), begin=broken, end=ended.set), Part(client, "next", [])
    leader.start()
    assert ended.wait(5)
    part.leader.start()
    part.until("begins")
    leader.stop()
    part.leader.stop()
    assert "could not take the lead" in caplog.text

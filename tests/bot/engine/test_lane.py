from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from bot.engine.lane import Lane


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane("test", 1)
    yield lane
    lane.close()


@pytest.fixture
def busy(lane: Lane) -> Iterator[Event]:
    """Keep the only thread busy, with a job whose key is ``busy``, until it is told to go on."""
    go_on, begun = Event(), Event()

    def job() -> None:
        begun.set()
        go_on.wait(10)

    lane.take(job, key="busy")
    assert begun.wait(10)
    yield go_on
    go_on.set()


def test_a_job_whose_key_is_at_work_or_in_line_is_not_taken_again(lane: Lane, busy: Event) -> None:
    taken = [lane.take(busy.set, key=key) for key in ("busy", "next", "next", None, None)]
    assert taken == [False, True, False, True, True]


def test_a_key_is_free_again_after_its_job(lane: Lane, busy: Event) -> None:
    busy.set()
    assert lane.settle(10)
    assert lane.take(busy.set, key="busy")


def test_whoever_is_called_after_a_job_may_have_its_key_taken_again(lane: Lane) -> None:
    taken, called = list[bool](), Event()

    def then() -> None:
        taken.append(lane.take(called.set, key="card"))

    lane.take(lambda: None, key="card", then=then)
    assert (called.wait(10), taken) == (True, [True])


def test_as_many_jobs_run_at_once_as_it_has_threads() -> None:
    lane, together = Lane("test", 3), Barrier(3)
    for _ in range(3):
        lane.take(lambda: together.wait(10))
    lane.close()
    assert not together.broken


def test_a_closed_lane_has_done_what_it_took_and_takes_nothing() -> None:
    lane, done = Lane("test", 1), list[str]()
    for name in ("first", "second"):
        lane.take(lambda name=name: done.append(name))  # type: ignore[misc]
    lane.close()
    assert (done, lane.take(done.clear), done) == (["first", "second"], False, ["first", "second"])


def test_a_stopped_line_forgets_what_waits_and_finishes_what_runs(lane: Lane, busy: Event) -> None:
    done: list[str] = []
    lane.take(lambda: done.append("waited"), key="next")
    lane.stop_line()
    busy.set()
    lane.close()
    assert (done, lane.take(done.clear)) == ([], False)


def test_settling_ends_in_time_where_a_job_hangs(lane: Lane, busy: Event) -> None:
    assert not lane.settle(0.01)
    assert not lane.take(busy.set, key="busy")


def test_a_failure_is_logged_with_the_name_of_the_lane(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    lane.take(lambda: int("x"))
    assert lane.settle(10)
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("A job of the lane test broke.", True)
    ]

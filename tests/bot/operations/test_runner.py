"""The runner on a real store: steps, failures, deadlines, people in between, and two processes at once."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from bot.domain.agreement import Agreement
from bot.domain.errors import ClusterError, RouteError
from bot.domain.operation import Operation, OperationPhase
from bot.operations.executor import Ask, Done, Failed, Next, Step
from bot.operations.runner import AT_ONCE, MOST_ASKED, NOBODY_KNOWS, TOO_LONG
from bot.store.operations import CLAIM_AHEAD
from sandbox.process import wait_until
from tests.bot.operations.scripted import Scripted, Works, count_to_three
from tests.builders import ALICE
from tests.memory import PREFIX
from tests.operations import an_operation_store

SAID = ["begun", "progressed: Step 1.", "progressed: Step 2."]
AHEAD = CLAIM_AHEAD.total_seconds()


@pytest.fixture
def works(redis_url: str) -> Works:
    return Works(an_operation_store(redis_url))


class Hang:
    """A step that does not end before the test says so."""

    def __init__(self) -> None:
        self.begun, self.ends = Event(), Event()

    def __call__(self, operation: Operation) -> Step:
        self.begun.set()
        assert self.ends.wait(10)
        return Next(state={"next": 2}, said="Late.")


def raising(error: Exception) -> Callable[[Operation], Step]:
    def step(operation: Operation) -> Step:
        raise error

    return step


def test_steps_that_are_due_at_once_are_taken_in_one_go(works: Works) -> None:
    operation = works.begun()
    works.look()
    assert works.executor.states == [{"next": 1}, {"next": 2}, {"next": 3}]
    assert works.told(operation.id) == [*SAID, "done: All three."]
    assert works.load(operation.id).phase is OperationPhase.DONE


def test_a_step_that_waits_is_taken_when_its_time_has_come(works: Works) -> None:
    wait = CLAIM_AHEAD * 20
    works.executor.act = lambda operation: Next(state={"next": operation.state["next"] + 1}, wait=wait)
    works.begun()
    works.look()
    works.look(seconds=wait.total_seconds() - 1)
    assert works.executor.states == [{"next": 1}]
    works.look(seconds=1)
    assert works.executor.states == [{"next": 1}, {"next": 2}]


def test_a_step_that_fails_for_a_while_is_tried_again_and_the_card_can_say_why(works: Works) -> None:
    operation = works.begun()
    works.executor.act = raising(ClusterError("The API server did not answer."))
    works.look()
    works.look(seconds=1)
    tried = works.load(operation.id)
    assert (tried.attempts, tried.trouble, tried.state) == (2, "The API server did not answer.", {"next": 1})
    works.executor.act = count_to_three
    works.look(seconds=60)
    assert works.told(operation.id) == [*SAID, "done: All three."]
    assert works.load(operation.id).trouble == ""


def test_a_step_that_breaks_is_tried_again_and_its_text_stays_in_the_log(
    works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    operation = works.begun()
    works.executor.act = raising(ZeroDivisionError("secret"))
    works.look()
    assert works.load(operation.id).trouble == "Something broke on our side; the log says what."
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize(
    "act",
    [lambda operation: Failed("No such chart."), raising(RouteError("No such chart."))],
    ids=["it says so", "it raises an error for people"],
)
def test_an_impossible_operation_fails_and_says_what_is_left(works: Works, act: Callable[[Operation], Step]) -> None:
    operation = works.begun()
    works.executor.act = act
    works.look()
    failed = works.load(operation.id)
    assert (failed.phase, failed.why, failed.left) == (OperationPhase.FAILED, "No such chart.", "Look at step 1.")
    assert works.told(operation.id) == ["begun", "failed: No such chart. Look at step 1."]


def test_an_executor_that_cannot_say_what_is_left_ends_all_the_same(works: Works) -> None:
    operation = works.begun()
    works.executor.act, works.executor.remain = lambda operation: Failed("No."), raising_left
    works.look()
    assert works.load(operation.id).left == NOBODY_KNOWS


def raising_left(operation: Operation) -> str:
    raise KeyError("next")


def asking_for(*digests: str) -> Callable[[Operation], Step]:
    """Return a step that needs people to agree to each of these, one after the other; then it is done."""

    def step(operation: Operation) -> Step:
        at = operation.state["next"] - 1
        if at == len(digests):
            return Done(said="Did it.")
        if operation.may(digests[at]):
            return Next(state={"next": at + 2})
        return Ask(state=operation.state, lines=[f"Do {digests[at]}."], digest=digests[at])

    return step


def test_a_step_that_people_have_to_agree_to_waits_for_them(works: Works) -> None:
    works.executor.act = asking_for("a")
    operation = works.begun()
    works.look()
    works.look(hours=2)
    asked = works.load(operation.id)
    assert (asked.phase, asked.agreement) == (
        OperationPhase.ASKING,
        Agreement(lines=("Do a.",), digest="a", needed=1, not_by=ALICE),
    )
    works.approve(operation)
    works.look()
    assert works.told(operation.id) == ["begun", "asked", "approved", "done: Did it."]


def test_each_thing_is_asked_for_itself(works: Works) -> None:
    works.executor.act = asking_for("a", "b")
    operation = works.begun()
    works.look()
    works.approve(operation)
    works.look()
    assert works.load(operation.id).agreement == Agreement(lines=("Do b.",), digest="b", needed=1, not_by=ALICE)


def test_what_is_too_long_to_read_is_not_asked(works: Works) -> None:
    works.executor.act = lambda operation: Ask(state=operation.state, lines=["x" * (MOST_ASKED + 1)], digest="a")
    operation = works.begun()
    works.look()
    failed = works.load(operation.id)
    assert (failed.phase, failed.why) == (OperationPhase.FAILED, TOO_LONG)


def test_what_nobody_approves_within_a_day_fails(works: Works) -> None:
    works.executor.act = asking_for("a")
    operation = works.begun()
    works.look()
    works.look(hours=24)
    failed = works.load(operation.id)
    until = f"{works.clock.now():%H:%M} UTC"
    assert (failed.phase, failed.why) == (OperationPhase.FAILED, f"It was not approved by {until}.")


def test_the_deadline_ends_what_is_not_done(works: Works) -> None:
    works.executor.act = raising(ClusterError("The API server did not answer."))
    operation = works.begun()
    works.look()
    works.look(minutes=30)
    ended = works.load(operation.id)
    late = f"It was not done by {operation.deadline:%H:%M} UTC. The API server did not answer."
    assert (ended.phase, ended.why, ended.left) == (OperationPhase.FAILED, late, "Look at step 1.")


def test_the_deadline_fires_while_a_step_hangs_and_that_step_changes_nothing_more(works: Works) -> None:
    works.executor.act = hang = Hang()
    operation, runner = works.begun(), works.runner()
    runner.look()
    assert hang.begun.wait(10)
    works.clock.forward(minutes=30)
    runner.look()
    assert works.load(operation.id).phase is OperationPhase.FAILED
    hang.ends.set()
    runner.close()
    assert works.told(operation.id)[1:] == [f"failed: {works.load(operation.id).why} Look at step 1."]


def test_a_step_that_hangs_is_not_taken_twice_and_does_not_delay_other_operations(works: Works) -> None:
    hang = Hang()
    slow = works.begun("slow")
    works.executor.act = lambda one: hang(one) if (one.id, one.revision) == (slow.id, 1) else count_to_three(one)
    quick, runner = works.begun("quick"), works.runner()
    runner.look()
    assert hang.begun.wait(10)
    works.clock.forward(seconds=AHEAD)
    runner.look()
    hang.ends.set()
    runner.close()
    assert works.load(quick.id).phase is OperationPhase.DONE
    assert sorted(state["next"] for state in works.executor.states) == [1, 1, 2, 2, 3, 3]


def test_somebody_cancels_and_what_was_done_is_taken_back(works: Works) -> None:
    works.executor.act = lambda operation: replace_wait(count_to_three(operation))
    operation = works.begun()
    works.look()
    works.look(seconds=10)
    assert works.cancel().phase is OperationPhase.CANCELLING
    works.look()
    assert works.load(operation.id).phase is OperationPhase.CANCELLED
    assert works.told(operation.id) == [
        *SAID,
        "cancelling",
        "progressed: Took back 3.",
        "progressed: Took back 2.",
        "cancelled",
    ]


def replace_wait(step: Step) -> Step:
    return replace(step, wait=CLAIM_AHEAD) if isinstance(step, Next) else step


def test_a_cancel_during_a_step_counts_when_that_step_ends(works: Works) -> None:
    works.executor.act = hang = Hang()
    operation, runner = works.begun(), works.runner()
    runner.look()
    assert hang.begun.wait(10)
    works.cancel()
    runner.look()
    assert works.load(operation.id).phase is OperationPhase.CANCELLING
    hang.ends.set()
    runner.close()
    assert works.told(operation.id) == ["begun", "cancelling", "cancelled"]


def test_a_step_that_waited_in_line_is_not_taken_if_somebody_cancelled_meanwhile(works: Works) -> None:
    hang, stepped = Hang(), list[str]()

    def act(operation: Operation) -> Step:
        stepped.append(operation.subject)
        return hang(operation) if operation.subject.startswith("slow") else count_to_three(operation)

    works.executor.act, runner = act, works.runner()
    for number in range(AT_ONCE):
        works.begun(f"slow-{number}")
    runner.look()
    wait_until("no free thread", lambda: len(stepped) == AT_ONCE, seconds=10)
    for subject in ("cancelled", "behind-it"):
        last = works.begun(subject)
        runner.look()
    works.cancel("cancelled")
    hang.ends.set()
    wait_until("the one behind it", lambda: works.load(last.id).is_over, seconds=10)
    runner.close()
    assert "cancelled" not in stepped


def test_taking_back_has_a_deadline_and_can_be_tried_once_more(works: Works) -> None:
    works.executor.act = lambda operation: Next(state={"next": 2}, wait=CLAIM_AHEAD)
    works.executor.take_back = raising(ClusterError("The API server did not answer."))
    operation = works.begun()
    works.look()
    works.cancel()
    works.look()
    works.look(minutes=10)
    assert works.load(operation.id).phase is OperationPhase.FAILED
    works.executor.take_back = lambda operation: Done(said="Nothing is left.")
    works.requests.decide(works.request(operation.id, cancels=True))
    works.look()
    ended = works.load(operation.id)
    assert (ended.phase, ended.left) == (OperationPhase.CANCELLED, "")


def test_two_processes_at_one_step_save_one_of_them(works: Works) -> None:
    hang = Hang()
    works.executor.act = hang
    operation, frozen = works.begun(), works.runner()
    frozen.look()
    assert hang.begun.wait(10)
    works.executor.act = count_to_three
    works.look(seconds=AHEAD)
    hang.ends.set()
    frozen.close()
    assert works.told(operation.id) == [*SAID, "done: All three."]


def test_a_process_that_must_begin_nothing_more_leaves_the_next_step_to_another(works: Works) -> None:
    def last(operation: Operation) -> Step:
        works.leads.clear()
        return count_to_three(operation)

    works.executor.act = last
    operation = works.begun()
    works.look()
    assert works.load(operation.id).state == {"next": 2}
    works.leads.set()
    works.executor.act = count_to_three
    works.look(seconds=AHEAD)
    assert works.told(operation.id) == [*SAID, "done: All three."]


def test_a_kind_that_this_program_does_not_know_waits_and_ends_at_its_deadline(
    works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    operation = works.begun()
    works.executor = Scripted(name="other")
    runner = works.runner()
    for _ in range(3):
        runner.look()
        works.clock.forward(seconds=AHEAD)
    assert works.load(operation.id) == operation
    assert caplog.messages == [f"leaving operation {operation.id} alone: This program knows no `copy`."]
    works.look(minutes=30)
    assert works.load(operation.id).left == NOBODY_KNOWS


def test_a_record_of_another_version_does_not_delay_other_operations(works: Works) -> None:
    newer = works.begun("newer")
    works.store.client.hset(f"{PREFIX}r:{newer.id}", "operation", '{"v": 2}')
    operation = works.begun()
    works.look()
    assert works.load(operation.id).phase is OperationPhase.DONE


def test_more_operations_than_threads_all_come_to_their_end(works: Works) -> None:
    operations = [works.begun(f"models-{number}") for number in range(AT_ONCE * 2)]
    runner = works.runner()
    runner.look()
    while any(not works.load(each.id).is_over for each in operations):
        works.clock.forward(seconds=AHEAD)
        runner.look()
    runner.close()
    assert {works.load(each.id).phase for each in operations} == {OperationPhase.DONE}

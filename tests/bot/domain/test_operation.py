"""The decisions of an operation: each one as a row, then every state that a few of them can lead to."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.domain.agreement import Agreement
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.of_operations import (
    approve,
    ask_people,
    begin,
    cancel,
    fail,
    finish,
    go_on,
    run_out_of_time,
    try_again,
)
from bot.domain.errors import NotAllowedError, TransitionError
from bot.domain.operation import (
    OVER,
    NewOperation,
    Operation,
    OperationChange,
    OperationEvent,
    OperationEventKind,
    OperationPhase,
    is_operation_id,
    is_out_of_time,
    operation_id,
)
from tests.builders import ALICE, BOB, CAROL, NOON, at
from tests.operations import RUNNING, an_operation

HOUR = timedelta(hours=1)
CANCELLING = an_operation(phase=OperationPhase.CANCELLING, turn=2, by=BOB, why="wrong image")
ASKED = Agreement(lines=("Delete it.",), digest="abc", needed=2)
ASKING = an_operation(phase=OperationPhase.ASKING, turn=2, agreement=ASKED)
FAILED = an_operation(phase=OperationPhase.FAILED, turn=2, why="No.", left="Delete it.")


def told(kind: OperationEventKind, said: str = "", *, by: str = "", minutes: float = 1) -> OperationEvent:
    return OperationEvent(kind=kind, at=at(minutes).now, by=by, said=said)


def test_one_delivery_begins_one_operation() -> None:
    now = at(1).now
    assert operation_id("delivery-1", now) == operation_id("delivery-1", now) == "o-de917327"
    assert operation_id("delivery-1", now) != operation_id("delivery-1", now + timedelta(seconds=1))
    assert [is_operation_id(word) for word in ("o-0b220df1", "r-0b220df1", "o-new", "")] == [True, False, False, False]


def test_it_begins_with_its_first_intent_and_its_deadline() -> None:
    asked = NewOperation(
        kind="copy", subject="models", by=ALICE, channel="C1", parameters={"count": "3"}, reason="H100"
    )
    change = begin(asked, at(by=ALICE, decision="d1"), operation_id="o-1", state={"next": 1}, within=HOUR)
    assert change == OperationChange(
        after=Operation(
            id="o-1",
            kind="copy",
            subject="models",
            parameters={"count": "3"},
            reason="H100",
            channel="C1",
            started_by=ALICE,
            started_at=NOON,
            phase=OperationPhase.RUNNING,
            since=NOON,
            deadline=NOON + HOUR,
            state={"next": 1},
            revision=1,
            decision="d1",
            decided_at=NOON,
            turn=1,
            by=ALICE,
        ),
        events=(told(OperationEventKind.BEGUN, "H100", by=ALICE, minutes=0),),
        due=NOON,
    )


Decision = Callable[[Operation, Moment], OperationChange]
MINUTE = at(1).now

ROWS: dict[str, tuple[Operation, Decision, dict[str, object], tuple[OperationEvent, ...], object]] = {
    "a step is taken, and the next one is due": (
        replace(RUNNING, attempts=3, trouble="No answer."),
        lambda of, now: go_on(of, {"next": 2}, "Copied 1.", timedelta(seconds=5), now),
        {"state": {"next": 2}, "progress": ("Copied 1.",), "attempts": 0, "trouble": ""},
        (told(OperationEventKind.PROGRESSED, "Copied 1."),),
        MINUTE + timedelta(seconds=5),
    ),
    "a step that says nothing tells nothing": (
        RUNNING,
        lambda of, now: go_on(of, {"next": 2}, "", timedelta(0), now),
        {"state": {"next": 2}},
        (),
        MINUTE,
    ),
    "a step that changed nothing is not taken again at once": (
        RUNNING,
        lambda of, now: go_on(of, {"next": 1}, "", timedelta(0), now),
        {},
        (),
        MINUTE + timedelta(seconds=1),
    ),
    "a step does not wait beyond the deadline": (
        RUNNING,
        lambda of, now: go_on(of, {"next": 2}, "", timedelta(days=1), now),
        {"state": {"next": 2}},
        (),
        RUNNING.deadline,
    ),
    "the card keeps the newest sentences": (
        replace(RUNNING, progress=("1", "2", "3", "4", "5", "6")),
        lambda of, now: go_on(of, {}, "7", timedelta(0), now),
        {"state": {}, "progress": ("2", "3", "4", "5", "6", "7")},
        (told(OperationEventKind.PROGRESSED, "7"),),
        MINUTE,
    ),
    "a step that cannot be taken is tried again, later each time": (
        replace(RUNNING, attempts=2),
        lambda of, now: try_again(of, "No answer.", now),
        {"attempts": 3, "trouble": "No answer."},
        (),
        MINUTE + timedelta(seconds=4),
    ),
    "and not later than after half a minute": (
        replace(RUNNING, attempts=500),
        lambda of, now: try_again(of, "No answer.", now),
        {"attempts": 501, "trouble": "No answer."},
        (),
        MINUTE + timedelta(seconds=30),
    ),
    "it is done": (
        replace(RUNNING, attempts=1, trouble="No answer."),
        lambda of, now: finish(of, {}, "All are there.", now),
        {"phase": OperationPhase.DONE, "state": {}, "progress": ("All are there.",), "attempts": 0, "trouble": ""},
        (told(OperationEventKind.DONE, "All are there."),),
        None,
    ),
    "all is taken back": (
        CANCELLING,
        lambda of, now: finish(of, {}, "", now),
        {"phase": OperationPhase.CANCELLED, "state": {}},
        (told(OperationEventKind.CANCELLED),),
        None,
    ),
    "it fails": (
        RUNNING,
        lambda of, now: fail(of, "The chart is broken.", "Delete it.", now),
        {"phase": OperationPhase.FAILED, "why": "The chart is broken.", "left": "Delete it."},
        (told(OperationEventKind.FAILED, "The chart is broken. Delete it."),),
        None,
    ),
    "its deadline passes, and the last trouble is named": (
        replace(RUNNING, trouble="No answer."),
        lambda of, now: run_out_of_time(of, "Delete it.", now),
        {
            "phase": OperationPhase.FAILED,
            "why": "It was not done by 12:30 UTC. No answer.",
            "left": "Delete it.",
            "trouble": "",
        },
        (told(OperationEventKind.FAILED, "It was not done by 12:30 UTC. No answer. Delete it."),),
        None,
    ),
    "the deadline of taking back passes": (
        CANCELLING,
        lambda of, now: run_out_of_time(of, "", now),
        {"phase": OperationPhase.FAILED, "why": "It was not taken back by 12:30 UTC."},
        (told(OperationEventKind.FAILED, "It was not taken back by 12:30 UTC."),),
        None,
    ),
    "it asks people": (
        replace(RUNNING, attempts=3, trouble="No answer."),
        lambda of, now: ask_people(of, ASKED, {"next": 2}, HOUR, now),
        {
            "phase": OperationPhase.ASKING,
            "state": {"next": 2},
            "agreement": ASKED,
            "deadline": MINUTE + HOUR,
            "attempts": 0,
            "trouble": "",
        },
        (told(OperationEventKind.ASKED),),
        MINUTE + HOUR,
    ),
    "it asks again, and what people have approved before does not count": (
        replace(RUNNING, agreement=replace(ASKED, approvals=(BOB, CAROL))),
        lambda of, now: ask_people(of, replace(ASKED, digest="def"), {}, HOUR, now),
        {
            "phase": OperationPhase.ASKING,
            "state": {},
            "agreement": replace(ASKED, digest="def"),
            "deadline": MINUTE + HOUR,
        },
        (told(OperationEventKind.ASKED),),
        MINUTE + HOUR,
    ),
    "somebody approves, and one more has to": (
        ASKING,
        lambda of, now: approve(of, HOUR, replace(now, by=BOB), requester_may_approve=False),
        {"agreement": replace(ASKED, approvals=(BOB,)), "by": BOB},
        (told(OperationEventKind.APPROVED, by=BOB),),
        ASKING.deadline,
    ),
    "the last one approves, and it goes on": (
        replace(ASKING, agreement=replace(ASKED, approvals=(BOB,))),
        lambda of, now: approve(of, HOUR, replace(now, by=CAROL), requester_may_approve=False),
        {
            "phase": OperationPhase.RUNNING,
            "agreement": replace(ASKED, approvals=(BOB, CAROL)),
            "deadline": MINUTE + HOUR,
            "by": CAROL,
        },
        (told(OperationEventKind.APPROVED, by=CAROL),),
        MINUTE,
    ),
    "whoever started it approves, where the policy allows that": (
        ASKING,
        lambda of, now: approve(of, HOUR, replace(now, by=ALICE), requester_may_approve=True),
        {"agreement": replace(ASKED, approvals=(ALICE,)), "by": ALICE},
        (told(OperationEventKind.APPROVED, by=ALICE),),
        ASKING.deadline,
    ),
    "nobody approves in time": (
        ASKING,
        lambda of, now: run_out_of_time(of, "", now),
        {"phase": OperationPhase.FAILED, "why": "It was not approved by 12:30 UTC."},
        (told(OperationEventKind.FAILED, "It was not approved by 12:30 UTC."),),
        None,
    ),
    "somebody cancels it": (
        replace(RUNNING, attempts=2, trouble="No answer."),
        lambda of, now: cancel(of, "wrong image", HOUR, replace(now, by=BOB)),
        {
            "phase": OperationPhase.CANCELLING,
            "why": "wrong image",
            "attempts": 0,
            "trouble": "",
            "deadline": MINUTE + HOUR,
            "by": BOB,
        },
        (told(OperationEventKind.CANCELLING, "wrong image", by=BOB),),
        MINUTE,
    ),
    "somebody cleans up after a failure, whose reason stays": (
        FAILED,
        lambda of, now: cancel(of, "", HOUR, replace(now, by=BOB)),
        {"phase": OperationPhase.CANCELLING, "why": "No.", "left": "", "deadline": MINUTE + HOUR, "by": BOB},
        (told(OperationEventKind.CANCELLING, by=BOB),),
        MINUTE,
    ),
}


@pytest.mark.parametrize("row", list(ROWS))
def test_every_decision(row: str) -> None:
    before, decide, changes, events, due = ROWS[row]
    change = decide(before, at(1, decision="d9"))
    moved = changes.get("phase", before.phase) is not before.phase
    every = {"revision": before.revision + 1, "decision": "d9", "decided_at": MINUTE, "by": ""}
    where = {"turn": before.turn + 1, "since": MINUTE} if moved else {}
    assert change == OperationChange(after=replace(before, **{**every, **where, **changes}), events=events, due=due)  # type: ignore[arg-type]


@pytest.mark.parametrize("phase", [OperationPhase.DONE, OperationPhase.CANCELLED, OperationPhase.CANCELLING])
def test_an_operation_that_is_over_or_being_taken_back_cannot_be_cancelled(phase: OperationPhase) -> None:
    with pytest.raises(
        TransitionError, match=f"^You can't cancel `copy models`: it is {phase}. Its card says how it stands.$"
    ):
        cancel(an_operation(phase=phase), "", HOUR, at(1))


@pytest.mark.parametrize(
    ("operation", "by", "error", "said"),
    [
        (RUNNING, BOB, TransitionError, "`copy models` is not waiting for approval."),
        (ASKING, ALICE, NotAllowedError, "You started this, so your approval does not count. Ask somebody else."),
        (
            replace(ASKING, agreement=replace(ASKED, approvals=(BOB,))),
            BOB,
            TransitionError,
            "You have approved this already. It needs somebody else too.",
        ),
    ],
)
def test_an_approval_that_does_not_count(operation: Operation, by: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as refused:
        approve(operation, HOUR, at(1, by=by), requester_may_approve=False)
    assert str(refused.value) == said


def test_people_agree_to_one_thing_and_to_no_other() -> None:
    agreed = replace(ASKING, agreement=replace(ASKED, approvals=(BOB, CAROL)))
    assert [agreed.may("abc"), agreed.may("def"), ASKING.may("abc"), RUNNING.may("abc")] == [True, False, False, False]


# --- every state -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """An operation, when it is looked at next, and how it came to this."""

    change: OperationChange
    story: tuple[str, ...] = ()

    @property
    def operation(self) -> Operation:
        return self.change.after

    def key(self) -> tuple[object, ...]:
        one = self.operation
        seen = (one.trouble, bool(one.attempts), bool(one.why), bool(one.left), bool(one.progress))
        return (one.phase, one.state.get("made"), seen, self.change.due is None)


def _next(world: World) -> Iterator[World]:
    one = world.operation
    now = at((one.decided_at - NOON).total_seconds() / 60 + 1, decision=f"d{one.revision + 1}")
    late = replace(now, now=one.deadline)
    made = one.state["made"] + (1 if one.phase is OperationPhase.RUNNING else -1)
    does: dict[str, Callable[[], OperationChange]] = {"cancel": lambda: cancel(one, "", HOUR, replace(now, by=BOB))}
    if not one.is_over:
        does |= {
            "step": lambda: go_on(one, {"made": min(max(made, 0), 2)}, "Took a step.", timedelta(seconds=1), now),
            "again": lambda: try_again(one, "No answer.", now),
            "finish": lambda: finish(one, {"made": made}, "", now),
            "fail": lambda: fail(one, "No.", "Look.", now),
            "late": lambda: run_out_of_time(one, "Look.", late),
        }
    if one.phase is OperationPhase.ASKING:
        does = {name: does[name] for name in ("cancel", "late")}
        does["approve"] = lambda: approve(one, HOUR, replace(now, by=CAROL), requester_may_approve=False)
    elif one.phase is OperationPhase.RUNNING:
        does["ask"] = lambda: ask_people(one, replace(ASKED, needed=1), one.state, HOUR, now)
    for name, decide in does.items():
        try:
            yield World(decide(), (*world.story, name))
        except TransitionError:
            assert one.phase in (OperationPhase.DONE, OperationPhase.CANCELLED, OperationPhase.CANCELLING)


def reachable() -> tuple[World, ...]:
    """Return one world for each state, those that are reached soonest first."""
    asked = NewOperation(kind="copy", subject="models", by=ALICE, channel="C1")
    first = World(begin(asked, at(decision="d1"), operation_id="o-1", state={"made": 0}, within=HOUR))
    found, waiting = {first.key(): first}, deque([first])
    while waiting:
        for world in _next(waiting.popleft()):
            if world.key() not in found:
                found[world.key()] = world
                waiting.append(world)
    return tuple(found.values())


def test_every_state_has_somebody_who_ends_it_and_a_deadline() -> None:
    worlds = reachable()
    assert {world.operation.phase for world in worlds} == set(OperationPhase)
    for world in worlds:
        one, due = world.operation, world.change.due
        assert one.is_over == (one.phase in OVER) == (due is None), world.story
        assert due is None or one.decided_at <= due <= one.deadline, world.story
        assert one.phase is not OperationPhase.FAILED or (one.why and one.left), world.story
        assert is_out_of_time(one, one.deadline) is not one.is_over, world.story


def test_every_state_that_is_not_over_can_end_in_each_way() -> None:
    ends = {
        (world.operation.phase, after.operation.phase)
        for world in reachable()
        for after in _next(world)
        if after.operation.phase is not world.operation.phase
    }
    running, cancelling, failed = OperationPhase.RUNNING, OperationPhase.CANCELLING, OperationPhase.FAILED
    asking = OperationPhase.ASKING
    assert ends == {
        (running, OperationPhase.DONE),
        (running, asking),
        (asking, running),
        (asking, cancelling),
        (asking, failed),
        (running, failed),
        (running, cancelling),
        (cancelling, OperationPhase.CANCELLED),
        (cancelling, failed),
        (failed, cancelling),
    }

"""The gate that counts people's votes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.comparison import Choice, Comparison, Question, Vote, slot_of
from bot.domain.errors import StoreError
from bot.domain.gate import GateAnswer
from bot.domain.operation import Operation, OperationPhase
from bot.gates.gate import Asked, Found, GateSources
from bot.gates.quality import QualityKeys, check
from tests.builders import NOON, a_rollout, an_entry
from tests.operations import an_operation

VOTERS = ("U0ALICE001", "U0BOB00001", "U0CAROL001")
QUESTION = Question(prompt="Why?", new="Because.", old="No.", new_is_a=True)
A, B, SAME = Choice


@dataclass
class Kept:
    """The last operation of every slot, and which slot was asked for."""

    operation: Operation | None = None
    error: StoreError | None = None
    asked_for: str = ""

    def last(self, slot: str) -> Operation | None:
        self.asked_for = slot
        if self.error:
            raise self.error
        return self.operation


def compared(*choices: Choice, questions: int = 3, **changes: Any) -> Operation:
    """Return a comparison; the first voter answers the questions in their order, then the next one."""
    comparison = Comparison(voters=3).asking([QUESTION] * questions)
    for number, choice in enumerate(choices):
        comparison = comparison.with_vote(number % questions, Vote(choice, NOON), VOTERS[number // questions])
    state = {"do": "votes", "comparison": comparison.dumps()}
    return an_operation(**{"kind": "compare", "subject": "chat-v2", "state": state} | changes)


def found(kept: Kept, keys: QualityKeys | None = None, **changes: Any) -> Found:
    nothing = cast(Any, None)
    asked = Asked(an_entry(a_rollout(**changes)), NOON, GateSources(pools=nothing, routes=nothing, operations=kept))
    return check(asked, keys or QualityKeys())


def test_it_looks_for_the_comparison_of_this_very_rollout() -> None:
    kept = Kept()
    found(kept)
    assert kept.asked_for == slot_of(an_entry().rollout)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (None, "Nobody has compared the pools' answers yet. It begins by itself; type `compare` to begin it now."),
        (compared(A, A, A), "Vote in the thread of `compare chat-v2`. 1 of 3 people have answered every question."),
        (
            compared(A, phase=OperationPhase.FAILED, why="Only 0 of 3 people answered every question in time."),
            "The comparison had no result. Only 0 of 3 people answered every question in time. Type `compare` "
            "to ask again.",
        ),
        (
            compared(phase=OperationPhase.CANCELLED),
            "The comparison was cancelled. Type `compare` to ask again.",
        ),
        (
            compared(phase=OperationPhase.CANCELLED, why="wrong prompts"),
            "The comparison was cancelled: “wrong prompts”. Type `compare` to ask again.",
        ),
        (compared(phase=OperationPhase.CANCELLING), "The comparison is being cancelled."),
        (
            compared(state={"do": "ask", "comparison": Comparison(voters=3).dumps()}),
            "Both pools are answering the prompts. The questions come into the thread in some minutes.",
        ),
    ],
)
def test_it_holds_until_enough_people_have_voted(operation: Operation | None, reason: str) -> None:
    said = found(Kept(operation))
    assert (said.answer, said.reason) == (GateAnswer.HOLD, reason)


def test_where_it_is_not_required_nobody_has_to_vote() -> None:
    assert found(Kept(), QualityKeys(required=False)) == Found(
        answer=GateAnswer.PASS, evidence="nobody has compared the answers"
    )


@pytest.mark.parametrize("phase", [OperationPhase.CANCELLED, OperationPhase.FAILED])
def test_where_it_is_not_required_a_comparison_that_came_to_nothing_holds_nobody(phase: OperationPhase) -> None:
    came_to_nothing = found(Kept(compared(A, phase=phase)), QualityKeys(required=False))
    assert came_to_nothing == Found(answer=GateAnswer.PASS, evidence="the last comparison had no result")
    assert found(Kept(compared(A)), QualityKeys(required=False)).answer is GateAnswer.HOLD


@pytest.mark.parametrize(
    ("choices", "answer", "evidence"),
    [
        ([A] * 9, GateAnswer.PASS, "100 % of 9 votes for the new pool"),
        ([SAME] * 9, GateAnswer.PASS, "50 % of 9 votes for the new pool"),
        ([A, B, SAME] * 3, GateAnswer.PASS, "50 % of 9 votes for the new pool"),
        ([B, B, SAME, A, B, SAME, A, B, SAME], GateAnswer.PASS, "39 % of 9 votes for the new pool"),
        ([B, B, B, A, B, SAME, A, B, SAME], GateAnswer.HOLD, "33 % of 9 votes for the new pool"),
        ([B] * 7 + [A, SAME], GateAnswer.FAIL, "17 % of 9 votes for the new pool"),
        ([B] * 9, GateAnswer.FAIL, "0 % of 9 votes for the new pool"),
    ],
)
def test_it_fails_only_if_chance_does_not_explain_that_people_like_the_old_pool_more(
    choices: list[Choice], answer: GateAnswer, evidence: str
) -> None:
    said = found(Kept(compared(*choices)), QualityKeys(least=38.0))
    assert (said.answer, said.evidence) == (answer, evidence)


def test_what_may_be_chance_says_what_to_do() -> None:
    assert found(Kept(compared(*[B, B, B, A, B, SAME, A, B, SAME]))).reason == (
        "The new pool's answer was better in 2 votes, worse in 5, and the same in 2: 33 % for the new pool. "
        "That may be chance; more prompts or `compare.voters` would tell. Type `compare` to ask again."
    )


@pytest.mark.parametrize("choice", [A, B])
def test_a_few_votes_prove_nothing(choice: Choice) -> None:
    said = found(Kept(compared(*[choice] * 3, questions=1)))
    assert said.answer is GateAnswer.HOLD
    assert said.reason.endswith("Fewer than 5 votes prove nothing. Type `compare` to ask again.")


def test_votes_that_people_have_answered_with_resume_do_not_fail_it_again() -> None:
    worse = compared(*[B] * 9, phase=OperationPhase.DONE, decided_at=NOON)
    before = found(Kept(worse), resumed_at=NOON - timedelta(minutes=1))
    after = found(Kept(worse), resumed_at=NOON + timedelta(minutes=1))
    assert (before.answer, after.answer) == (GateAnswer.FAIL, GateAnswer.HOLD)
    assert after.reason == f"{before.reason} Type `compare` to ask again."


def test_without_the_old_pool_there_is_nothing_to_compare() -> None:
    assert found(Kept(), stable_gone=True) == Found(
        answer=GateAnswer.PASS, evidence="nothing to compare with: the old pool is gone"
    )


def test_without_redis_it_holds() -> None:
    said = found(Kept(error=StoreError("Redis did not answer.")))
    assert (said.answer, said.reason) == (GateAnswer.HOLD, "Redis did not answer.")

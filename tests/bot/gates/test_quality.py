"""The gate that counts people's votes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.comparison import Choice, Comparison, Question, Vote, slot_of
from bot.domain.errors import StoreError
from bot.domain.gate import GateAnswer, OnFail
from bot.domain.operation import Operation, OperationPhase
from bot.domain.rollout import Pool
from bot.engine.route_port import PoolHealth
from bot.gates.gate import Asked, Found, GateSources
from bot.gates.quality import QualityKeys, check
from tests.builders import CANARY, NOON, a_rollout, an_entry
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


@dataclass
class Old:
    """Whether the old pool is gone."""

    is_gone: bool

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        return PoolHealth(lack="", readiness=cast(Any, None), is_stable_gone=self.is_gone)


def found(kept: Kept, keys: QualityKeys | None = None, *, pools: Any = None, **changes: Any) -> Found:
    nothing = cast(Any, None)
    asked = Asked(an_entry(a_rollout(**changes)), NOON, GateSources(pools=pools, routes=nothing, operations=kept))
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
            "Both pools are answering the prompts. The questions will appear in the thread within a few minutes.",
        ),
    ],
)
def test_it_holds_until_enough_people_have_voted(operation: Operation | None, reason: str) -> None:
    said = found(Kept(operation))
    assert (said.answer, said.reason) == (GateAnswer.HOLD, reason)


def test_a_rollout_from_a_terminal_without_a_channel_says_where_to_vote() -> None:
    assert found(Kept(), channel="").reason == (
        "Nobody has compared the pools' answers yet. "
        f"This rollout has no channel: type `compare {CANARY}` in one, so that people can vote."
    )


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
        "That may be chance; more prompts or more voters (`compare.voters`) would help. Type `compare` to ask again."
    )


@pytest.mark.parametrize("choice", [A, B])
def test_a_few_votes_prove_nothing(choice: Choice) -> None:
    said = found(Kept(compared(*[choice] * 3, questions=1)))
    assert said.answer is GateAnswer.HOLD
    more = "more prompts or more voters (`compare.voters`) would help. Type `compare` to ask again."
    assert said.reason.endswith(f"Fewer than 5 votes prove nothing; {more}")
    assert found(Kept(compared(*[choice] * 3, questions=1)), QualityKeys(required=False)).answer is GateAnswer.PASS


def test_votes_after_which_people_typed_resume_do_not_pause_it_again() -> None:
    worse, pauses = compared(*[B] * 9, phase=OperationPhase.DONE, decided_at=NOON), QualityKeys(on_fail=OnFail.PAUSE)
    before = found(Kept(worse), pauses, resumed_at=NOON - timedelta(minutes=1))
    after = found(Kept(worse), pauses, resumed_at=NOON + timedelta(minutes=1))
    rolls_back = found(Kept(worse), resumed_at=NOON + timedelta(minutes=1))
    assert (before.answer, after.answer, rolls_back.answer) == (GateAnswer.FAIL, GateAnswer.HOLD, GateAnswer.FAIL)
    assert after.reason == f"{before.reason} Type `compare` to ask again."


@pytest.mark.parametrize("is_gone", [True, False])
def test_without_the_old_pool_there_is_nothing_to_compare_until_it_is_back(is_gone: bool) -> None:
    said = found(Kept(), pools=Old(is_gone), stable_gone=True)
    nothing = Found(answer=GateAnswer.PASS, evidence="nothing to compare with: the old pool is gone")
    assert said == (nothing if is_gone else found(Kept()))


def test_without_redis_it_holds() -> None:
    said = found(Kept(error=StoreError("Redis did not answer.")))
    assert (said.answer, said.reason) == (GateAnswer.HOLD, "Redis did not answer.")

"""What people say of both pools' answers, and who may still say something."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.comparison import Choice, Comparison, Opinion, Question, Vote, comparison_in, is_open, voted
from bot.domain.errors import TransitionError, UsageError
from bot.domain.operation import Operation, OperationPhase
from bot.domain.sentences.comparison import of_opinion, of_too_few, of_votes
from tests.builders import ALICE, BOB, CAROL, NOON
from tests.operations import an_operation

FIRST = Question(prompt="Why?", new="Because.", old="No idea.", new_is_a=True)
SECOND = Question(prompt="When?", new="Never.", old="Now.", new_is_a=False)
BOTH = Comparison(voters=2).asking([FIRST, SECOND])


def asking(comparison: Comparison = BOTH, **changes: Any) -> Operation:
    """Return an operation that asks people."""
    return an_operation(**{"kind": "compare", "state": {"do": "votes", "comparison": comparison.dumps()}} | changes)


def after(*votes: tuple[str, str]) -> Operation:
    """Return one that has got votes, each with its voter."""
    operation = asking()
    for vote, by in votes:
        operation = replace(operation, state=voted(operation, vote, by, NOON))
    return operation


def test_the_answers_are_shown_in_the_order_that_chance_has_chosen() -> None:
    assert (FIRST.shown, SECOND.shown) == (("Because.", "No idea."), ("Now.", "Never."))


def test_it_is_read_as_it_was_written() -> None:
    given = BOTH.with_vote(0, Vote(Choice.A, NOON), ALICE).with_vote(1, Vote(Choice.SAME, NOON), BOB)
    assert Comparison.loads(given.dumps()) == given


@pytest.mark.parametrize(
    ("votes", "opinion", "score"),
    [
        ([], Opinion(), 50.0),
        ([("1:a", ALICE)], Opinion(better=1), 100.0),
        ([("1:b", ALICE)], Opinion(worse=1), 0.0),
        ([("2:a", ALICE)], Opinion(worse=1), 0.0),
        ([("2:b", ALICE), ("2:same", BOB)], Opinion(better=1, same=1), 75.0),
        ([("1:b", ALICE), ("1:a", ALICE)], Opinion(better=1), 100.0),
    ],
)
def test_votes_count_for_the_pool_whose_answer_it_was(
    votes: list[tuple[str, str]], opinion: Opinion, score: float
) -> None:
    found = comparison_in(after(*votes)).opinion
    assert (found, found.score) == (opinion, score)


def test_it_is_enough_once_so_many_people_have_answered_every_question() -> None:
    some = comparison_in(after(("1:a", ALICE), ("2:a", ALICE), ("1:a", BOB), ("1:b", CAROL)))
    assert (some.done, some.is_enough) == (frozenset({ALICE}), False)
    assert str(of_votes(some)) == "Votes: 1 of 2 people have answered every question, and 2 more have answered some."
    enough = some.with_vote(1, Vote(Choice.B, NOON), BOB)
    assert (enough.done, enough.is_enough) == (frozenset({ALICE, BOB}), True)


@pytest.mark.parametrize("vote", ["0:a", "3:a", "1:c", "1", "a:1", "", "1:A", "-1:a"])
def test_what_is_no_vote_is_refused(vote: str) -> None:
    with pytest.raises(UsageError):
        voted(asking(), vote, ALICE, NOON)


def test_a_question_that_is_not_there_is_refused_with_how_many_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        voted(asking(), "3:a", ALICE, NOON)
    assert str(refused.value) == "There is no question 3. There are 2; use the buttons in the thread."


def test_nobody_votes_on_what_asks_nobody() -> None:
    with pytest.raises(TransitionError, match=r"^`copy models` asks nobody to vote\.$"):
        voted(an_operation(), "1:a", ALICE, NOON)


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": OperationPhase.DONE},
        {"phase": OperationPhase.CANCELLING},
        {"state": {"do": "ask", "comparison": BOTH.dumps()}},
    ],
)
def test_nobody_votes_before_or_after(changes: dict[str, Any]) -> None:
    operation = asking(**changes)
    assert not is_open(operation)
    with pytest.raises(TransitionError, match=r"^The vote is over\."):
        voted(operation, "1:a", ALICE, NOON)


def test_the_result_says_what_people_think_and_not_whose_answer_was_which() -> None:
    assert of_opinion(Opinion(better=2, worse=1, same=1)) == (
        "The new pool's answer was better in 2 votes, worse in 1, and the same in 1: 62 % for the new pool."
    )
    assert of_too_few(BOTH) == "Only 0 of 2 people answered every question in time."


def test_a_vote_that_arrives_late_does_not_take_the_place_of_a_later_one() -> None:
    later, earlier = Vote(Choice.A, NOON + timedelta(seconds=2)), Vote(Choice.B, NOON)
    assert BOTH.with_vote(0, later, ALICE).with_vote(0, earlier, ALICE).votes[0] == {ALICE: later}

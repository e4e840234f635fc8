"""Comparisons: answers of both pools to the same prompts, and what people who do not know whose they are say. Pure.

An operation keeps it as JSON until enough people have voted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bot.domain.errors import TransitionError, UsageError
from bot.domain.operation import Operation, OperationPhase
from bot.domain.rollout import Rollout

VOTES_FOR: Final = timedelta(hours=24)
"""So long people may vote."""

COMPARE: Final = "compare"
"""What people type for it."""

FEWEST_VOTES: Final = 5
"""So many votes for the old pool, and none for the new one, are no chance any more: 1 in 32."""

LONGEST_ANSWER: Final = 1500
"""Characters of an answer that people see; a field of a message holds 2,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRules:
    """What the policy says of comparisons. ``voters``: so many people have to answer every question."""

    prompts: tuple[str, ...] = ()
    tokens: int = 200
    voters: int = 3


class Choice(StrEnum):
    """Which of two answers somebody finds better."""

    A = "a"
    B = "b"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt, and what each pool has answered. ``new_is_a``: the new pool's answer is shown as A."""

    prompt: str
    new: str
    old: str
    new_is_a: bool

    @property
    def shown(self) -> tuple[str, str]:
        """Return the answers as they are shown, A first."""
        return (self.new, self.old) if self.new_is_a else (self.old, self.new)

    @property
    def new_choice(self) -> Choice:
        """Return the choice of those who prefer the new pool's answer."""
        return Choice.A if self.new_is_a else Choice.B


@dataclass(frozen=True, slots=True)
class Vote:
    """What somebody chose, and when."""

    choice: Choice
    at: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """How many votes found the new pool's answer better, worse, and the same."""

    better: int = 0
    worse: int = 0
    same: int = 0

    @property
    def votes(self) -> int:
        """Return how many votes there are."""
        return self.better + self.worse + self.same

    @property
    def score(self) -> float:
        """Return the new pool's share of the votes in percent, a vote for "same" being half a vote for each."""
        return 100 * (self.better + self.same / 2) / self.votes if self.votes else 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The questions, and the votes for each of them by the voter's Slack id. One person has one vote a question."""

    questions: tuple[Question, ...] = ()
    votes: tuple[Mapping[str, Vote], ...] = ()
    voters: int = 3

    def asking(self, questions: Sequence[Question]) -> "Comparison":
        """Return it with questions that nobody has answered yet."""
        return replace(self, questions=tuple(questions), votes=({},) * len(questions))

    def with_vote(self, question: int, vote: Vote, by: str) -> "Comparison":
        """Count a vote; a later one of the same person takes its place, whichever arrives first. Raises UsageError."""
        if not 0 <= question < len(self.questions):
            most = len(self.questions)
            hint = f"There {'is one' if most == 1 else f'are {most}'}; use the buttons in the thread."
            raise UsageError(f"There is no question {question + 1}.", hint=hint)
        before = self.votes[question].get(by)
        if before is not None and before.at > vote.at:
            return self
        votes = tuple({**each, by: vote} if at == question else each for at, each in enumerate(self.votes))
        return replace(self, votes=votes)

    @property
    def done(self) -> frozenset[str]:
        """Return who has answered every question."""
        return frozenset.intersection(*map(frozenset, self.votes)) if self.votes else frozenset()

    @property
    def is_enough(self) -> bool:
        """Say whether enough people have answered every question."""
        return len(self.done) >= self.voters

    @property
    def opinion(self) -> Opinion:
        """Count all votes."""
        pairs = [
            (question.new_choice, vote.choice)
            for question, given in zip(self.questions, self.votes, strict=True)
            for vote in given.values()
        ]
        same = sum(choice is Choice.SAME for _, choice in pairs)
        better = sum(choice is new for new, choice in pairs)
        return Opinion(better=better, worse=len(pairs) - better - same, same=same)

    def dumps(self) -> Mapping[str, Any]:
        """Return it as JSON."""
        questions = [{name: getattr(each, name) for name in _QUESTION} for each in self.questions]
        votes = [{by: [vote.choice.value, vote.at.isoformat()] for by, vote in each.items()} for each in self.votes]
        return {"questions": questions, "votes": votes, "voters": self.voters}

    @classmethod
    def loads(cls, document: Mapping[str, Any]) -> "Comparison":
        """Read what ``dumps`` has written."""
        return cls(
            questions=tuple(Question(**each) for each in document["questions"]),
            votes=tuple(
                {by: Vote(Choice(choice), datetime.fromisoformat(at)) for by, (choice, at) in each.items()}
                for each in document["votes"]
            ),
            voters=document["voters"],
        )


_QUESTION: Final = ("prompt", "new", "old", "new_is_a")


def slot_of(rollout: Rollout) -> str:
    """Return where the last comparison of a rollout is found."""
    return f"compare:{rollout.id}"


def rollout_in(operation: Operation) -> str:
    """Return the id of the rollout whose pools a comparison compares."""
    return operation.slot.partition(":")[2]


def comparison_in(operation: Operation) -> Comparison:
    """Read the comparison that an operation keeps."""
    return Comparison.loads(operation.state["comparison"])


def is_open(operation: Operation) -> bool:
    """Say whether people may vote: from the first question in the thread on."""
    if operation.kind != COMPARE or operation.phase is not OperationPhase.RUNNING:
        return False
    does = operation.state["do"]
    return bool(does == "votes" or (does == "tell" and operation.state["put"]))


def voted(operation: Operation, vote: str, by: str, at: datetime) -> Mapping[str, Any]:
    """Return the state of an operation after a vote, ``QUESTION:CHOICE`` with questions from 1. Raises UserError."""
    if operation.kind != COMPARE:
        raise TransitionError(f"`{operation.name}` asks nobody to vote.")
    if not is_open(operation):
        raise TransitionError("The vote is over.", hint="Its card says what came out.")
    number, _, choice = vote.partition(":")
    if not number.isdecimal() or choice not in set(Choice):
        raise UsageError("That is no vote.", hint="Use the buttons in the thread, or type `vote ID QUESTION a|b|same`.")
    given = comparison_in(operation).with_vote(int(number) - 1, Vote(Choice(choice), at), by)
    return {**operation.state, "comparison": given.dumps()}

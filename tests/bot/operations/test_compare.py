"""`compare` step by step: what is asked of which pool, what is put to people, and how the vote ends."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.commands.tokens import words
from bot.domain.comparison import LONGEST_ANSWER, VOTES_FOR, CompareRules, Comparison, comparison_in, slot_of, voted
from bot.domain.errors import UsageError, UserError
from bot.domain.operation import NewOperation, Operation
from bot.domain.trial import Answer, Ask
from bot.operations.compare import Compare
from bot.operations.executor import Asked, Done, Failed, Next
from bot.operations.gateway_request import MARK
from bot.operations.own_route import key_of
from sandbox.apiserver import ApiServer
from tests.bot.operations.trying import Trying
from tests.builders import ALICE, BOB, CANARY, NOON, STABLE
from tests.stage import Stage

RULES = CompareRules(prompts=("Why?", "When?"), tokens=50, voters=2)


@dataclass
class Pools:
    """Answers in the name of the pool whose key a request carries, and keeps what it was asked."""

    operation: Operation | None = None
    fails: tuple[str, ...] = ()
    late: int = 0
    strays: int = 0
    """So many prompts go past the route at first."""
    asked: list[Ask] = field(default_factory=list)

    def send(self, ask: Ask) -> Answer:
        assert self.operation is not None
        if ask.body["max_tokens"] == 1:  # whether the gateway has the route
            self.late -= 1
            return Answer(mark=ask.headers[MARK] if self.late < 0 else "", status=200)
        self.asked.append(ask)
        self.strays -= 1
        if self.strays >= 0:
            return Answer(status=200, text="Whose is this?")
        new = key_of(self.operation.state, "canary")
        prompt, who = str(ask.body["prompt"]), "new" if ask.headers[MARK] == new else "old"
        if f"{who} {prompt}" in self.fails:
            return Answer(mark=ask.headers[MARK], status=500)
        return Answer(mark=ask.headers[MARK], status=200, milliseconds=7, text=f" {who}: {prompt} ")


@dataclass
class Comparing:
    """A rollout at 10 %, and a comparison of its pools."""

    trying: Trying
    pools: Pools
    said: list[str] = field(default_factory=list)

    def begun(self) -> Operation:
        self.pools.operation = self.trying.begun("")
        return self.pools.operation

    def at(self, does: str) -> Operation:
        """Take steps until it does something next, and return the operation."""
        operation = self.begun()
        while operation.state["do"] != does:
            operation, _ = self.trying.step(operation)
            for name in self.trying.routes():
                self.trying.stage.world.wait_observed(name)
        return operation

    def asking(self) -> Operation:
        """Take steps until people are asked, and return the operation."""
        operation = self.begun()
        for _ in range(30):
            operation, step = self.trying.step(operation)
            assert isinstance(step, Next), step
            self.said.append(step.said)
            for name in self.trying.routes():
                self.trying.stage.world.wait_observed(name)
            if operation.state["do"] == "votes":
                return operation
        raise AssertionError(operation.state)


@pytest.fixture
def comparing(stage: Stage, api_server: ApiServer) -> Comparing:
    stage.started(10)
    pools = Pools()
    return Comparing(Trying(stage, api_server, Compare(pools.send, lambda: True), rules={"compare": RULES}), pools)


def test_a_pool_may_be_named() -> None:
    assert Compare().read(words("chat-v2 reason=why")) == Asked(subject="chat-v2", parameters={"reason": "why"})
    with pytest.raises(UsageError, match=r"^`b` is one word too many\."):
        Compare().read(words("a b"))


def test_without_prompts_there_is_nothing_to_compare(comparing: Comparing) -> None:
    comparing.trying.rules = {}
    with pytest.raises(UserError, match=r"^There is nothing to compare\. Write the prompts .* `compare\.prompts`"):
        comparing.begun()


def test_a_pool_without_a_rollout_has_nothing_to_be_compared_with(comparing: Comparing) -> None:
    with pytest.raises(UserError):
        comparing.trying.begun("nobody")


def test_each_pool_is_asked_alone_and_the_route_is_gone_before_anybody_votes(comparing: Comparing) -> None:
    operation = comparing.asking()
    (entry,) = comparing.trying.stage.store.entries()
    assert operation.slot == slot_of(entry.rollout)
    assert comparing.trying.routes() == ["llm-route"]
    assert [(each.prompt, each.new, each.old) for each in comparison_in(operation).questions] == [
        ("Why?", "new: Why?", "old: Why?"),
        ("When?", "new: When?", "old: When?"),
    ]
    assert {(ask.body["max_tokens"], ask.address) for ask in comparing.pools.asked} == {(50, "127.0.0.1")}


def test_a_prompt_that_one_pool_does_not_answer_is_tried_again_and_left_out(comparing: Comparing) -> None:
    comparing.pools.fails = ("old Why?",)
    operation = comparing.asking()
    assert [each.prompt for each in comparison_in(operation).questions] == ["When?"]
    assert sorted(str(ask.body["prompt"]) for ask in comparing.pools.asked) == ["When?"] * 2 + ["Why?"] * 4
    assert "The old pool did not answer 1 of 2 prompts (500), so people are not asked about those." in comparing.said


def test_a_new_pool_that_leaves_a_prompt_without_an_answer_has_lost(comparing: Comparing) -> None:
    comparing.pools.fails = ("new Why?",)
    _, step = comparing.trying.ended(comparing.begun())
    assert step == Failed("The new pool did not answer 1 of 2 prompts (500). `try` shows what it answers.")


def test_a_pool_that_says_nothing_has_not_answered(comparing: Comparing) -> None:
    comparing.trying.executor = Compare(
        lambda ask: Answer(mark=ask.headers[MARK], status=200, text=" \n"), lambda: True
    )
    _, step = comparing.trying.ended(comparing.begun())
    assert step == Failed(
        "Neither pool answered any of 2 prompts (it said nothing; it said nothing). `try` shows what they answer."
    )


def test_an_old_pool_that_answers_nothing_is_named(comparing: Comparing) -> None:
    comparing.pools.fails = ("old Why?", "old When?")
    _, step = comparing.trying.ended(comparing.begun())
    assert step == Failed("The old pool answered none of 2 prompts (500). `try` shows what it answers.")


def test_where_nobody_could_see_the_questions_nothing_is_asked(comparing: Comparing) -> None:
    asked = NewOperation(kind="compare", subject=CANARY, by=ALICE, channel="")
    with pytest.raises(UserError, match=r"^People vote in Slack, and this has no channel\."):
        comparing.trying.executor.begin(asked, comparing.trying.tools)


def test_answers_are_cut_and_secrets_in_them_are_masked(comparing: Comparing) -> None:
    token = "xoxb-" + "1234567890" * 3

    def send(ask: Ask) -> Answer:
        return Answer(mark=ask.headers[MARK], status=200, text=f"{token} " + "long " * 900)

    comparing.trying.executor = Compare(send, lambda: True)
    (first, _) = comparison_in(comparing.asking()).questions
    assert (token in first.new, len(first.new) < LONGEST_ANSWER + 30) == (False, True)
    assert first.new.endswith("long … (the answer goes on)")


def test_a_secret_with_an_invisible_character_in_it_is_masked_too(comparing: Comparing) -> None:
    def send(ask: Ask) -> Answer:
        return Answer(mark=ask.headers[MARK], status=200, text="xo\u200bxb-" + "1234567890" * 3)

    comparing.trying.executor = Compare(send, lambda: True)
    (first, _) = comparison_in(comparing.asking()).questions
    assert "1234567890" not in first.new


def test_where_nobody_answers_it_fails_and_leaves_nothing(comparing: Comparing) -> None:
    comparing.trying.executor = Compare(lambda ask: Answer(status=503), lambda: True)
    _, step = comparing.trying.ended(comparing.begun())
    assert step == Failed("Neither pool answered any of 2 prompts (503; 503). `try` shows what they answer.")
    assert comparing.trying.routes() == ["llm-route"]


def test_it_waits_for_votes_and_ends_when_there_are_enough(comparing: Comparing) -> None:
    operation = comparing.asking()
    _, step = comparing.trying.step(operation)
    assert step == Next(state=operation.state, wait=timedelta(minutes=1))
    for by in (ALICE, BOB):
        for question, choice in ((1, "a"), (2, "same")):
            operation = replace(operation, state=voted(operation, f"{question}:{choice}", by, NOON))
    said, step = comparing.trying.ended(operation)
    assert said == [
        "The new pool's answer was better in 2 votes, worse in 0, and the same in 2: 75 % for the new pool."
    ]
    assert isinstance(step, Done)


def test_when_the_rollout_is_over_nobody_has_to_vote_any_more(comparing: Comparing) -> None:
    operation = comparing.asking()
    comparing.trying.stage.say("rollback")
    said, step = comparing.trying.ended(operation)
    assert said == ["The rollout is over, so nobody has to vote."]
    assert isinstance(step, Done)


def test_when_the_rollout_is_over_no_more_prompts_are_sent_and_nobody_is_asked(comparing: Comparing) -> None:
    operation = comparing.at("ask")
    comparing.trying.stage.say("rollback")
    said, step = comparing.trying.ended(operation)
    assert isinstance(step, Done)
    assert said[-1:] == ["The rollout is over, so nobody has to vote."]
    assert (comparing.pools.asked, comparing.trying.routes()) == ([], ["llm-route"])


def test_an_answer_that_came_past_the_route_is_nobodys(comparing: Comparing) -> None:
    comparing.pools.strays = 6  # each pool is asked three times at once
    operation = comparing.asking()
    questions = comparison_in(operation).questions
    assert [(each.prompt, each.new) for each in questions] == [("Why?", "new: Why?"), ("When?", "new: When?")]
    assert (operation.state["missed"], len(comparing.pools.asked)) == ({}, 10)


def test_a_gateway_that_lets_answers_come_past_the_route_for_minutes_is_named(comparing: Comparing) -> None:
    comparing.pools.strays = 10_000
    operation = comparing.at("ask")
    comparing.trying.stage.clock.forward(minutes=9)
    _, step = comparing.trying.ended(operation)
    assert step == Failed(
        "The gateway did not send every prompt through the comparison's own route. Type `compare` again later."
    )
    assert comparing.trying.routes() == ["llm-route"]


def test_people_vote_on_what_came_through_the_route_in_time(comparing: Comparing) -> None:
    operation, _ = comparing.trying.step(comparing.at("ask"))
    comparing.pools.strays = 10_000
    comparing.trying.stage.clock.forward(minutes=9)
    _, step = comparing.trying.step(operation)
    assert isinstance(step, Next)
    assert (step.state["do"], step.said) == ("remove", "There was time for 1 of 2 prompts.")


def test_a_gateway_that_has_the_route_later_is_waited_for(comparing: Comparing) -> None:
    comparing.pools.late = 4
    assert len(comparison_in(comparing.asking()).questions) == 2


def test_a_gateway_that_never_sends_through_the_route_is_named(comparing: Comparing) -> None:
    comparing.pools.late = 10_000
    operation = comparing.at("reach")
    comparing.trying.stage.clock.forward(minutes=6)
    _, step = comparing.trying.ended(operation)
    assert step == Failed("The gateway does not send requests through the trial's route. Try again later.")
    assert comparing.trying.routes() == ["llm-route"]


def test_a_long_answer_may_take_longer(comparing: Comparing) -> None:
    comparing.trying.rules = {"compare": replace(RULES, tokens=1000)}
    comparing.asking()
    assert {ask.timeout for ask in comparing.pools.asked} == {timedelta(seconds=100)}


def test_after_a_day_it_ends_with_too_few(comparing: Comparing) -> None:
    operation = comparing.asking()
    operation = replace(operation, state=voted(operation, "1:b", ALICE, NOON))
    comparing.trying.stage.clock.forward(seconds=(VOTES_FOR + timedelta(seconds=1)).total_seconds())
    _, step = comparing.trying.ended(operation)
    assert isinstance(step, Failed)
    assert step.reason.startswith("Only 0 of 2 people answered every question in time. ")


def test_a_trial_of_the_same_pool_is_not_kept_waiting(comparing: Comparing) -> None:
    operation = comparing.begun()
    assert (operation.subject, operation.holds.startswith("compare:r-")) == (CANARY, True)
    assert Comparison.loads(operation.state["comparison"]) == Comparison(voters=2)
    assert STABLE not in operation.holds

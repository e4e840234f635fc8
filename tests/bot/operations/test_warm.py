"""`warm` step by step: rounds of prompts to the new pool alone, until its time to the first token is flat."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import pytest

from bot.domain.commands.tokens import words
from bot.domain.errors import UserError
from bot.domain.rollout import Pool
from bot.domain.trial import Answer, Ask
from bot.domain.warm_up import WarmUpRules, slot_of
from bot.operations.executor import Asked, Done, Failed
from bot.operations.gateway_request import MARK
from bot.operations.own_route import key_of
from bot.operations.warm import AT_ONCE, BAD_ROUNDS, FEWEST, Warm
from sandbox.apiserver import ApiServer
from tests.bot.operations.trying import Trying
from tests.builders import CANARY
from tests.stage import Stage


@dataclass
class Server:
    """Answers each prompt after so many milliseconds, one value after the other, and then the last one for ever."""

    times: Iterator[int]
    pods: Sequence[str] = ("",)
    status: Callable[[int], int] = lambda number: 200
    """By the number of the prompt, from 1; it may do something else meanwhile."""
    asked: list[Ask] = field(default_factory=list)
    last: int = 0
    lock: AbstractContextManager[bool] = field(default_factory=Lock)

    def send(self, ask: Ask) -> Answer:
        with self.lock:
            self.asked.append(ask)
            self.last, number = next(self.times, self.last), len(self.asked)
            pod, status = self.pods[number % len(self.pods)], self.status(number)
            return Answer(pod=pod, mark=ask.headers[MARK], status=status, milliseconds=self.last)


def rounds(*times: int) -> Iterator[int]:
    """Return the time of each prompt: the same for all prompts of a round."""
    return (time for time in times for _ in range(FEWEST))


@dataclass
class Warming:
    """A pool before its start, and what answers for its servers."""

    trying: Trying
    server: Server

    def slow(self, **each: int) -> Server:
        """Return a server that answers well, and takes so long for each prompt."""

        def status(number: int) -> int:
            self.trying.stage.clock.forward(**each)
            return 200

        return Server(rounds(80), status=status)

    def ended(self) -> tuple[list[str], Any]:
        self.trying.executor = Warm(self.server.send)
        return self.trying.ended(self.trying.begun())


@pytest.fixture
def warming(stage: Stage, api_server: ApiServer) -> Warming:
    server = Server(rounds(900, 300, 80, 80))
    return Warming(Trying(stage, api_server, Warm(server.send)), server)


def test_a_pool_may_be_named() -> None:
    assert Warm().read(words("chat-v2 from=chat-v1")) == Asked(subject="chat-v2", parameters={"from": "chat-v1"})


def test_it_ends_when_two_rounds_are_as_fast_as_the_fastest(warming: Warming) -> None:
    said, step = warming.ended()
    assert said == [
        f"HTTPRoute `try-o-0a1b2c3d` sends only my own requests to `{CANARY}`.",
        "I ask for the model `meta-llama/Llama-3.1-8B-Instruct`.",
        "Warm after 40 prompts: its time to the first token (p90) was 900 ms at first and is 80 ms now. "
        "No user's request was touched.",
    ]
    assert isinstance(step, Done)
    assert step.state["ready"] == sorted(
        f"{pod['metadata']['name']}/{pod['metadata']['uid']}/0" for pod in warming.trying.stage.world.servers(CANARY)
    )
    assert warming.trying.routes() == ["llm-route"]


def test_each_prompt_asks_the_new_pool_alone_for_one_token_and_no_cache_has_it(warming: Warming) -> None:
    operation = warming.trying.begun()
    warming.trying.ended(operation)
    asked = warming.server.asked
    assert {(ask.headers[MARK], ask.body["max_tokens"]) for ask in asked} == {(key_of(operation.state, "canary"), 1)}
    assert len({str(ask.body["prompt"])[:16] for ask in asked}) == len(asked)


def test_a_pool_that_does_not_become_flat_is_not_warm(warming: Warming) -> None:
    warming.trying.rules = {"warm_up": WarmUpRules(most=30)}
    warming.server = Server(rounds(900, 600, 300))
    _, step = warming.ended()
    assert step == Failed(
        "After 30 prompts it is not flat: its time to the first token (p90) was 900 ms at first and is 300 ms now."
    )
    assert warming.trying.routes() == ["llm-route"]


def test_a_server_that_no_prompt_reached_is_named(warming: Warming) -> None:
    warming.trying.rules = {"warm_up": WarmUpRules(most=30)}
    first, second = sorted(str(pod["metadata"]["name"]) for pod in warming.trying.stage.world.servers(CANARY))
    warming.server = Server(rounds(80), pods=(first,))
    _, step = warming.ended()
    assert step == Failed(f"None of 30 prompts reached pod `{second}`.")


def test_prompts_that_fail_end_it(warming: Warming) -> None:
    warming.server = Server(rounds(80), status=lambda number: 503)
    _, step = warming.ended()
    assert step == Failed("4 of 4 prompts to the new pool got no good answer (503).")
    assert len(warming.server.asked) == 1 + BAD_ROUNDS * AT_ONCE
    assert warming.trying.routes() == ["llm-route"]


def test_a_route_that_the_gateway_has_a_moment_later_is_no_failure(warming: Warming) -> None:
    server = Server(rounds(80))

    def send(ask: Ask) -> Answer:
        answer = server.send(ask)
        return answer if len(server.asked) > FEWEST else replace(answer, mark="", status=404)

    warming.trying.executor = Warm(send)
    _, step = warming.trying.ended(warming.trying.begun())
    assert isinstance(step, Done)


def test_a_tenth_of_the_prompts_may_fail_and_no_more(warming: Warming) -> None:
    warming.server = Server(rounds(80), status=lambda number: 500 if number % FEWEST < 2 else 200)
    _, step = warming.ended()
    assert step == Failed("2 of 10 prompts to the new pool got no good answer (500).")


def test_a_round_ends_as_soon_as_too_many_prompts_have_failed(warming: Warming) -> None:
    warming.server = Server(rounds(80), status=lambda number: 500 if number > 1 and number % 2 else 200)
    _, step = warming.ended()
    assert step == Failed("2 of 4 prompts to the new pool got no good answer (500).")
    assert len(warming.server.asked) == 1 + BAD_ROUNDS * AT_ONCE


def test_a_round_of_slow_answers_takes_several_steps(warming: Warming) -> None:
    warming.trying.executor = Warm(warming.slow(seconds=5).send)
    operation, sent = warming.trying.begun(), list[int]()
    while not sent or sent[-1] < FEWEST:
        operation, _ = warming.trying.step(operation)
        warming.trying.stage.world.wait_observed("try-o-0a1b2c3d")
        sent += [operation.state["sent"]] if operation.state["sent"] else []
    assert (sent, operation.state["rounds"]) == ([4, 8, 10], [80])


def test_a_pool_that_is_too_slow_is_given_up(warming: Warming) -> None:
    warming.server = warming.slow(minutes=2)
    _, step = warming.ended()
    assert step == Failed("The new pool is too slow to be warmed up: it answered 8 prompts in ten minutes.")


def test_a_route_of_another_namespace_is_not_taken_for_the_rollouts(warming: Warming) -> None:
    warming.trying.stage.started(10)
    with pytest.raises(UserError, match="elsewhere/llm-route"):
        warming.trying.begun(CANARY, route="elsewhere/llm-route")


def test_when_its_rollout_is_over_no_more_prompts_are_sent(warming: Warming) -> None:
    warming.trying.stage.started(10)
    operation = warming.trying.begun()
    warming.trying.stage.say("rollback")
    said, step = warming.trying.ended(operation)
    assert isinstance(step, Done)
    assert (said[-1], step.state["ready"]) == ("The rollout is over, so I sent no more prompts.", [])
    assert (len(warming.server.asked), warming.trying.routes()) == (1, ["llm-route"])


def test_a_server_that_was_not_ready_at_the_end_and_has_not_answered_is_not_warm(warming: Warming) -> None:
    first, _ = sorted(str(pod["metadata"]["name"]) for pod in warming.trying.stage.world.servers(CANARY))
    server = Server(rounds(80), pods=(first,))

    def send(ask: Ask) -> Answer:
        if len(server.asked) == 1:  # the first prompt only looks whether the gateway has the route
            warming.trying.stage.world.set_servers_ready(CANARY, 1)
        return server.send(ask)

    warming.trying.executor = Warm(send)
    _, step = warming.trying.ended(warming.trying.begun())
    assert isinstance(step, Done)
    assert [ready.partition("/")[0] for ready in step.state["ready"]] == [first]


def test_a_pool_without_a_ready_server_cannot_be_warmed_up(warming: Warming) -> None:
    warming.trying.stage.world.set_servers_ready(CANARY, 0)
    with pytest.raises(UserError, match=rf"^InferencePool `{CANARY}` has no ready model server\."):
        warming.trying.begun()


def test_two_warm_ups_of_a_pool_do_not_run_at_once(warming: Warming) -> None:
    namespace = warming.trying.stage.world.namespace
    assert warming.trying.begun().holds == slot_of(Pool(namespace, CANARY))

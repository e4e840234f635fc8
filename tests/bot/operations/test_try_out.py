"""`try` step by step, on a real API server: nobody listens at its gateway's address, unless a test answers."""

from dataclasses import replace

import pytest

from bot.domain.commands.tokens import words
from bot.domain.errors import UsageError, UserError
from bot.domain.operation import OperationPhase
from bot.domain.trial import Answer, Ask
from bot.operations.executor import Asked, Done, Failed, Next
from bot.operations.gateway_request import MARK
from bot.operations.own_route import key_of
from bot.operations.try_out import ENOUGH, Try
from sandbox import gateway
from sandbox.apiserver import ApiServer
from sandbox.objects import pool_ref, rule
from sandbox.process import wait_until
from sandbox.rights import give_rights
from sandbox.robot import Robot
from tests.bot.operations.trying import Gateway, Trying
from tests.builders import CANARY, STABLE
from tests.stage import Stage


@pytest.fixture
def trying(stage: Stage, api_server: ApiServer) -> Trying:
    return Trying(stage, api_server)


def pods(stage: Stage, *pools: str) -> list[str]:
    return [str(pod["metadata"]["name"]) for pool in pools for pod in stage.world.servers(pool)]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", Asked(subject="")),
        ("100", Asked(subject="", parameters={"requests": "100"})),
        (f"{CANARY} 5", Asked(subject=CANARY, parameters={"requests": "5"})),
        ("5 chat-v2 reason=why", Asked(subject="chat-v2", parameters={"requests": "5", "reason": "why"})),
        ("chat-v2 route=a from=b", Asked(subject="chat-v2", parameters={"route": "a", "from": "b"})),
        ("000000020", Asked(subject="", parameters={"requests": "000000020"})),
        ("5 pool=20", Asked(subject="20", parameters={"requests": "5"})),
    ],
)
def test_a_number_and_a_pool_are_read_in_any_order(line: str, asked: Asked) -> None:
    assert Try().read(words(line)) == asked


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a b", "`b` is one word too many. Usage: `try [N] [POOL] [route=… namespace=… from=… rule=… reason=…]`."),
        ("1 2", "`2` is one word too many. Usage: `try [N] [POOL] [route=… namespace=… from=… rule=… reason=…]`."),
        (
            "a model=x",
            "`model` is not a key of `try`. Usage: `try [N] [POOL] [route=… namespace=… from=… rule=… reason=…]`.",
        ),
        ("-5", "`-5` is not a name for `pool`: names have lower-case letters, digits, `-` and `.`. Did you mean `5`?"),
    ],
)
def test_other_words_are_refused(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Try().read(words(line))
    assert str(refused.value).startswith(said.split("Did you")[0])


@pytest.mark.parametrize("count", ["0", "201"])
def test_a_number_out_of_bounds_is_refused(trying: Trying, count: str) -> None:
    with pytest.raises(UsageError, match=rf"^A trial sends 1 to 200 requests, not {count}\.$"):
        trying.begun(requests=count)


def test_without_a_rollout_a_pool_has_to_be_named(trying: Trying) -> None:
    with pytest.raises(UserError, match="start POOL WEIGHT"):
        trying.begun("")


def test_a_route_that_takes_no_such_request_is_named(trying: Trying) -> None:
    trying.stage.world.set_rules([rule([pool_ref(STABLE)], "/v2")])
    with pytest.raises(UserError) as refused:
        trying.begun()
    where = f"HTTPRoute `{trying.stage.world.namespace}/llm-route`"
    assert str(refused.value) == (
        f"POST `/v1/completions` reaches neither pool through {where}: no rule takes it. "
        "Set `try.path` and `try.headers` in the policy to what your users send."
    )


def test_before_a_start_only_the_trials_own_route_is_asked_and_each_step_may_be_repeated(trying: Trying) -> None:
    gateway = Gateway(())
    trying.executor = Try(gateway.send)
    operation = trying.begun(requests="3")
    said, step = trying.ended(operation, twice=True)
    assert said == [
        f"HTTPRoute `try-o-0a1b2c3d` sends only my own requests to `{CANARY}`.",
        "I ask for the model `meta-llama/Llama-3.1-8B-Instruct`.",
        f"`{CANARY}`: 3 requests, p50 7 ms, p95 7 ms. One answer: “Paris”",
        "3 requests sent, none failed. No user's request was touched.",
    ]
    assert isinstance(step, Done)
    assert {(ask.address, ask.port, ask.path, ask.headers[MARK]) for ask in gateway.asked} == {
        ("127.0.0.1", 80, "/v1/completions", key_of(operation.state, "canary"))
    }
    assert trying.routes() == ["llm-route"]


def test_in_a_rollout_it_asks_as_users_do_and_judges_the_split(trying: Trying) -> None:
    stage = trying.stage
    stage.started(50)
    gateway = Gateway(pods(stage, STABLE, CANARY))
    trying.executor = Try(gateway.send)
    operation = trying.begun("", requests="8")
    assert (operation.subject, trying.routes()) == (CANARY, ["llm-route"])
    said, _ = trying.ended(operation)
    assert said[-1] == (
        "8 requests sent, none failed. 4 of 8 went to the new pool, 50 % (95 % interval 22 % to 78 %). "
        "That fits the 50 % on the route."
    )
    assert [ask.headers for ask in gateway.asked] == [{}] * 8


def test_weights_that_change_meanwhile_are_told_and_nothing_is_judged(trying: Trying) -> None:
    trying.stage.started(50)
    gateway = Gateway(pods(trying.stage, STABLE))
    trying.executor = Try(gateway.send)
    operation = trying.begun(requests="8")
    trying.stage.world.edit_weights(90, 10)
    said, _ = trying.ended(operation)
    assert said[-1] == (
        "8 requests sent, none failed. The weights changed meanwhile, so the split is not known: try again."
    )


def test_after_some_minutes_no_more_are_sent_and_what_came_back_is_told(trying: Trying) -> None:
    stage = trying.stage
    stage.started(50)

    def late(ask: Ask) -> Answer:
        stage.clock.forward(seconds=ENOUGH.total_seconds())
        return Answer(pod=pods(stage, STABLE)[0], status=200, milliseconds=7)

    trying.executor = Try(late)
    said, step = trying.ended(trying.begun(requests="200"))
    assert isinstance(step, Done)
    assert said[-1].startswith("4 requests sent, none failed. 0 of 4 went to the new pool, 0 % ")


def test_a_pool_on_two_routes_is_tried_on_the_one_that_is_named(trying: Trying) -> None:
    trying.stage.world.add_route("second", [pool_ref(STABLE)], path="/v1")
    with pytest.raises(UserError) as refused:
        trying.begun()
    assert str(refused.value) == (
        f"More than one HTTPRoute fits `{CANARY}`. Say which one:\n`/rollout try {CANARY} route=llm-route`\n"
        f"`/rollout try {CANARY} route=second`"
    )
    operation = trying.begun(route="second")
    assert operation.state["pair"]["route"] == "second"


def test_a_gateway_that_says_nothing_for_two_minutes_is_asked_whether_it_has_the_route(
    trying: Trying, robot: Robot
) -> None:
    robot.answer = gateway.Answer(silent=True)
    operation, _ = trying.step(trying.begun())
    operation, step = trying.step(operation)
    assert step == Next(state=operation.state)
    trying.stage.clock.forward(minutes=3)
    operation, _ = trying.step(operation)
    assert operation.state["do"] == "model"


def test_a_gateway_where_nobody_listens_is_asked_a_few_times_only(trying: Trying) -> None:
    said, _ = trying.ended(trying.begun(requests="100"))
    assert said[-2:] == [
        "Without a pool's name: 8 requests, 8 failed (connection refused: 8).",
        "8 requests sent, 8 failed (connection refused: 8). I stopped there, because nobody answers. Can the bot's pod "
        "reach the Gateway's address?",
    ]
    assert trying.routes() == ["llm-route"]


def test_without_the_right_to_make_a_route_it_says_which_manifest_gives_it(trying: Trying) -> None:
    give_rights(trying.stage.world.kube, trying.stage.world.namespace)
    trying.user = "rolloutbot"
    _, step = trying.ended(trying.begun())
    assert step == Failed(
        "The bot may not `create` `httproutes` of gateway.networking.k8s.io in namespace "
        f"`{trying.stage.world.namespace}`. It needs a right of its own: apply `manifests/kustomize/try`."
    )


def test_a_route_that_the_gateway_refuses_is_removed(trying: Trying) -> None:
    operation, _ = trying.step(trying.begun())
    world = trying.stage.world
    world.delete_pool(CANARY)
    wait_until("the gateway's no", lambda: "False" in str(world.conditions("try-o-0a1b2c3d")))
    _, step = trying.ended(operation)
    assert isinstance(step, Failed)
    assert step.reason.startswith("The gateway did not take the trial's route. ")
    assert trying.routes() == ["llm-route"]


def test_a_cancel_removes_the_route(trying: Trying) -> None:
    operation, _ = trying.step(trying.begun())
    assert trying.routes() == ["llm-route", "try-o-0a1b2c3d"]
    for _ in range(2):
        step = trying.executor.undo(replace(operation, phase=OperationPhase.CANCELLING), trying.tools)
        assert step == Done(state=operation.state, said="No more requests are sent.")
    assert trying.routes() == ["llm-route"]


def test_a_sweep_removes_the_route_of_a_trial_that_died_once_no_trial_can_need_it(trying: Trying) -> None:
    operation, _ = trying.step(trying.begun())
    trying.executor.sweep(trying.tools)
    assert trying.routes() == ["llm-route", "try-o-0a1b2c3d"]
    assert trying.executor.left(operation) == (
        "HTTPRoute `try-o-0a1b2c3d` may be left. I try to remove it within half an hour."
    )
    trying.stage.clock.forward(minutes=21)
    trying.executor.sweep(trying.tools)
    assert trying.routes() == ["llm-route"]


def test_a_start_while_a_trial_runs_takes_the_real_route(trying: Trying) -> None:
    trying.step(trying.begun())
    assert trying.stage.started(10).rollout.route == "llm-route"

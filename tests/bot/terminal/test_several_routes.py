"""In a terminal: one pool on two routes, named with `route=` and `namespace=`, and listed when it is not."""

import pytest

from sandbox.objects import pool_ref
from tests.builders import CANARY, STABLE
from tests.shell import NOWHERE, Terminal
from tests.stage import Stage

OUTER, INNER = "llm-route", "chat-batch-route"
AT_10, BEFORE = [(STABLE, 90), (CANARY, 10)], [(STABLE, 1)]


@pytest.fixture
def ids(stage: Stage) -> dict[str, str]:
    """Start a rollout of one pool on each of two routes; return their ids."""
    stage.world.add_route(INNER, [pool_ref(STABLE)], path="/internal")
    outer = stage.start(10, route=OUTER).rollout.id
    stage.clock.forward(seconds=1)
    inner = stage.start(10, route=INNER).rollout.id
    for route in (OUTER, INNER):
        stage.world.wait_observed(route)
    stage.pass_time(seconds=1)
    return {OUTER: outer, INNER: inner}


def weights(stage: Stage) -> list[list[tuple[str, int]]]:
    return [stage.world.weights(route) for route in (OUTER, INNER)]


@pytest.mark.parametrize("verb", ["rollback", "pause", "promote", "why", "history"])
def test_what_names_neither_lists_what_to_type(
    stage: Stage, ids: dict[str, str], terminal: Terminal, verb: str
) -> None:
    code, output = terminal(verb, CANARY)
    here = stage.world.namespace
    wide = len(f"    rolloutbot {verb} {CANARY} route={INNER}")
    assert (code, output.splitlines()) == (
        2,
        [
            f"`{CANARY}` has several rollouts. Type one of these:",
            *(
                f"{f'    rolloutbot {verb} {CANARY} route={route}':<{wide}}  # 10 %, {here}/{route}"
                for route in (INNER, OUTER)
            ),
        ],
    )
    listed = terminal.json(verb, CANARY)["rollouts"]
    assert isinstance(listed, list)
    assert [rollout["id"] for rollout in listed] == [ids[INNER], ids[OUTER]]
    assert weights(stage) == [AT_10, AT_10]


@pytest.mark.parametrize("typed", [["route=chat-batch-route"], ["--route", "chat-batch-route"]])
def test_a_roll_back_names_its_route(stage: Stage, ids: dict[str, str], terminal: Terminal, typed: list[str]) -> None:
    assert terminal("rollback", CANARY, *typed, "p99")[0] == 0
    assert (weights(stage), stage.load(ids[INNER]).rollout.why) == ([AT_10, BEFORE], "p99")


def test_a_namespace_goes_with_a_route(stage: Stage, ids: dict[str, str], terminal: Terminal) -> None:
    here = stage.world.namespace
    assert terminal("rollback", CANARY, f"route={OUTER}", "--namespace", here)[0] == 0
    assert (weights(stage), stage.load(ids[OUTER]).rollout.why) == ([BEFORE, AT_10], "")


@pytest.mark.parametrize("verb", ["status", "why", "history"])
def test_a_question_names_its_route(stage: Stage, ids: dict[str, str], terminal: Terminal, verb: str) -> None:
    listed = terminal.json(verb, CANARY, f"route={INNER}")["rollouts"]
    assert isinstance(listed, list)
    assert [rollout["id"] for rollout in listed] == [ids[INNER]]


def test_status_of_the_pool_lists_both_with_their_routes(stage: Stage, ids: dict[str, str], terminal: Terminal) -> None:
    here = stage.world.namespace
    code, output = terminal("status", CANARY)
    assert (code, output.splitlines()[0]) == (0, f"Name one of several, as in `{CANARY} route={INNER}`.")
    assert [line for line in output.splitlines() if here in line] == [
        f"{CANARY}  10 %  {here}/{route}  {ids[route]}" for route in (INNER, OUTER)
    ]


def test_without_redis_the_line_for_the_route_is_printed(stage: Stage, ids: dict[str, str], terminal: Terminal) -> None:
    code, output = terminal("rollback", CANARY, f"route={INNER}", "p99", REDIS_URL=NOWHERE)
    line = f"    rolloutbot rollback --from-route {INNER} --namespace {stage.world.namespace} {CANARY} p99"
    assert (code, output.splitlines()[-1]) == (3, line)


def test_help_says_how_history_is_typed(terminal: Terminal) -> None:
    assert terminal("history", "-h") == (0, "rolloutbot history [POOL] [route=NAME namespace=NAME]\n")

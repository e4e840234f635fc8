"""The brake in a terminal, which works when much else does not."""

import pytest

from sandbox.objects import pool_ref, rule
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.shell import ME, Terminal
from tests.stage import Stage


def test_without_redis_a_rule_that_is_gone_is_named(stage: Stage, terminal: Terminal) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], "/a"), rule([pool_ref(STABLE)], "/b")])
    stage.started(10)
    stage.world.set_rules([rule([pool_ref(STABLE, 90), pool_ref(CANARY, 10)], "/a")])
    code, output = terminal("rollback", "--from-route", "llm-route", KUBECONFIG=terminal.home, REDIS_URL="")
    assert (code, output.splitlines()[0]) == (
        3,
        f"`{CANARY}` is rolled back; that is on the route, and the gateway accepts it. "
        "I could not find rule 2 on the route, so nothing was written there. "
        "The card and the history follow when a bot that has Redis sees the route.",
    )


def test_a_namespace_alone_rolls_nothing_back(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    code, output = terminal("rollback", "--namespace", "prod")
    assert (code, output) == (2, "A namespace alone does not say what to roll back. Name the pool or the route.\n")
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]


def test_an_earlier_roll_back_is_not_told_as_done_now(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    again = ("rollback", "--from-route", "llm-route", "p99 doubled")
    env = {"KUBECONFIG": terminal.home, "REDIS_URL": ""}
    assert terminal(*again, **env)[0] == 0
    note = stage.note()
    assert note is not None
    code, output = terminal(*again, **env)
    since = f"{note.since:%d %b %H:%M} UTC"
    assert (code, output.splitlines()[0], stage.note()) == (
        0,
        f"`{CANARY}` is rolled back already, since {since}; nothing was written.",
        note,
    )


@pytest.mark.parametrize("users", ["", f"{ME}: {ALICE}"])
def test_the_brake_is_open_whether_or_not_the_policy_knows_who_pulls_it(
    stage: Stage, terminal: Terminal, users: str
) -> None:
    stage.started(10)
    terminal.write_policy(f"access: {{rollback: [{BOB}], run: [{BOB}]}}\nterminal: {{users: {{{users}}}}}")
    assert (terminal("pause")[0], terminal("rollback")[0]) == (1, 0)
    assert stage.world.weights() == [(STABLE, 1)]


def test_whom_the_lists_leave_out_rolls_back_without_redis_too(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    terminal.write_policy(f"access: {{rollback: [{BOB}]}}\nterminal: {{users: {{{ME}: {ALICE}}}}}")
    assert terminal("rollback", "--from-route", "llm-route", KUBECONFIG=terminal.home, REDIS_URL="")[0] == 0
    assert stage.world.weights() == [(STABLE, 1)]

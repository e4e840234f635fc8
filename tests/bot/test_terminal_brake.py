"""The brake in a terminal, which works when much else does not."""

from sandbox.objects import pool_ref, rule
from tests.builders import CANARY, STABLE
from tests.shell import Terminal
from tests.stage import Stage


def test_without_redis_a_rule_that_is_gone_is_named(stage: Stage, terminal: Terminal) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], "/a"), rule([pool_ref(STABLE)], "/b")])
    stage.started(10)
    stage.world.set_rules([rule([pool_ref(STABLE, 90), pool_ref(CANARY, 10)], "/a")])
    code, output = terminal("rollback", "--from-route", "llm-route", KUBECONFIG=terminal.home, REDIS_URL="")
    assert (code, output.splitlines()[0]) == (
        0,
        f"`{CANARY}` is rolled back; that is on the route, and the gateway accepts it. "
        "Not found on the route, so not written: rule 2. "
        "The card and the history follow when a bot that has Redis sees the route.",
    )

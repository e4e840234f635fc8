"""`check` in a terminal: the exit code and the JSON."""

import pytest

from sandbox.breaking import break_world
from tests.builders import CANARY, STABLE
from tests.shell import Terminal
from tests.stage import Stage


def test_who_may_not_start_is_warned(stage: Stage, terminal: Terminal) -> None:
    stage.world.wait_observed()
    document = terminal.json("check", CANARY, "10")
    checks = document["checks"]
    assert isinstance(checks, list)
    assert (document["exit"], document["outcome"], checks[0]["grade"], checks[0]["topic"]) == (
        4,
        "warned",
        "warn",
        "Access",
    )


@pytest.mark.parametrize(
    ("canary", "stable", "code", "grades"),
    [(2, 2, 0, {"pass"}), (2, 0, 4, {"warn", "pass"}), (0, 2, 4, {"warn", "pass"})],
)
def test_in_a_terminal_the_exit_code_says_the_worst(
    stage: Stage, terminal: Terminal, canary: int, stable: int, code: int, grades: set[str]
) -> None:
    stage.world.set_servers_ready(CANARY, canary)
    stage.world.set_servers_ready(STABLE, stable)
    stage.world.wait_observed()
    terminal.write_policy("approvals: {at: []}")
    document = terminal.json("check", CANARY, "10")
    checks = document["checks"]
    assert isinstance(checks, list)
    assert (document["exit"], {check["grade"] for check in checks}) == (code, grades)


def test_what_stops_a_start_ends_with_1(stage: Stage, terminal: Terminal) -> None:
    break_world(stage.world, "owner")
    terminal.write_policy("approvals: {at: []}")
    document = terminal.json("check", CANARY, "10")
    assert (document["exit"], document["outcome"]) == (1, "refused")

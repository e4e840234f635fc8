"""Slack and a terminal in front of the same real servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from bot.cli import Spelled, add_verbs
from bot.operations.registry import Registry
from sandbox.apiserver import ApiServer
from sandbox.bot_process import NOTE_KEY
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.valkey import INSTALL
from tests.scenarios.front import Front
from tests.shell import Terminal
from tests.stage import Stage


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    with strict_slack() as slack:
        yield slack


@pytest.fixture
def open_slack(stage: Stage, slack: StrictSlack) -> Iterator[Callable[[], Front]]:
    """Return what opens Slack, once a test has registered what it adds."""
    opened: list[Front] = []

    def open_it() -> Front:
        opened.append(Front(stage, slack))
        return opened[-1]

    yield open_it
    for front in opened:
        front.handlers.close()


@pytest.fixture
def open_terminal(stage: Stage, api_server: ApiServer, redis_url: str, tmp_path: Path) -> Callable[[], Terminal]:
    """Return what opens a terminal, once a test has registered what it adds."""
    stage.clock.forward(hours=-1)  # the terminal's time is the real one, and what a test does comes before that
    policy = tmp_path / "policy.yaml"
    servers = {"KUBECONFIG": str(api_server.kubeconfig()), "ROLLOUTBOT_NOTE_KEYS": NOTE_KEY, "REDIS_URL": redis_url}
    env = {**servers, "ROLLOUTBOT_CONFIG": str(policy), "ROLLOUTBOT_INSTALL": INSTALL}

    def open_it() -> Terminal:
        program = typer.Typer(cls=Spelled, pretty_exceptions_enable=False)
        add_verbs(program, Registry())
        shell = Terminal(env, policy, stage.world.namespace, api_server, program)
        shell.write_policy("")
        return shell

    return open_it

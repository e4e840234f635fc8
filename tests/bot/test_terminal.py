"""The terminal on a real API server and a real Valkey: the same engine and policy as in Slack, and no Slack."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.domain.rollout import Phase
from bot.terminal.answer import unix_user
from sandbox.apiserver import ApiServer
from tests.builders import CANARY, STABLE
from tests.stage import Stage

ME = unix_user()
NOWHERE = "redis://127.0.0.1:1/0"
"""Nobody listens on port 1."""


@dataclass
class Terminal:
    """A shell with the environment that docs/terminal.md asks for."""

    env: Mapping[str, str]
    policy: Path
    namespace: str

    def write_policy(self, rest: str) -> None:
        self.policy.write_text(f"namespaces: [{self.namespace}]\n{rest}")

    def __call__(self, *words: str, **env: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, words, env={**self.env, **env})
        return result.exit_code, result.output

    def json(self, *words: str) -> dict[str, object]:
        code, output = self(*words, "--output", "json")
        document: dict[str, object] = json.loads(output)
        assert document["exit"] == code
        return document


@pytest.fixture
def terminal(stage: Stage, api_server: ApiServer, redis_url: str, tmp_path: Path) -> Terminal:
    policy = tmp_path / "policy.yaml"
    env = {"KUBECONFIG": str(api_server.kubeconfig()), "REDIS_URL": redis_url, "ROLLOUTBOT_CONFIG": str(policy)}
    shell = Terminal(env, policy, stage.world.namespace)
    shell.write_policy("")
    return shell


def timeless(text: str) -> str:
    return re.sub(r"\d\d [A-Z][a-z]{2} \d\d:\d\d UTC", "TIME", text)


def test_a_rollout_begins_and_is_rolled_back_without_slack(stage: Stage, terminal: Terminal) -> None:
    code, output = terminal("start", CANARY, "10", "steps=10,50,100", "reason=H100 nodes")
    rollout = stage.store.entries()[0].rollout
    assert (code, stage.world.weights()) == (0, [(STABLE, 90), (CANARY, 10)])
    assert (
        timeless(output)
        == f"""\
`{CANARY}` is progressing at 10 %; that is on the route, and the gateway accepts it. \
It has no card in Slack; `--channel C…` gives a start one.
pool: {CANARY}
old pool: {STABLE}
state: progressing at 10 %
weight: 10 % new, 90 % old
steps: [10] 50 100, approval for 50, 100
gateway: accepts this
ready: new 2 of 2, old 2 of 2, TIME
route: {stage.world.namespace}/llm-route
card: none, started in a terminal
rollout: {rollout.id}
started: TIME by unix:{ME}: H100 nodes
why: It lets 10 % prove itself before 50 %, since TIME. Any full member can `advance` it now. \
It asks for approval of 50 % TIME.
"""
    )
    code, _ = terminal("rollback", "p99", "doubled")
    after = stage.load(rollout.id).rollout
    assert (code, stage.world.weights()) == (0, [(STABLE, 1)])
    assert (after.phase, after.by, after.why) == (Phase.ROLLED_BACK, f"unix:{ME}", "p99 doubled")

"""What tests of the bot share."""

from pathlib import Path

import pytest

from sandbox.apiserver import ApiServer
from sandbox.bot_process import NOTE_KEY
from sandbox.valkey import INSTALL
from tests.shell import Terminal
from tests.stage import Stage


@pytest.fixture
def terminal(stage: Stage, api_server: ApiServer, redis_url: str, tmp_path: Path) -> Terminal:
    stage.clock.forward(hours=-1)  # the terminal's time is the real one, and what a test does comes before that
    policy = tmp_path / "policy.yaml"
    env = {
        "KUBECONFIG": str(api_server.kubeconfig()),
        "ROLLOUTBOT_NOTE_KEYS": NOTE_KEY,
        "REDIS_URL": redis_url,
        "ROLLOUTBOT_CONFIG": str(policy),
        "ROLLOUTBOT_INSTALL": INSTALL,
    }
    shell = Terminal(env, policy, stage.world.namespace, api_server)
    shell.write_policy("")
    return shell

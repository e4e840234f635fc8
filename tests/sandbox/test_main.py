"""The commands of ``python -m sandbox``, as a person types them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bot.config.policy_file import read_policy
from bot.gates.registry import policy_keys
from sandbox.demo import policy
from sandbox.process import wait_until
from sandbox.running import Sandbox, running
from sandbox.world import CANARY, STABLE
from tests.builders import ALICE
from tests.shell import ME


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    # Another checkout's tests may run at the same time, and two sandboxes cannot have the same name.
    with running(f"commands-test-{os.getpid()}", policy=policy()) as sandbox:
        yield sandbox


def test_route_prints_the_weights(sandbox: Sandbox) -> None:
    assert _run("route", "--name", sandbox.name) == f"llm-route  {STABLE} 1\n"

    sandbox.world.set_weights({STABLE: 90, CANARY: 10})

    assert _run("route", "--name", sandbox.name) == f"llm-route  {STABLE} 90  {CANARY} 10\n"


def test_env_prints_lines_for_a_shell(sandbox: Sandbox) -> None:
    assert _in_shell(sandbox, "echo $REDIS_URL $SLACK_API_URL $KUBECONFIG $ROLLOUTBOT_CONFIG") == (
        f"{sandbox.redis_url} {sandbox.slack_api_url} {sandbox.kubeconfig} {sandbox.policy}\n"
    )


def test_whoever_runs_the_demo_is_alice_in_a_terminal_too(sandbox: Sandbox) -> None:
    assert sandbox.policy is not None
    assert read_policy(sandbox.policy, default_namespace="default", gates=policy_keys()).unix_users == {ME: ALICE}
    assert _in_shell(sandbox, f"{sys.executable} -m bot status") == "No rollout is under way.\n"


def test_edit_is_an_edit_by_somebody_else(sandbox: Sandbox) -> None:
    sandbox.world.set_weights({STABLE: 90, CANARY: 10})

    assert _run("edit", "60", "40", "--name", sandbox.name) == f"llm-route  {STABLE} 60  {CANARY} 40\n"
    assert "kubectl-edit" in {each["manager"] for each in sandbox.world.http_route()["metadata"]["managedFields"]}


def test_edit_wants_a_weight_for_each_backend(sandbox: Sandbox) -> None:
    sandbox.world.set_weights({STABLE: 1})
    command = [sys.executable, "-m", "sandbox", "edit", "60", "40", "--name", sandbox.name]

    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stderr) == (1, "Name a weight for each backend of llm-route: it has 1 now.\n")


def test_flush_empties_valkey(sandbox: Sandbox) -> None:
    with redis.Redis.from_url(sandbox.redis_url) as client:
        client.set("key", "value")

        assert _run("flush", "--name", sandbox.name) == "Valkey is empty.\n"
        assert client.keys("*") == []


@pytest.mark.parametrize("name", ["slack", "valkey"])
def test_stop_freezes_a_server_and_start_lets_it_go_on(sandbox: Sandbox, name: str) -> None:
    server = {"slack": sandbox.slack.server, "valkey": sandbox.valkey.server}[name]

    _run("stop", name, "--name", sandbox.name)
    wait_until("every thread stopped", lambda: _is_frozen(server.pid), seconds=5)
    _run("start", name, "--name", sandbox.name)
    wait_until("every thread on its way", lambda: not _is_frozen(server.pid), seconds=5)


def _is_frozen(pid: int) -> bool:
    return "State:\tT" in Path(f"/proc/{pid}/status").read_text()


def test_without_a_sandbox_the_commands_say_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    answer = subprocess.run([sys.executable, "-m", "sandbox", "route"], capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout, answer.stderr) == (
        1,
        "",
        "No sandbox is running here; start one with `make demo`.\n",
    )


def _in_shell(sandbox: Sandbox, line: str) -> str:
    line = f'eval "$({sys.executable} -m sandbox env --name {sandbox.name})"; {line}'
    return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True).stdout


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

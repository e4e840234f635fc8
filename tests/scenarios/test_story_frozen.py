"""The acknowledgement waits for nobody: not for a frozen cluster, and for a frozen Redis no longer than Slack does."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from k8s.client import connect as connect_cluster
from k8s.cluster import Cluster
from sandbox.apiserver import ApiServer
from sandbox.strict_slack import strict_slack
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import workplace
from sandbox.world import World
from tests.builders import CANARY
from tests.scenarios.front import Front
from tests.stage import Stage, a_stage

START = f"start {CANARY} 10"
NONE = (
    "This channel has no rollout. Name a pool, as in `/rollout status POOL`, "
    "or begin one with `/rollout start POOL WEIGHT`."
)


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


@pytest.fixture
def silent(api_server: ApiServer, tmp_path: Path) -> Iterator[Path]:
    """Return a kubeconfig for an API server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        silent = f"https://127.0.0.1:{listener.getsockname()[1]}"
        file = tmp_path / "kubeconfig"
        file.write_text(api_server.kubeconfig().read_text().replace(api_server.url, silent))
        yield file


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    with workplace(prefix="tests") as place, valkey(place) as running:
        yield running
        running.server.thaw()


@pytest.mark.parametrize(
    ("text", "said"),
    {
        START: f"Got it: `start` `{CANARY}`.",
        "rollback": "Got it: `rollback`.",
        "status": NONE,
    }.items(),
)
def test_a_frozen_cluster(silent: Path, front: Front, text: str, said: str) -> None:
    front.stage.routes._port = Cluster(connect_cluster(silent).api, [front.stage.world.namespace])
    assert front.acknowledged(text) == said


@pytest.mark.parametrize("text", [START, "rollback", "status"])
def test_a_frozen_redis(api_server: ApiServer, world: World, own_valkey: Valkey, text: str) -> None:
    with strict_slack() as slack:
        front = Front(a_stage(api_server, world, own_valkey.url()), slack)
        assert front.acknowledged("status") == NONE
        own_valkey.server.freeze()
        assert re.sub(r"`[0-9a-f]{8}`", "`REF`", front.acknowledged(text)) == (
            "Redis does not answer. I could not confirm this; if it took effect, the card shows it. "
            "Try again in a moment (ref `REF`).\n"
            "To roll back without me, put the old weights back with `kubectl edit httproute`."
        )
        front.handlers.close()

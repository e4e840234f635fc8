"""The acknowledgement waits for nobody: not for a frozen cluster, and for a frozen Redis no longer than Slack does."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.rollout import Phase
from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from sandbox.apiserver import ApiServer
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.valkey import Valkey
from sandbox.world import World
from tests.builders import ALICE, CANARY, STABLE
from tests.scenarios.front import ROOM, Front
from tests.stage import NOTES, Stage, a_stage

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


@pytest.mark.parametrize(
    ("text", "said"),
    {
        START: f"Got it: `start` `{CANARY}`.",
        "rollback": "Got it: `rollback`.",
        "status": NONE,
    }.items(),
)
def test_a_frozen_cluster(silent: Path, front: Front, text: str, said: str) -> None:
    front.stage.routes._port = Cluster(connect_cluster(silent).api, [front.stage.world.namespace], notes=NOTES)
    assert front.acknowledged(text) == said


UNCONFIRMED = "I could not confirm this; if it took effect, a card will show it. Try again in a moment (ref `REF`)."


@pytest.mark.parametrize(
    ("text", "said"), {START: UNCONFIRMED, "pause": UNCONFIRMED, "status": "Try again in a moment."}.items()
)
def test_a_frozen_redis(api_server: ApiServer, world: World, own_valkey: Valkey, text: str, said: str) -> None:
    with strict_slack() as slack:
        front = _front(api_server, world, own_valkey, slack)
        assert front.acknowledged("status") == NONE
        own_valkey.server.freeze()
        assert re.sub(r"`[0-9a-f]{8}`", "`REF`", front.acknowledged(text)) == (
            f"Redis does not answer. {said}\n`rollback` works all the same."
        )
        front.handlers.close()


def test_a_roll_back_with_a_frozen_redis_is_on_the_route_and_noticed_when_redis_is_back(
    api_server: ApiServer, world: World, own_valkey: Valkey
) -> None:
    with strict_slack() as slack:
        front = _front(api_server, world, own_valkey, slack)
        stage = front.stage
        rollout_id = stage.started(10).rollout.id
        own_valkey.server.freeze()
        said = "Redis does not answer. I roll back from the record on the route and tell the channel."
        assert front.acknowledged("rollback p99 doubled") == said
        front.handlers.close()
        assert (stage.world.weights(), stage.note_phase()) == ([(STABLE, 1)], Phase.ROLLED_BACK)
        (told,) = slack.cards(ROOM)
        assert told["blocks"][0]["text"]["text"].startswith(
            f"*<@{ALICE}> rolled back* `{CANARY}`, all traffic goes to `{STABLE}`: “p99 doubled”."
        )
        own_valkey.server.thaw()
        stage.audit.inspect()
        entry = stage.load(rollout_id)
        assert (entry.rollout.phase, entry.rollout.by, entry.is_applied) == (Phase.ROLLED_BACK, ALICE, True)
        assert stage.events(rollout_id) == ["started", "rolled_back"]


def test_a_roll_back_that_redis_has_taken_in_before_it_froze_is_not_written_again(
    api_server: ApiServer, world: World, own_valkey: Valkey
) -> None:
    stage = a_whole_stage(api_server, world, own_valkey)
    rollout_id = stage.started(10).rollout.id
    request = stage.request("rollback")
    stage.engine.receive(request)
    stage.clock.forward(seconds=1)
    stage.engine.brake(request)
    stage.audit.inspect()
    stage.clock.forward(seconds=6)
    assert [stage.engine.process(kept) for kept in stage.engine.waiting_requests(timedelta(seconds=5))] == [None]
    assert (stage.events(rollout_id), stage.engine.waiting_requests(timedelta())) == (["started", "rolled_back"], [])


def a_whole_stage(api_server: ApiServer, world: World, valkey: Valkey) -> Stage:
    stage = a_stage(api_server, world, valkey.url())
    stage.recovery.run()
    return stage


def _front(api_server: ApiServer, world: World, valkey: Valkey, slack: StrictSlack) -> Front:
    return Front(a_whole_stage(api_server, world, valkey), slack)

"""Whatever people send wrongly: one private sentence that says what to do, nothing written, no traceback in the log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from k8s.cluster import Cluster
from k8s.connection import connect as connect_cluster
from sandbox.apiserver import ApiServer
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.rights import give_rights
from sandbox.slack import BOT, TEAM
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.scenarios.admission import without_patch
from tests.scenarios.front import ROOM, Front
from tests.stage import NOTES, Stage

START = f"start {CANARY} 10"
USAGE = (
    "Usage: `/rollout start POOL WEIGHT [from=POOL route=NAME namespace=NAME rule=NAME mirror=10 steps=10,25,50,100 "
    'every=10m bake=30m approve=50,100|all|none reason="…"]`.'
)
WEIGHT = f"is not a weight: give a whole number of percent from 1 to 100, as in `/rollout start {CANARY} 10`."
NO_ROLLOUT = "This channel has no rollout. None is running: begin one with `start POOL WEIGHT`."
NONE_RUNS = "There is no rollout of `nope`. None is running: begin one with `start POOL WEIGHT`."

TYPED = {
    "strat x 10": "`strat` is not a verb of `/rollout`. Did you mean `start`?",
    "brrr": "`brrr` is not a verb of `/rollout`. Say `/rollout help` for the list.",
    "start": f"`start` needs a pool and a weight. {USAGE}",
    f"start {CANARY}": f"`start` needs a weight: type `/rollout start {CANARY} 10`.",
    f"{START} now": f'`now` is one word too many; write a reason as `reason="…"`. {USAGE}',
    f"start {CANARY} 0": f"`0` {WEIGHT}",
    f"start {CANARY} 101": f"`101` {WEIGHT}",
    f"start {CANARY} 1.5": f"`1.5` {WEIGHT}",
    f"start {CANARY} ten": f"`ten` {WEIGHT}",
    f"start {CANARY} ٣": f"`٣` {WEIGHT}",
    f"start 10 {CANARY}": f"The pool comes first, then the weight: type `/rollout start {CANARY} 10`.",
    f"{START} steps=10,50,25": "`steps` must rise, but 25 follows 50. Write it like `steps=10,25,50,100`.",
    f"{START} every 10m": "`every 10m` lacks a `=`. Write `every=10m`.",
    f"{START} evry=10m": "`evry` is not a key of `start`. Did you mean `every`?",
    "reject": '`reject` needs a reason. Say why, as in `/rollout reject POOL reason="p99 doubled"`.',
    "status nope": NONE_RUNS,
    "pause": NO_ROLLOUT,
    "rollback": NO_ROLLOUT,
}

UNFIT: dict[str, tuple[Callable[[World], object], str, str]] = {
    "a pool that is not there": (
        lambda world: None,
        f"start {CANARY.replace('new', 'nwe')} 10",
        "There is no InferencePool `vllm-llama3-8b-instruct-nwe` in `{namespace}`. Did you mean:\n"
        f"`/rollout start {CANARY} 10`\n`/rollout start {STABLE} 10`",
    ),
    "a pool unlike any other": (
        lambda world: None,
        "start gpt 10",
        f"There is no InferencePool `gpt` in `{{namespace}}`. Deploy it first. There are `{STABLE}`, `{CANARY}`.",
    ),
    "no route": (
        lambda world: world.delete_route(),
        START,
        "No HTTPRoute in namespace `{namespace}` sends traffic to an InferencePool. "
        "Point a route at the pool that serves now, or name another namespace with `namespace=`.",
    ),
    "several routes": (
        lambda world: world.add_route("other-route", [pool_ref(STABLE, 100)]),
        START,
        f"More than one HTTPRoute fits `{CANARY}`. Say which one:\n"
        f"`/rollout {START} route=llm-route`\n`/rollout {START} route=other-route`",
    ),
    "a third backend": (
        lambda world: world.set_weights({STABLE: 50, "vllm-third": 50}),
        START,
        "`rule 1` of HTTPRoute `{namespace}/llm-route` also sends to InferencePool `vllm-third` (weight 50), "
        f"besides `{STABLE}`. Give it weight 0 or remove it: a rollout moves traffic between two pools only.",
    ),
    "the pool that serves": (
        lambda world: None,
        f"start {STABLE} 10",
        f"`{STABLE}` is the only InferencePool of HTTPRoute `{{namespace}}/llm-route`: there is no pool to take "
        "traffic from. Name the new pool, not the one that serves now.",
    ),
}

INVITE = f"Type `/invite` <@{BOT}> here, then type it again."
CHANNELS: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "not in it": ({ROOM: {"is_member": False}}, f"I am not in this channel. {INVITE}"),
    "not to be seen": ({}, f"I cannot see this channel. {INVITE}"),
    "archived": (
        {ROOM: {"is_member": True, "is_archived": True}},
        "This channel is archived. Type it in another one.",
    ),
    "a direct message": (
        {ROOM: {"is_im": True}},
        "Its card needs a channel, not a direct message. Type it where the team sees it.",
    ),
    "shared": (
        {ROOM: {"is_member": True, "is_ext_shared": True}},
        "This channel is shared with another company. Type it in an internal one.",
    ),
}

STRANGERS: dict[str, tuple[dict[str, Any], str]] = {
    "guest": ({"team_id": TEAM, "is_restricted": True}, "Guests"),
    "bot": ({"team_id": TEAM, "is_bot": True}, "Bots"),
    "other team": ({"team_id": "T0OTHER001"}, "People from another workspace"),
    "other company": ({"is_stranger": True}, "People from outside this workspace"),
}


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    with strict_slack() as slack:
        yield slack


@pytest.fixture
def front(stage: Stage, slack: StrictSlack) -> Iterator[Front]:
    front = Front(stage, slack)
    yield front
    front.handlers.close()


@pytest.fixture
def unmoved(front: Front, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], None]]:
    """Return what to call before the bad input: after the test nothing may be written, or logged as a fault."""
    seen: list[Any] = []
    yield lambda: seen.append(front.written())
    assert [front.written()] == seen
    assert [record for record in caplog.records if record.levelno > logging.INFO or record.exc_info] == []


@pytest.mark.parametrize(("text", "sentence"), TYPED.items(), ids=[text[:60] for text in TYPED])
def test_words(front: Front, unmoved: Callable[[], None], text: str, sentence: str) -> None:
    unmoved()
    assert front.types(text) == [sentence]


@pytest.mark.parametrize(("prepare", "text", "sentence"), UNFIT.values(), ids=UNFIT)
def test_a_cluster_that_does_not_fit(
    front: Front, unmoved: Callable[[], None], prepare: Callable[[World], object], text: str, sentence: str
) -> None:
    world = front.stage.world
    prepare(world)
    _settle(front)
    unmoved()
    assert front.types(text) == [sentence.format(namespace=world.namespace)]


@pytest.mark.parametrize(("channels", "sentence"), CHANNELS.values(), ids=CHANNELS)
def test_a_channel_where_no_card_can_live(
    front: Front, unmoved: Callable[[], None], channels: dict[str, dict[str, Any]], sentence: str
) -> None:
    front.slack.channels = channels
    unmoved()
    assert front.types(START) == [sentence]


@pytest.mark.parametrize(("person", "who"), STRANGERS.values(), ids=STRANGERS)
def test_a_strangers_click(front: Front, unmoved: Callable[[], None], person: dict[str, Any], who: str) -> None:
    turn = front.stage.started(10).rollout.turn
    front.slack.users["U0STRANGER"] = person
    unmoved()
    said = front.presses("rollback", turn=turn, user="U0STRANGER")
    assert said == [f"{who} cannot run rollouts. Ask a full member of this workspace."]


def test_a_route_that_has_a_rollout(front: Front, unmoved: Callable[[], None]) -> None:
    rollout = front.stage.started(10).rollout
    unmoved()
    assert front.types(START) == [
        f"The route already has rollout `{rollout.id}` of `{CANARY}`, progressing at 10 %. "
        "`rollback` or `end` it first."
    ]


def test_a_stale_button(front: Front, unmoved: Callable[[], None]) -> None:
    turn = front.stage.started(10).rollout.turn
    unmoved()
    assert front.presses("advance", turn=turn - 1) == [
        f"The rollout has moved on since that button was drawn: `{CANARY}` is progressing at 10 % now. "
        "Press again if you still want it."
    ]


def test_a_missing_right_is_named_with_verb_and_resource(
    front: Front, unmoved: Callable[[], None], api_server: ApiServer
) -> None:
    stage, namespace = front.stage, front.stage.world.namespace
    role = give_rights(stage.world.kube, stage.world.namespace)
    stage.routes._port = Cluster(connect_cluster(api_server.kubeconfig("rolloutbot")).api, [namespace], notes=NOTES)
    unmoved()
    with closing(api_server.client("rolloutbot")) as bot, without_patch(stage.world, role, bot):
        assert front.types(START) == [
            f"The bot may not `patch` `httproutes` of gateway.networking.k8s.io in namespace `{namespace}`. "
            "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
        ]


@pytest.mark.parametrize("length", [40, 3000])
def test_a_reason_may_hold_anything(front: Front, length: int) -> None:
    reason = "a & b < c > d é — 🚀 ".ljust(length, "x")
    escaped = reason.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # as Slack sends it
    assert front.types(f'{START} reason="{escaped}"') == []
    (entry,) = front.stage.store.entries()
    note = front.stage.note()
    assert (entry.rollout.reason, note and note.reason) == (reason, reason)
    assert front.stage.world.weights() == [(STABLE, 90), (CANARY, 10)]


def _settle(front: Front) -> None:
    """Wait until the robot has nothing more to say about the routes."""
    before = [front.written()[0]]

    def is_still() -> bool:
        before.append(front.written()[0])
        return bool(before[-1] == before[-2])

    wait_until("routes at rest", is_still, seconds=5, pause=0.1)

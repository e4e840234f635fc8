"""What a team hears of one rollout: danger in the channel, each step in the thread, and each name when it is needed."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.domain.access import Access
from bot.domain.plan import Wishes
from bot.domain.rollout import Pool
from bot.domain.telling import Audience, Tell
from bot.recovery.pool_news import PoolNews
from bot.service.logs import JsonLines
from handlers.app import web_client
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.builders import ALICE, BOB, CANARY, CAROL, STABLE
from tests.handlers.board.one_round import one_round
from tests.stage import Stage

TIME = "<!date^"


@dataclass
class Room:
    """A stage, its channel, and a board that tells as a policy says."""

    stage: Stage
    slack: StrictSlack
    board: Board

    def told(self, act: Callable[[], object]) -> tuple[list[str], list[str]]:
        """Do something, let the board tell of it, and return what the channel saw of it, and what only the thread."""
        before = len(self.replies())
        act()
        while self.stage.store.dirty(10):
            one_round(self.board, self.stage.clock.now())
            self.stage.clock.forward(seconds=2)
        new = self.replies()[before:]
        loud = [line(one) for one in new if one["broadcast"]]
        return loud, [line(one) for one in new if not one["broadcast"]]

    def replies(self) -> list[dict[str, Any]]:
        return [message for message in self.slack.messages if message.get("thread_ts")]

    def mentions(self, user: str) -> int:
        """Count the messages that mention somebody when they are posted; an edit notifies nobody."""
        posted = [each for each in self.slack.journal if each.what == "posted"]
        return sum(f"<@{user}>" in json.dumps([each.text, each.blocks]) for each in posted)


def line(message: dict[str, Any]) -> str:
    """Return the text of a reply, without the time that begins each of its lines."""
    text = "\n".join(block["text"]["text"] for block in message["blocks"])
    assert all(each.startswith(TIME) for each in text.split("\n"))
    return "\n".join(each.split("  ", 1)[1] for each in text.split("\n"))


def a_room(stage: Stage, slack: StrictSlack, tell: Tell) -> Room:
    stage.policy = replace(stage.policy, access=Access(approve=frozenset({BOB})), tell=tell)
    stage.parts = stage.replica()
    topics = RolloutTopics(stage.store, stage.store, stage.policy.access, stage.policy.tell)
    return Room(stage, slack, Board(stage.store, topics, Slack(web_client(BOT_TOKEN, base_url=slack.api_url))))


@pytest.fixture
def quiet_slack(stage: Stage) -> Iterator[StrictSlack]:
    with strict_slack(lambda: stage.clock.now().timestamp()) as slack:
        yield slack


@pytest.fixture
def room(stage: Stage, quiet_slack: StrictSlack) -> Room:
    return a_room(stage, quiet_slack, Tell())


NEW = f"`{CANARY}`: "
BY_ALICE = f" <@{ALICE}> started it."


@pytest.fixture(autouse=True)
def _hear_the_trail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bot.engine.trail")


def trail(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Return who decided or wrote what, from what and to what, and forget it; notes are left out."""
    lines = [json.loads(JsonLines().format(each)) for each in caplog.records if each.name == "bot.engine.trail"]
    caplog.clear()
    return [(one["who"], one["what"], one["from"], one["to"]) for one in lines if one["what"] != "note"]


def test_drift_is_told_in_the_channel_and_steps_in_the_thread(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    stage, world = room.stage, room.stage.world
    started = room.told(lambda: stage.started(10))
    assert started == ([], [f"<@{ALICE}> started the rollout at 10 %, from `{STABLE}`."])

    def drift() -> None:
        world.edit_weights(60, 40)
        stage.audit.sweep()

    changed = "`kubectl-edit` changed the weights (old/new): 90/10 before, 60/40 now."
    assert room.told(drift) == ([f"{NEW}*Paused because somebody else wrote to the route*: {changed}{BY_ALICE}"], [])

    def restore() -> None:
        stage.say("restore")
        stage.wait_observed()
        stage.pass_time(seconds=1)

    assert room.told(restore) == ([f"{NEW}<@{BOB}> restored 10 %."], [])
    assert room.told(stage.step) == ([], ["Stepped to *25 %*."])
    assert trail(caplog) == [
        (ALICE, "started", 0, 10),
        (ALICE, "weights", "1/–", "90/10"),
        ("rolloutbot", "progressing", 10, 10),
        ("rolloutbot", "drifted", 10, 10),
        (BOB, "restored", 10, 10),
        (BOB, "weights", "60/40", "90/10"),
        ("rolloutbot", "stepped", 10, 25),
        ("rolloutbot", "weights", "90/10", "75/25"),
    ]


def test_a_hold_is_told_in_the_thread_at_once_and_in_the_channel_once_when_it_lasts(room: Room) -> None:
    stage, world = room.stage, room.stage.world
    room.told(lambda: stage.started(10))
    world.set_servers_ready(CANARY, 0)
    held = f"InferencePool `{world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready."
    loud, quiet = room.told(lambda: stage.pass_time(minutes=10))
    assert (loud, [one.split(": ", 1) for one in quiet]) == ([], [["Held at 10 %", held]])
    assert room.told(lambda: stage.pass_time(seconds=30)) == ([f"{NEW}Still held at 10 %: {held}"], [])
    assert room.told(lambda: stage.pass_time(seconds=30)) == ([], [])


def test_a_question_a_rejection_a_reminder_and_a_roll_back_are_told_in_the_channel(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    stage = room.stage
    room.told(lambda: stage.started(10, wishes=Wishes(approve_at=(25,))))
    assert room.mentions(BOB) == 0
    caplog.clear()
    assert room.told(stage.step) == ([f"{NEW}*25 % needs approval*. It waits for <@{BOB}>."], [])
    rejected = room.told(lambda: stage.say("reject", by=BOB, reason="latency doubled"))
    assert rejected == ([f"{NEW}<@{BOB}> rejected the step; paused at 10 %: “latency doubled”"], [])
    assert room.mentions(BOB) == 2  # who is asked, and who rejected: the card is edited, and mentions nobody once more
    reminded = room.told(lambda: stage.pass_time(hours=4))
    assert reminded == ([f"{NEW}Reminder: it still waits at 10 %: latency doubled."], [])
    back = room.told(lambda: stage.say("rollback", by=CAROL))
    assert back == ([f"{NEW}*<@{CAROL}> rolled back.* All traffic goes to `{STABLE}`."], [])
    assert trail(caplog) == [
        ("rolloutbot", "approval_wanted", 10, 10),
        (BOB, "rejected", 10, 10),
        (CAROL, "rolled_back", 10, 0),
        (CAROL, "weights", "90/10", "1/–"),
    ]


@pytest.mark.parametrize(
    ("pool", "dies", "recovers"),
    [
        (STABLE, f"*The old pool `{STABLE}` cannot take traffic back*", f"The old pool `{STABLE}` can serve again."),
        (CANARY, "*10 % of the traffic goes to the new pool, which cannot serve*", "The new pool can serve again."),
    ],
)
def test_a_pool_that_dies_is_told_and_so_is_its_recovery(room: Room, pool: str, dies: str, recovers: str) -> None:
    stage, world = room.stage, room.stage.world
    room.told(lambda: stage.started(10))
    news = PoolNews(stage.cluster, stage.store, stage.clock, stage.store.events)

    def look() -> None:
        news.health_changed(Pool(world.namespace, pool))
        for _ in range(2):
            news.sweep()
            stage.clock.forward(seconds=10)

    world.set_servers_ready(pool, 0)
    loud, _ = room.told(look)
    lacks = f"InferencePool `{world.namespace}/{pool}` has no ready model server: 0 of 2 pods are Ready."
    assert loud == [f"{NEW}{dies}: {lacks}"]
    world.set_servers_ready(pool, 2)
    loud, _ = room.told(look)
    assert loud == [f"{NEW}{recovers}"]


def test_a_roll_back_onto_a_dead_pool_is_told_as_that(room: Room) -> None:
    stage = room.stage
    room.told(lambda: stage.started(10))
    stage.world.set_servers_ready(STABLE, 0)

    def roll_back() -> None:
        stage.say("rollback", by=CAROL)
        stage.wait_observed()
        stage.pass_time(seconds=1)

    loud, _ = room.told(roll_back)
    lacks = f"InferencePool `{stage.world.namespace}/{STABLE}` has no ready model server: 0 of 2 pods are Ready."
    assert loud == [
        f"*<@{CAROL}> rolled back.* All traffic goes to `{STABLE}`.\n"
        f"{NEW}*All traffic goes to the old pool `{STABLE}`, which cannot serve*: {lacks}"
    ]


def test_a_policy_may_keep_everything_in_the_thread(stage: Stage, quiet_slack: StrictSlack) -> None:
    silent = Tell(**dict.fromkeys(("approvals", "stops", "trouble", "brakes", "reminders", "done"), Audience.THREAD))
    room = a_room(stage, quiet_slack, silent)
    room.told(lambda: stage.started(10, wishes=Wishes(approve_at=(25,))))
    assert room.told(stage.step) == ([], ["*25 % needs approval*."])
    assert room.told(lambda: stage.say("rollback", by=CAROL)) == (
        [],
        [f"*<@{CAROL}> rolled back.* All traffic goes to `{STABLE}`."],
    )

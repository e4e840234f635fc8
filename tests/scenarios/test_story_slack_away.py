"""While Slack hangs, a rollout goes on, is paused and rolled back; card and thread tell all of it when it is back."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import cast

import pytest

from bot.domain.rollout import Phase
from bot.store.connection import connect
from bot.store.store import RedisStore
from handlers.buttons import action_id
from sandbox.process import wait_until
from sandbox.slack import Slack
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.memory import a_store
from tests.scenarios.play import Play


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    with strict_slack() as running:
        yield running


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    client = connect(redis_url)
    yield a_store(client)
    client.connection_pool.disconnect()


def test_a_slack_that_hangs_delays_no_step_no_pause_and_no_roll_back(
    play: Play, slack: StrictSlack, store: RedisStore
) -> None:
    bot = replace(play, slack=cast(Slack, slack)).bot(mode="http")

    def press(verb: str, user: str) -> None:
        click = slack.click(slack.cards()[0]["ts"], action_id(verb), user=user)
        assert slack.send(click, f"http://{bot.address}").outcome == "acknowledged"

    slack.send(slack.command("status", user=BOB), f"http://{bot.address}")
    slack.send(slack.command(f"start {CANARY} 10", user=ALICE), f"http://{bot.address}")
    wait_until("card and thread", lambda: len(slack.messages) == 2, seconds=10)
    slack.faults.begin("hang")
    wait_until("a step", lambda: play.world.weights() == [(STABLE, 75), (CANARY, 25)], seconds=10)
    told = list(slack.journal)
    press("pause", ALICE)
    wait_until("the pause", lambda: [entry.rollout.phase for entry in store.entries()] == [Phase.PAUSED], seconds=10)
    press("rollback", BOB)
    wait_until("the roll back", lambda: play.world.weights() == [(STABLE, 1)], seconds=10)
    assert slack.journal == told
    slack.faults.lift_all()
    wait_until("the whole thread", lambda: places(slack) == [1, 2, 3, 4], seconds=30)
    assert ["rolled back" in card["text"] for card in slack.cards()] == [True]


def places(slack: StrictSlack) -> list[int]:
    """Return the places of the events that the card's thread tells."""
    spans = [note["blocks"][0]["block_id"].rsplit(":", 1)[1] for note in slack.thread(slack.cards()[0]["ts"])]
    return list(chain(*(range(int(span.split("-")[0]), int(span.split("-")[1]) + 1) for span in spans)))

"""Where the card is, for people who typed: known from what the board posted, and told when there is a card."""

from dataclasses import replace

import pytest

from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import Command, Request
from bot.domain.errors import StoreError
from bot.engine.store_port import Shown
from handlers.app import web_client
from handlers.card_links import CardLinks
from handlers.private import Private
from handlers.slack import Slack
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, CANARY, NOON
from tests.handlers.fakes import Memory
from tests.handlers.records import ROOM, a_rollout, an_entry

POSTED = Shown(channel=ROOM, ts="1795796128.000002")
TOLD = f"See <https://sandbox.slack.com/archives/{ROOM}/p1795796128000002|the card of {CANARY}>: 25 %."


class Desk:
    """Somebody who typed, and the board's memory."""

    def __init__(self, server: StrictSlack) -> None:
        client = web_client(BOT_TOKEN, base_url=server.api_url)
        self.server, self.memory, self.slack = server, Memory(), Slack(client)
        self.private = Private(server.api_url)
        self.links = CardLinks(self.memory.shown, self.slack, self.private)
        command = Command(verb="pause")
        address = server.response_url(ALICE)
        self.asked = Request(command=command, by=ALICE, origin=in_slack(ROOM), delivery="t1", at=NOON, reply_to=address)

    def told(self) -> list[str]:
        self.links.close()
        self.private.close()
        return [str(answer["text"]) for answer in self.server.private]


@pytest.fixture
def desk(slack: StrictSlack) -> Desk:
    return Desk(slack)


def test_a_link_is_built_from_what_was_posted_without_a_call(desk: Desk) -> None:
    desk.slack.identity()
    desk.memory.shows[a_rollout().id] = POSTED
    calls = len(desk.server.calls)
    desk.links.follow(desk.asked, an_entry())
    wait_until("the link", lambda: bool(desk.server.private), seconds=5)
    assert (desk.told(), len(desk.server.calls)) == ([TOLD], calls)


def test_the_card_of_a_start_is_waited_for(desk: Desk) -> None:
    desk.slack.identity()
    desk.links.follow(desk.asked, an_entry())
    desk.memory.shows[a_rollout().id] = POSTED
    wait_until("the link", lambda: bool(desk.server.private), seconds=5)
    assert desk.told() == [TOLD]


@pytest.mark.parametrize("shown", [None, Shown(channel=ROOM), replace(POSTED, ts="…")])
def test_without_a_card_nothing_is_said_and_the_end_does_not_wait_for_one(desk: Desk, shown: Shown | None) -> None:
    desk.slack.identity()
    if shown is not None:
        desk.memory.shows[a_rollout().id] = shown
    desk.links.follow(desk.asked, an_entry())
    assert desk.told() == []


def test_whoever_pressed_a_button_looks_at_the_card_already(desk: Desk) -> None:
    desk.slack.identity()
    desk.memory.shows[a_rollout().id] = POSTED
    desk.links.follow(replace(desk.asked, turn=4), an_entry())
    desk.links.follow(replace(desk.asked, reply_to=""), an_entry())
    desk.links.follow(desk.asked, an_entry(a_rollout(channel="")))
    assert desk.told() == []


def test_where_nobody_has_asked_slack_who_we_are_there_is_no_link(desk: Desk) -> None:
    desk.memory.shows[a_rollout().id] = POSTED
    desk.links.follow(desk.asked, an_entry())
    assert desk.told() == []


def test_a_redis_that_fails_costs_only_the_link(desk: Desk) -> None:
    def fail(rollout_id: str) -> Shown | None:
        raise StoreError("Redis does not answer.")

    links = CardLinks(fail, desk.slack, desk.private)
    links.follow(desk.asked, an_entry())
    links.close()
    assert desk.told() == []

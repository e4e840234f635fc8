"""Two installs that share one Slack app: Slack gives each a part of what people type and press."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest
import urllib3

from handlers.census import SHARED
from sandbox.kube import Kube
from sandbox.rights import give_rights
from sandbox.valkey import Valkey
from sandbox.world import create_namespace
from tests.builders import CANARY
from tests.scenarios.play import Bot, Play

MORE = "more connections of this app than this install has: another install shares the app, and gets a part of the"
ELSEWHERE = (
    "It is over and forgotten, or another install of the bot has it: use the newest card. Where two installs share a "
    "Slack app, try again: each "
    "gets a part of the clicks."
)


@pytest.fixture
def other(play: Play, kube: Kube, own_valkey: Valkey) -> Play:
    """Return a play in which bots of another cluster, with a Redis of its own and no pools, are at the same Slack."""
    namespace = f"test-{secrets.token_hex(4)}"
    create_namespace(kube, namespace)
    give_rights(kube, namespace)
    return replace(play, world=replace(play.world, namespace=namespace), redis_url=own_valkey.url())


def readyz(bot: Bot) -> str:
    return urllib3.request("GET", f"http://{bot.probes}/readyz", timeout=5, retries=False).data.decode()


def said_of_others(bot: Bot) -> list[str]:
    return [line for line in bot.log().splitlines() if "another install shares the app" in line]


def until(play: Play, title: str, act: Callable[[], object]) -> list[str]:
    """Have a person act until the card says so; return what this person was told each time that it did not."""
    told = len(play.private())

    def shows() -> bool:
        return play.title() == title

    for vain in range(6):
        act()
        play.until("an effect or a word", lambda vain=vain: shows() or len(play.private()) > told + vain)  # type: ignore[misc]
        if shows():
            return play.private()[told : told + vain]
    raise AssertionError(f"Nothing came of it: {play.title()}")


def test_no_click_is_lost_without_a_word_and_both_installs_notice(play: Play, other: Play) -> None:
    ours = [play.bot() for _ in range(2)]
    theirs = other.cast(install="other").start()
    refused = until(play, "25 %", lambda: play.start(f"{CANARY} 25 every=1h"))
    assert {said.split(" Deploy")[0] for said in refused} <= {
        f"There is no InferencePool `{CANARY}` in `{other.world.namespace}`."
    }
    pressed = [
        *until(play, "25 %, paused", lambda: play.press("pause")),
        *until(play, "25 %", lambda: play.press("resume")),
        *until(play, "rolled back", lambda: play.press("rollback")),
    ]
    rollout = str(play.card()["blocks"][0]["block_id"]).split(":")[1]
    assert pressed
    assert {said.removesuffix(f" {SHARED}") for said in pressed} == {
        f"There is no rollout of `{rollout}`. {ELSEWHERE}",
    }
    play.until("a warning", lambda: f"ready\nwarning: Slack counts 2 {MORE}" in readyz(theirs), seconds=40)
    play.until("one of ours knows", lambda: bool(asks_in_vain(play)) and any(map(knows, ours)), seconds=60)
    play.until("a reason", lambda: f"{NOWHERE} {SHARED}" in asks_in_vain(play))
    assert (len(said_of_others(theirs)), {len(said_of_others(bot)) for bot in ours} <= {0, 1}) == (1, True)


NOWHERE = "There is no rollout of `nope`. None is running: begin one with `start POOL WEIGHT`."


def asks_in_vain(play: Play) -> list[str]:
    """Ask what nobody knows, so that whoever hears it looks; return what was said."""
    play.say("why nope")
    return play.private()


def knows(bot: Bot) -> bool:
    return "ready\nwarning: Slack counts 1 more connection" in readyz(bot)

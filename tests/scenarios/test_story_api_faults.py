"""Whole bots behind a proxy in front of the API server: what people see while it fails, and after."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.command import Verb
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from tests.builders import BOB, CANARY, STABLE
from tests.scenarios.play import Play

AT_0 = [(STABLE, 1)]
SLOWLY = {"steps": [10, 100], "every": "10m", "bake": "10m"}


@pytest.fixture
def far(play: Play, proxy: FaultProxy) -> Iterator[Play]:
    """Return a play whose bots reach the API server through the proxy."""
    play.api_server, play.foreseen = proxy.api_server, "ClusterError"
    yield play
    for bot in play.bots:
        bot.server.kill()


def text(play: Play) -> str:
    return "\n".join(block["text"]["text"] for block in play.card()["blocks"] if "text" in block)


def test_a_roll_back_while_the_api_server_is_away_is_told_and_happens_when_it_is_back(
    far: Play, proxy: FaultProxy
) -> None:
    far.bot(plan=SLOWLY)
    far.start()
    far.see("10 %")
    far.offers(Verb.ROLLBACK)
    proxy.inject(Fault.REFUSED)
    far.press(Verb.ROLLBACK)
    far.see("10 % → 0 %")
    far.until("what is wrong", lambda: "The API server could not be reached" in text(far))
    assert "*Rolling back.* 0 % is wanted, the route had *10 %* when last seen." in text(far)
    assert "Not written since <!date^" in text(far)
    proxy.lift()
    far.see("rolled back")
    assert far.world.weights() == AT_0
    assert far.thread()[1:] == [
        f"*<@{BOB}> rolled back*, all traffic goes to `{STABLE}`.",
        f"Trouble: The API server could not be reached (asked for HTTPRoute `{far.world.namespace}/llm-route`).",
    ]


def test_a_bot_whose_token_was_replaced_goes_on_with_the_new_one(far: Play, proxy: FaultProxy) -> None:
    bot = far.bot(plan=SLOWLY)
    far.start()
    far.see("10 %")
    old, new = (far.api_server.tokens[name] for name in ("rolloutbot", "rolloutbot-rotated"))
    replace_in(proxy.kubeconfig("rolloutbot"), old, new)
    proxy.inject(Fault.UNKNOWN_TOKEN, token=old)
    far.press(Verb.ROLLBACK)
    far.see("rolled back")
    assert far.world.weights() == AT_0
    assert {fault for fault, _ in proxy.hits} == {Fault.UNKNOWN_TOKEN}
    assert (bot.server.alive(), old in bot.log(), new in bot.log()) == (True, False, False)
    assert CANARY in text(far)


def replace_in(file: Path, old: str, new: str) -> None:
    beside = file.with_name("new")
    beside.write_text(file.read_text().replace(old, new))
    beside.rename(file)

"""Whole bots behind a proxy in front of the API server: what people see while it fails, and after."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from tests.builders import CANARY, STABLE
from tests.scenarios.play import Play

AT_0 = [(STABLE, 1)]
AT_10 = [(STABLE, 90), (CANARY, 10)]
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


def test_a_bot_takes_up_a_new_token_and_a_roll_back_waits_for_an_api_server_that_is_away(
    far: Play, proxy: FaultProxy
) -> None:
    bot = far.bot(plan=SLOWLY)
    far.start()
    far.see("10 %")
    old, new = (far.api_server.tokens[name] for name in ("rolloutbot", "rolloutbot-rotated"))
    replace_in(proxy.kubeconfig("rolloutbot"), old, new)
    proxy.inject(Fault.UNKNOWN_TOKEN, token=old)
    far.press("pause")
    far.see("10 %, paused")
    far.read()  # an answer that is still on its way would be lost below, and the pause then waits for the outage's end
    assert '"paused"' in str(far.world.http_route()["metadata"]["annotations"])
    assert {fault for fault, _ in proxy.hits} == {Fault.UNKNOWN_TOKEN}
    assert (old in bot.log(), new in bot.log()) == (False, False)

    proxy.inject(Fault.REFUSED)
    far.press("rollback")
    far.see("10 % → 0 %")
    far.until("what is wrong", lambda: "The API server could not be reached" in text(far))
    assert "*Rolling back.* 0 % is wanted. The route had *10 %* when last seen." in text(far)
    assert "Not written since <!date^" in text(far)
    assert far.world.weights() == AT_10
    proxy.lift()
    far.see("rolled back")
    assert far.world.weights() == AT_0


def replace_in(file: Path, old: str, new: str) -> None:
    beside = file.with_name("new")
    beside.write_text(file.read_text().replace(old, new))
    beside.rename(file)

"""Whole rollouts on real traffic: what people do in Slack costs no request and cuts no stream."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import ADAPTER, Plane
from sandbox.load.ledger import failures, shares
from sandbox.load.running import Load, load
from sandbox.model_server.behaviour import Behaviour
from sandbox.model_servers import MODEL
from sandbox.world import CANARY, STABLE
from tests.builders import BOB, CAROL
from tests.scenarios.play import Play
from tests.traffic.asking import who_answers

TOKEN_MS = 20
"""With it a long stream takes 30 seconds."""


@pytest.fixture
def streaming(plane: Plane, tmp_path: Path) -> Iterator[Load]:
    """Return users of whom two read streams of 30 seconds at any time."""
    pods = [pod for pool in (STABLE, CANARY) for pod in plane.pods(pool)]
    try:
        for pod in pods:
            behave(pod, token_ms=TOKEN_MS)
        with load(plane.url, tmp_path, model=MODEL, adapter=ADAPTER, rate=6, streams=2) as running:
            yield running
    finally:
        for pod in pods:
            behave(pod, token_ms=Behaviour().token_ms)


def test_a_rollout_that_is_paused_killed_and_finished_costs_no_request_and_cuts_no_stream(
    streaming: Load, play: Play, plane: Plane
) -> None:
    bot = play.bot()
    play.start()
    play.see("10 %")
    bot.server.kill()
    bot.start()
    play.see("25 %, wants 50 %")
    play.press("pause")
    play.see("25 %, paused")
    play.press("resume")
    play.see("25 %, wants 50 %")
    play.press("approve", BOB)
    play.see("100 %, finished", seconds=30)

    plane.world.wait_observed()
    assert who_answers(plane.url, 10) == {CANARY: 10}
    assert_all_good(streaming)


def test_a_roll_back_costs_no_request_and_cuts_no_stream(streaming: Load, play: Play, plane: Plane) -> None:
    play.bot()
    play.start()
    play.see("25 %, wants 50 %")
    streaming.wait_for(20)
    play.press("rollback", CAROL)
    play.see("rolled back")

    plane.world.wait_observed()
    assert who_answers(plane.url, 10) == {STABLE: 10}
    assert_all_good(streaming)


def assert_all_good(streaming: Load) -> None:
    """Wait for the last answers; every one is whole, both pools gave some, and some streams took 20 s and more."""
    records = streaming.stop()
    assert failures(records) == {}
    assert set(shares(records)) == {STABLE, CANARY}
    longest = [record.took for record in records if record.kind == "long stream"]
    assert len(longest) >= 2
    assert min(longest) > 20

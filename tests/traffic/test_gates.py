"""Gates on real traffic, with a real Prometheus: what they let pass, what they roll back, and what they name."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.errors import MetricsError
from bot.domain.evidence import EvidenceRules
from bot.service.checkup import numbers_of
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane
from sandbox.load.running import Load, load
from sandbox.misbehaving import behave_well, change, misbehave, worse
from sandbox.model_servers import MODEL
from sandbox.workplace import Workplace
from sandbox.world import CANARY, STABLE
from tests.scenarios.play import Play

RATE = 25.0
"""Requests a second: the more, the sooner chance is ruled out."""


@pytest.fixture
def crowd(plane: Plane, place: Workplace, request: pytest.FixtureRequest) -> Iterator[Load]:
    """Return many users; afterwards both pools are as good as ever, and so is the gateway."""
    folder = place.folder / f"crowd-{request.node.name[:60]}"
    try:
        with load(plane.url, folder, model=MODEL, adapter=ADAPTER, rate=RATE) as running:
            yield running
    finally:
        behave_well(plane.world)


def policy(plane: Plane, **plan: Any) -> dict[str, Any]:
    """Return a policy whose gates judge seconds and not minutes."""
    evidence = {"window": "20s", "settle": "1s", "forgives": "3s", "requests": 10, "prometheus": plane.prometheus.url}
    return {
        "plan": {"steps": [25, 50, 100], "every": "6s", "bake": "6s"} | plan,
        "approvals": {"at": []},
        "evidence": evidence,
    }


def test_a_good_pool_passes_every_gate_up_to_the_end(crowd: Load, play: Play, plane: Plane) -> None:
    play.bot(**policy(plane, steps=[50, 100], every="8s"))
    play.start(f"{CANARY} 50")
    play.see("100 %", seconds=60)
    play.shows("5 gates pass: errors 0.0 % (old 0.0 %)")
    play.shows("The old pool has room for all traffic")
    play.see("100 %, finished", seconds=60)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (worse(fails=0.2, cuts=0, first_token=1, token=1, slots=None), "of the new pool's"),
        (worse(fails=0, cuts=0, first_token=3, token=1, slots=None), "The new pool's time to the first token (p"),
    ],
    ids=["5xx", "slow"],
)
def test_a_bad_pool_is_rolled_back_with_the_figure_that_decided(
    crowd: Load, play: Play, plane: Plane, behaviour: Any, said: str
) -> None:
    play.bot(**policy(plane, every="10m"))
    change(plane.world, CANARY, behaviour)
    play.start(f"{CANARY} 25")
    play.see("rolled back", seconds=75)
    play.until(said, lambda: any(said in line for line in play.thread()))
    plane.world.wait_observed()
    assert plane.world.weights() == [(STABLE, 1)]


def test_a_gateway_that_ignores_the_weights_is_named_and_the_rollout_pauses(
    crowd: Load, play: Play, plane: Plane
) -> None:
    misbehave(plane.world, "ignores-weights")
    play.bot(**policy(plane))
    play.start(f"{CANARY} 25")
    play.see("25 %, paused", seconds=60)
    play.shows("it does not take the weights")


def test_without_prometheus_it_holds_and_says_why_and_rolls_back_as_ever(crowd: Load, play: Play, plane: Plane) -> None:
    play.bot(**policy(plane))
    with plane.prometheus.server.frozen():
        play.start(f"{CANARY} 25")
        play.see("25 %, holding", seconds=60)
        play.shows("Prometheus did not answer within 5 seconds")
        play.press("rollback")
        play.see("rolled back")
    plane.world.wait_observed()
    assert plane.world.weights() == [(STABLE, 1)]


def test_check_config_says_what_prometheus_has_for_the_gates(plane: Plane) -> None:
    rules = EvidenceRules(prometheus=plane.prometheus.url)
    said = numbers_of(rules, [NAMESPACE], time.time())
    assert said == f"Prometheus has numbers of 4 model servers and 2 endpoint pickers in `{NAMESPACE}`."
    with pytest.raises(MetricsError, match="Prometheus has no numbers of model servers in `elsewhere`"):
        numbers_of(rules, ["elsewhere"], time.time())


def test_gates_are_shown_with_their_figures_and_what_it_would_take_to_fail(
    crowd: Load, play: Play, plane: Plane
) -> None:
    play.bot(**policy(plane, every="10m"))
    play.start(f"{CANARY} 25")
    play.see("25 %")
    crowd.wait_for(200)
    play.say(f"gates {CANARY}")
    play.until("the gates", lambda: any("The gates of" in said for said in play.private()), seconds=20)
    said = next(said for said in play.private() if "The gates of" in said)
    assert "`errors`: 0.0 % (old 0.0 %)" in said
    assert "Fails if the share stays 0.5 percentage points above the old pool's, and 2 times as large" in said
    assert said.count("Query: ") == 5

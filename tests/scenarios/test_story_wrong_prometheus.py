"""A Prometheus that is slow, away, empty or wrong: nothing goes up or back by itself, and the brake works."""

from collections.abc import Iterator

import pytest

from sandbox.fake_prometheus import FakePrometheus, Mood, fake_prometheus
from sandbox.world import CANARY, STABLE
from tests.scenarios.play import Play

EVIDENCE = {"window": "24s", "settle": "1s", "forgives": "2s", "requests": 1}
PLAN = {"steps": [10, 50, 100], "every": "10s", "bake": "1h"}

SAYS = {
    Mood.SLOW: "Prometheus did not answer within 5 seconds.",
    Mood.AWAY: "Prometheus cannot be reached at `evidence.prometheus`.",
    Mood.EMPTY: "Prometheus has no numbers of the model servers of",
    Mood.HALF: "Prometheus has no numbers of the model servers of",
    Mood.BROKEN: "Prometheus, or a proxy before it, answered with status 500: its log says why.",
    Mood.BABBLES: "Prometheus answered with something other than numbers: is `evidence.prometheus` its address",
    Mood.NANS: "are no numbers (NaN): look at what its model servers report.",
    Mood.ENDLESS: "Prometheus answered with too much.",
    Mood.ELSEWHERE: "Prometheus answered with status 302: is `evidence.prometheus` its address up to `/api/v1`?",
}


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    with fake_prometheus() as fake:
        yield fake


def begin(play: Play, prometheus: FakePrometheus) -> None:
    """Start a rollout whose gates ask it."""
    gates = {"split": {"enabled": False}}  # it says that both pools have the same traffic
    play.bot(plan=PLAN, approvals={"at": []}, evidence={**EVIDENCE, "prometheus": prometheus.url}, gates=gates)
    play.start(f"{CANARY} 10")
    play.see("10 %")


@pytest.mark.parametrize("mood", SAYS)
def test_the_rollout_holds_and_says_why_and_a_roll_back_waits_for_nothing(
    play: Play, prometheus: FakePrometheus, mood: Mood
) -> None:
    prometheus.mood = mood
    begin(play, prometheus)
    play.see("10 %, holding", seconds=30)
    play.until(SAYS[mood], lambda: SAYS[mood] in str(play.card()), seconds=60)  # it asks again after 30 s
    play.press("rollback")
    play.see("rolled back", seconds=5)
    assert play.world.weights() == [(STABLE, 1)]


def test_with_good_numbers_it_goes_on_and_holds_as_soon_as_they_end(play: Play, prometheus: FakePrometheus) -> None:
    begin(play, prometheus)
    play.see("50 %", seconds=30)
    prometheus.mood = Mood.EMPTY
    play.see("50 %, holding", seconds=30)
    assert dict(play.world.weights()) == {STABLE: 50, CANARY: 50}

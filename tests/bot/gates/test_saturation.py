import pytest

from bot.domain.gate import GateAnswer
from bot.gates.saturation import SaturationKeys, check
from tests.bot.gates.windows import Story, a_window, always, asked

QUIET = always(good=135)


def queues(*lengths: float) -> Story:
    """Return a pool in whose slices so many wait for both its servers; the last length stays."""
    return lambda number: {"good": 15, "waiting": lengths[min(number, len(lengths) - 1)]}


@pytest.mark.parametrize(
    ("canary", "stable", "answer"),
    [
        (queues(0), QUIET, GateAnswer.PASS),
        (queues(9), QUIET, GateAnswer.PASS),
        (queues(20), QUIET, GateAnswer.FAIL),
        (queues(20), queues(20), GateAnswer.PASS),
        (queues(*[0] * 10, 30), QUIET, GateAnswer.HOLD),
        (queues(*[30] * 4, 0), QUIET, GateAnswer.PASS),
        (always(good=15, cache=1.96), QUIET, GateAnswer.HOLD),
        (always(good=15, cache=1.5), QUIET, GateAnswer.PASS),
    ],
    ids=["none", "short", "long", "both long", "long lately", "long before", "cache full", "cache nearly full"],
)
def test_a_queue_that_stays_long_fails_and_one_that_is_long_now_holds(
    canary: Story, stable: Story, answer: GateAnswer
) -> None:
    assert check(asked(a_window(canary, stable)), SaturationKeys()).answer is answer


def test_of_pods_with_several_engines_each_engine_has_a_queue() -> None:
    new = always(good=15, waiting=6, pods=1, engines=8)
    old = always(good=135, waiting=6, pods=8, engines=8)
    assert check(asked(a_window(new, old)), SaturationKeys()).evidence == "queue 0.8 (old 0.8), KV cache 0 %"


def test_a_queue_that_is_too_young_is_waited_for() -> None:
    assert check(asked(a_window(queues(40), QUIET, slices=4)), SaturationKeys()).answer is GateAnswer.HOLD


def test_it_tells_of_each_model_server() -> None:
    seen = check(asked(a_window(always(good=15, waiting=20, cache=1.2), QUIET)), SaturationKeys())
    assert (seen.evidence, seen.reason) == (
        "queue 10.0 (old 0.0), KV cache 60 %",
        "10.0 requests wait for each model server of the new pool, and 0.0 for each of the old one.",
    )

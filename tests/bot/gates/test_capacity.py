from dataclasses import replace
from pathlib import Path

import pytest

from bot.config.mistakes import ConfigError
from bot.config.policy_file import read_policy
from bot.domain.gate import GateAnswer
from bot.domain.rollout import Entry, Phase
from bot.gates.capacity import CapacityKeys, check
from bot.gates.registry import policy_keys
from tests.bot.gates.windows import a_window, always, asked
from tests.builders import a_rollout, an_entry

ROOM = "The old pool has room for all traffic"


def at(step: int) -> Entry:
    entry = an_entry(a_rollout(step=step, phase=Phase.PROGRESSING))
    assert entry.applied is not None
    return replace(entry, applied=replace(entry.applied, weight=entry.rollout.weight))


@pytest.mark.parametrize(
    ("cache", "pods", "step", "evidence", "reason"),
    [
        (0.3, 2, 0, "25 % needs 1 of 2 new servers", ""),
        (
            1.0,
            2,
            0,
            "25 % needs 3 of 2 new servers",
            "The new pool would be full at 25 %: it has 2 of the 3 model servers that this needs; scale it up.",
        ),
        (1.0, 4, 0, "25 % needs 3 of 4 new servers", ""),
        (
            3.0,
            4,
            1,
            "50 % needs 8 of 4 new servers",
            "The new pool would be full at 50 %: it has 4 of the 8 model servers that this needs; scale it up.",
        ),
    ],
)
def test_the_load_so_far_says_how_many_servers_the_next_weight_needs(
    cache: float, pods: int, step: int, evidence: str, reason: str
) -> None:
    window = a_window(always(good=15, cache=cache, pods=pods), always(good=135, cache=0.1, pods=8))
    seen = check(asked(window, entry=at(step)), CapacityKeys())
    assert (seen.evidence, seen.reason, seen.standing) == (evidence, reason, ROOM)
    assert seen.answer is (GateAnswer.HOLD if reason else GateAnswer.PASS)


def test_it_always_says_whether_the_old_pool_has_room_for_the_way_back() -> None:
    window = a_window(always(good=135, cache=3.0, pods=4), always(good=15, cache=0.3, pods=2))
    seen = check(asked(window, entry=at(3)), CapacityKeys())
    assert (seen.answer, seen.standing) == (
        GateAnswer.PASS,
        "⚠️ A roll back needs 4 model servers of the old pool, and it has 2: scale it up",
    )


@pytest.mark.parametrize(
    ("least", "standing"),
    [
        (None, ROOM),
        (2, ROOM),
        (
            1,
            "⚠️ A roll back needs 2 model servers of the old pool, and its autoscaler may leave 1; "
            "raise its autoscaler's minimum to 2",
        ),
    ],
)
def test_an_autoscaler_that_may_take_the_room_away_is_told(least: int | None, standing: str) -> None:
    window = a_window(always(good=135, cache=1.0, pods=4), always(good=15, cache=0.3, pods=4))
    assert check(asked(window, entry=at(2), least=least), CapacityKeys()).standing == standing


@pytest.mark.parametrize(
    ("least", "new", "old"),
    [
        (None, "scale it up", "scale it up"),
        (2, *[f"raise its autoscaler's minimum to {need}" for need in (3, 4)]),
        (5, *["its autoscaler wants 5 or more, so see why they are not ready"] * 2),
    ],
)
def test_where_an_autoscaler_takes_back_what_people_add_its_minimum_is_told(
    least: int | None, new: str, old: str
) -> None:
    window = a_window(always(good=15, cache=1.0), always(good=135, cache=1.7))
    seen = check(asked(window, entry=at(0), least=least), CapacityKeys())
    assert (seen.reason, seen.standing) == (
        f"The new pool would be full at 25 %: it has 2 of the 3 model servers that this needs; {new}.",
        f"⚠️ A roll back needs 4 model servers of the old pool, and it has 2: {old}",
    )


def test_more_than_all_of_a_cache_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('evidence: {prometheus: "http://prometheus:9090"}\ngates: {capacity: {cache: 500}}\n')
    with pytest.raises(ConfigError) as refused:
        read_policy(file, default_namespace="default", gates=policy_keys())
    assert str(refused.value).endswith("gates.capacity.cache: `500` is not above 0 and at most 100.")


def test_from_which_use_on_a_server_is_full_is_the_policys() -> None:
    window = a_window(always(good=15, cache=0.7, pods=2), always(good=135, pods=8))
    assert check(asked(window, entry=at(0)), CapacityKeys(cache=95)).answer is GateAnswer.PASS
    assert check(asked(window, entry=at(0)), CapacityKeys(cache=40)).answer is GateAnswer.HOLD

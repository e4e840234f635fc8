"""The new pool has room for the next weight, and the old pool has room for all that would come back.

How full the KV caches are says how much of a model server a request takes: the queue is empty until it is too late.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final, NamedTuple

from bot.config.policy_values import percentage
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.numbers import shown
from bot.gates.numbers.asking import on_numbers
from bot.gates.numbers.names import Level
from bot.gates.numbers.tally import Tally
from bot.gates.numbers.window import Slice, Window

NO_LOAD: Final = 0.01
"""So little of one KV cache says nothing."""


class CapacityKeys(NumberKeys):
    """``cache``: up to so many percent of the KV cache of a model server may be used."""

    cache: Annotated[float, percentage()] = 85.0


class Least(NamedTuple):
    """So many model servers an autoscaler may leave a pool; None: none scales it."""

    stable: int | None
    canary: int | None


def check(asked: Asked, keys: CapacityKeys) -> Found:
    """Hold if the new pool has too few model servers for the next weight; say whether the old one has enough."""
    rollout = asked.rollout
    after = rollout.plan.steps[rollout.next_step] if rollout.next_step is not None else None
    weight = (asked.entry.applied.weight if asked.entry.applied else rollout.weight) or rollout.mirror
    least = Least(*map(asked.sources.pools.least, (rollout.stable, rollout.canary)))
    return on_numbers(asked, partial(_judge, keys, weight, after, least))


def _judge(
    keys: CapacityKeys,
    weight: int,
    after: int | None,
    least: Least,
    window: Window,
    rules: EvidenceRules,
) -> Found:
    recent = window.slices[len(window.slices) // 2 :]
    new, old = _load(recent, lambda each: each.canary), _load(recent, lambda each: each.stable)
    # One that misses a scrape is there all the same. The new pool's has to be there now.
    has_new, has_old = recent[-1].canary.pods, max(each.stable.pods for each in recent)
    back = _servers(new + old, keys)
    told = partial(Found, standing=_way_back(back, has_old, least.stable), promql=shown.cache(window))
    if after is None or not weight:
        return told(answer=GateAnswer.PASS)
    need = _servers(new * after / weight, keys)
    details = (
        f"KV caches in use: {new:.1f} of {has_new} new servers, {old:.1f} of {has_old} old ones. At {after} % the new "
        f"pool needs {need} and has {has_new}; all traffic would need {back} in the old pool, which has {has_old}. "
        f"A server counts as full at {keys.cache:g} %."
    )
    told = partial(told, evidence=f"{after} % needs {need} of {has_new} new servers", details=details)
    if need > has_new and new > NO_LOAD:
        lacks = f"it has {has_new} of the {_named(need)} that this needs; {_scale(need, least.canary)}"
        return told(answer=GateAnswer.HOLD, reason=f"The new pool would be full at {after} %: {lacks}.")
    return told(answer=GateAnswer.PASS)


def _way_back(back: int, has_old: int, least: int | None) -> str:
    scale = _scale(back, least)
    if back > has_old:
        return f"⚠️ A roll back needs {_named(back)} of the old pool, and it has {has_old}: {scale}"
    if least is not None and back > least:
        return f"⚠️ A roll back needs {_named(back)} of the old pool, and its autoscaler may leave {least}; {scale}"
    return "The old pool has room for all traffic"


def _named(servers: int) -> str:
    return f"{servers} model server{'' if servers == 1 else 's'}"


def _scale(need: int, least: int | None) -> str:
    """Say how to get so many model servers: an autoscaler takes back what people add."""
    if least is None:
        return "scale it up"
    if least >= need:
        return f"its autoscaler wants {least} or more, so see why they are not ready"
    return f"raise its autoscaler's minimum to {need}"


def _load(slices: Sequence[Slice], of: Callable[[Slice], Tally]) -> float:
    """Return how many KV caches a pool's requests fill, on average."""
    return sum(of(each).after.get(Level.CACHE, 0.0) for each in slices) / len(slices)


def _servers(load: float, keys: CapacityKeys) -> int:
    return max(1, math.ceil(round(100 * load / keys.cache, 3)))


GATE = Gate(
    name="capacity",
    about="the new pool has room for the next weight, and the old one for the way back",
    check=check,
    keys=CapacityKeys,
    asked_between_steps=True,
    judges_traffic=True,
    by_default=True,
)

"""The new pool's model servers are not full: their queues and KV caches, against the old pool's.

What is so at one moment says little, so it counts for how much of the window it was so.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final

from bot.config.policy_values import number_above_zero, percentage
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, GateAnswer
from bot.domain.plan import show_duration
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.judging.words import count, lasted, may_pass
from bot.gates.numbers import shown
from bot.gates.numbers.asking import on_numbers
from bot.gates.numbers.names import Count, Level
from bot.gates.numbers.tally import Tally
from bot.gates.numbers.window import Slice, Window

NEARLY_ALWAYS: Final = 0.8
OFTEN: Final = 0.5
LESS: Final = 2.0
"""The old pool's queue is so many times shorter, or the same users fill both."""


class SaturationKeys(NumberKeys):
    """``queue``: so many requests wait for each model server. ``cache``: percent of the KV cache that is in use.

    The defaults are those from which an endpoint picker calls a model server saturated, and a little more.
    """

    queue: Annotated[float, number_above_zero()] = 5.0
    cache: Annotated[float, percentage()] = 95.0


def check(asked: Asked, keys: SaturationKeys) -> Found:
    """Fail for a queue that stays long, hold for one that is often long and for a full cache."""
    return on_numbers(asked, partial(_judge, keys))


def _judge(keys: SaturationKeys, window: Window, rules: EvidenceRules) -> Found:
    new, old = _mean(window.slices, _queue_new), _mean(window.slices, _queue_old)
    cache, cache_old = (100 * _mean(window.slices, cached) for cached in (_cache_new, _cache_old))
    answer, why = _verdict(keys, window, rules)
    queue = f"{new:.1f} requests wait for each model server of the new pool, and {old:.1f} for each of the old one"
    return Found(
        answer=answer,
        reason=why.format(queue=queue, cache=f"{cache:.0f} %"),
        evidence=f"queue {new:.1f} (old {old:.1f}), KV cache {cache:.0f} %",
        figures=(
            Figure("queue", f"{new:.1f}", f"{old:.1f}"),
            Figure("KV cache", f"{cache:.0f} %", f"{cache_old:.0f} %"),
        ),
        details=_details(window, keys, rules),
        promql=shown.waiting(window),
    )


def _verdict(keys: SaturationKeys, window: Window, rules: EvidenceRules) -> tuple[GateAnswer, str]:
    """Return the answer, and why it is no pass, with places for what was seen."""
    earlier, later = window.slices[: len(window.slices) // 2], window.slices[len(window.slices) // 2 :]
    is_long, is_full = partial(_is_long, keys), partial(_is_full, keys)
    lasts = sum(map(is_long, window.slices)) > window.lasting(rules.forgives)
    nearly_always = min(_part(earlier, is_long), _part(later, is_long)) >= NEARLY_ALWAYS
    if lasts and nearly_always and not window.earlier:  # at 100 % there is no old pool to compare with
        return GateAnswer.FAIL, "{queue}."
    if _part(later, is_long) >= OFTEN:
        return GateAnswer.HOLD, may_pass("{queue}")
    if _part(later, is_full) >= OFTEN:
        return GateAnswer.HOLD, "The new pool's KV caches are full to {cache}: add model servers."
    return GateAnswer.PASS, ""


def _is_long(keys: SaturationKeys, each: Slice) -> bool:
    return _queue_new(each) >= max(keys.queue, LESS * _queue_old(each))


def _is_full(keys: SaturationKeys, each: Slice) -> bool:
    return 100 * _cache_new(each) >= keys.cache


def _queue(of: Callable[[Slice], Tally], both: Slice) -> float:
    """Return how many requests wait for each engine of a pool at the end of a slice; a pod has one, or several."""
    tally = of(both)
    return tally.after.get(Level.WAITING, 0.0) / tally.engines if tally.engines else 0.0


def _cache(of: Callable[[Slice], Tally], both: Slice) -> float:
    """Return how full the KV caches of a pool are at the end of a slice, from 0 to 1."""
    tally = of(both)
    return tally.after.get(Level.CACHE, 0.0) / tally.pods if tally.pods else 0.0


_queue_new = partial(_queue, lambda each: each.canary)
_queue_old = partial(_queue, lambda each: each.stable)
_cache_new = partial(_cache, lambda each: each.canary)
_cache_old = partial(_cache, lambda each: each.stable)


def _mean(slices: Sequence[Slice], of: Callable[[Slice], float]) -> float:
    return sum(map(of, slices)) / len(slices) if slices else 0.0


def _part(slices: Sequence[Slice], is_so: Callable[[Slice], bool]) -> float:
    return sum(map(is_so, slices)) / len(slices) if slices else 0.0


def _details(window: Window, keys: SaturationKeys, rules: EvidenceRules) -> str:
    preempted = count(window.canary().count(Count.PREEMPTED)), count(window.stable().count(Count.PREEMPTED))
    stops = "Holds" if window.earlier else "Fails"
    return (
        f"{len(window.slices)} looks in {lasted(window.seconds)}; {preempted[0]} new and {preempted[1]} old requests "
        f"preempted. {stops} if {keys.queue:g} or more wait for each new model server, and twice as many as for each "
        f"old one, for longer than {show_duration(rules.forgives)}; holds at {keys.cache:g} % of the KV cache."
    )


GATE = Gate(
    name="saturation",
    about="the new pool's model servers are not full: queue and KV cache",
    check=check,
    keys=SaturationKeys,
    asked_between_steps=True,
    judges_traffic=True,
    by_default=True,
    judge=_judge,
)

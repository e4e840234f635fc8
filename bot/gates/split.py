"""The gateway takes the weights, and asks each pool's own picker.

How many requests each pool got is compared with the weights by an exact binomial test. A gateway that ignores weights
is no fault of the new pool, so the rollout pauses unless the policy says otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from bot.config.policy_values import one_word_of
from bot.domain.errors import ClusterError
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, GateAnswer, OnFail
from bot.domain.plan import show_duration
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.judging.shares import SURE, chance_of_share
from bot.gates.judging.words import count, lasted, may_pass
from bot.gates.numbers import shown
from bot.gates.numbers.asking import last_warm_up, on_numbers
from bot.gates.numbers.names import Count
from bot.gates.numbers.tally import Total, total
from bot.gates.numbers.window import FEWEST, Slice, Window

FAR_OFF: Final = 2.0
"""So many times too much or too little is no burst, and no connection that stays with one pool."""
LEAK: Final = 20
"""So many requests to a pool without weight are more than what was under way, or than the prompts of `compare`."""
MOST: Final = 0.8
"""Of the requests that a pool serves; so much more its picker is asked for, or less."""


UNKNOWN: Final = (
    "I cannot count who got the requests. Let Prometheus scrape both endpoint pickers, or all model servers of both "
    "pools. If pods have just come or left, this ends in some minutes."
)


THEN: Final = "Roll back, and look your gateway up in docs/gateways.md."


class SplitKeys(NumberKeys):
    """The gateway's fault pauses a rollout."""

    on_fail: Annotated[OnFail, one_word_of(OnFail)] = OnFail.PAUSE


_Pair = tuple[int, int]
"""The old pool's number and the new one's."""


@dataclass(frozen=True, slots=True)
class _Split:
    """What each pool got, counted in two ways: by its picker, and by its model servers. None: nobody knows.

    One request may be many for the model servers, which also get what people ask them past the gateway.
    """

    picked: tuple[Total, Total] | None
    served: tuple[Total, Total] | None

    @property
    def counted(self) -> list[_Pair]:
        """Return what was counted, the pickers' numbers first; not those of somebody who has seen no request."""
        by_pickers = [(old.arrived, new.arrived) for old, new in (self.picked,)] if self.picked else []
        by_servers = [(old.served, new.served) for old, new in (self.served,)] if self.served else []
        return [pair for pair in (*by_pickers, *by_servers) if sum(pair)] or [(0, 0)]

    @property
    def leaked(self) -> int:
        """Return how many requests the old pool got at the end: long answers that only end there are none."""
        by_picker = [self.picked[0].count(Count.PICKED)] if self.picked else []
        by_servers = [self.served[0].began()] if self.served else []
        return min(by_picker + by_servers, default=0)


def check(asked: Asked, keys: SplitKeys) -> Found:
    """Compare the requests of both pools with the weights, unless others send requests to them too."""
    routes, rollout = asked.sources.routes, asked.rollout
    copy = routes.kept(rollout.namespace, rollout.route) or routes.read(rollout.namespace, rollout.route)
    mine = f"{rollout.namespace}/{rollout.route}"
    senders = {*asked.entry.other_routes, *routes.senders(rollout.stable), *routes.senders(rollout.canary)}
    if senders - {mine} or routes.has_rules_beside(copy, rollout):
        return Found(answer=GateAnswer.PASS, evidence="split not judged: other rules send to these pools too")
    weight = asked.entry.applied.weight if asked.entry.applied else rollout.weight
    if (last := last_warm_up(asked)) and not last.is_over:
        return Found(answer=GateAnswer.PASS, evidence="split not judged: a warm-up sends prompts to the new pool too")
    if rollout.mirror:
        return Found(answer=GateAnswer.PASS, evidence="split not judged: the new pool gets copies")
    return on_numbers(asked, partial(_judge, weight, _named(routes.gateways(copy)), partial(_lack, asked)))


def _lack(asked: Asked) -> str:
    """Say why the new pool cannot serve; empty if it can, or nobody knows."""
    try:
        return asked.sources.pools.health(asked.rollout.stable, asked.rollout.canary).lack
    except ClusterError:
        return ""


def _named(gateways: Sequence[str]) -> str:
    """Return how to speak of the one that sends the requests: it may be any of several."""
    return f"Gateway `{gateways[0]}`" if len(gateways) == 1 else "The gateway"


def _judge(weight: int, gateway: str, lack: Callable[[], str], window: Window, rules: EvidenceRules) -> Found:
    split = _split(window, window.slices)
    if split is None:
        return Found(answer=GateAnswer.HOLD, reason=UNKNOWN, evidence="split not known")
    old, new = _best(split, weight, gateway)
    share = _percent(old, new)
    evidence = f"split {share:.1f} % new at {weight} %"
    looked = f"{count(new)} new and {count(old)} old requests in {lasted(window.seconds)}"
    lasting = f"in both halves of that time, each longer than {show_duration(rules.forgives)}"
    leak = f"if the old pool gets more than {LEAK} requests"
    limit = leak if weight == 100 else "at less than half or more than twice of that"
    details = f"{looked}, at a weight of {weight} %. Fails {limit}, {lasting}."
    answer, why = GateAnswer.PASS, _wrong(split, weight, gateway)
    if why:
        lasts = _gets_all(window) or _lasts(window, weight, gateway, rules)
        answer, why = (GateAnswer.FAIL, f"{why} {THEN}") if lasts else (GateAnswer.HOLD, may_pass(why))
        why = (lack() if not new else "") or why
    figures = (Figure("share", f"{share:.1f} %", f"{100 - share:.1f} %"),)
    return Found(
        answer=answer, reason=why, evidence=evidence, figures=figures, details=details, promql=shown.picked(window)
    )


def _gets_all(window: Window) -> bool:
    """Say whether the new pool gets all requests, again and again: no gateway is late in that way."""
    often = sum(total([each.canary]).arrived > 0 for each in window.slices)
    old = total([each.stable for each in window.slices])
    return often >= FEWEST and not (old.arrived or old.began())


def _split(window: Window, slices: Sequence[Slice]) -> _Split | None:
    """Count what each pool got; None if nobody knows: pickers are not scraped, and neither are all model servers."""
    served = [each for each in window.whole(slices) if each.stable.is_whole]
    picked = [each for each in slices if _has_pickers(each)]
    if sum(map(_has_pickers, window.slices)) < FEWEST or not (served or _explains(picked)):
        picked = []
    if not (picked or served):
        return None
    return _Split(picked=_totals(picked) if picked else None, served=_totals(served) if served else None)


def _explains(slices: Sequence[Slice]) -> bool:
    """Say whether pickers chose for all that was answered: some of them may not be scraped, or count nothing."""
    return all(pool.count(Count.PICKED) >= MOST * pool.began() for pool in _totals(slices))


def _totals(slices: Sequence[Slice]) -> tuple[Total, Total]:
    return total([each.stable for each in slices]), total([each.canary for each in slices])


def _has_pickers(each: Slice) -> bool:
    return all(Count.PICKED in tally.counts for tally in (each.stable, each.canary))


def _lasts(window: Window, weight: int, gateway: str, rules: EvidenceRules) -> bool:
    """Say whether the split is wrong in both halves, each longer than what is forgiven: some gateways take minutes."""
    middle = len(window.slices) // 2
    halves = window.slices[:middle], window.slices[middle:]
    if min(map(len, halves)) < window.lasting(rules.forgives):
        return False
    splits = [_split(window, half) for half in halves]
    if window.slices[0].canary.start < window.watched_since and not all(split and split.picked for split in splits):
        return False  # servers that have left may have got the requests
    return all(split is not None and _wrong(split, weight, gateway) for split in splits)


def _wrong(split: _Split, weight: int, gateway: str) -> str:
    """Say what is wrong with a split; empty if nothing is, or if one way of counting says so."""
    if why := _wrong_picker(split, gateway):
        return why
    if weight == 100:
        return "" if split.leaked <= LEAK else f"The old pool got {count(split.leaked)} requests at a weight of 0."
    shares = [_wrong_share(*pair, weight, gateway) for pair in split.counted]
    return shares[0] if all(shares) else ""


def _best(split: _Split, weight: int, gateway: str) -> _Pair:
    """Return the numbers that are as the weights say, if any are."""
    return next((pair for pair in split.counted if not _wrong_share(*pair, weight, gateway)), split.counted[0])


def _wrong_share(old: int, new: int, weight: int, gateway: str) -> str:
    """Say how the shares are wrong; empty if they are as the weights say, or chance explains it."""
    every, percent = old + new, _percent(old, new)
    if chance_of_share(new, every, weight / 100) >= SURE:
        return ""
    if not new or not old:
        only, other = ("old", "new") if not new else ("new", "old")
        return (
            f"{gateway} sends all {count(every)} requests to the {only} pool, and none to the {other} one, "
            f"at a weight of {weight} %: it does not take the weights."
        )
    if _is_near(percent, weight) and _is_near(100 - percent, 100 - weight):
        return ""
    return f"{gateway} sends {percent:.0f} % of {count(every)} requests to the new pool at a weight of {weight} %."


def _percent(old: int, new: int) -> float:
    return 100 * new / (old + new) if old + new else 0.0


def _is_near(percent: float, weight: int) -> bool:
    return weight / FAR_OFF <= percent <= weight * FAR_OFF


def _wrong_picker(split: _Split, gateway: str) -> str:
    """Say if one picker is asked for both pools, although both serve requests."""
    if split.picked is None or split.served is None:
        return ""
    old, new = (pool.count(Count.PICKED) for pool in split.picked)
    old_served, new_served = (pool.began() for pool in split.served)
    for pool, asked, other, rest in (("new", new, "old", old_served), ("old", old, "new", new_served)):
        is_all = old + new >= MOST * (old_served + new_served)
        if is_all and asked >= old + new - (1 - MOST) * rest and rest > LEAK:
            return (
                f"{gateway} asks the {pool} pool's endpoint picker for {count(asked)} of {count(old + new)} requests, "
                f"although the {other} pool serves {count(rest)} of them: one picker decides for both pools."
            )
    return ""


GATE = Gate(
    name="split",
    about="the gateway takes the weights, and asks each pool's own endpoint picker",
    check=check,
    keys=SplitKeys,
    asked_between_steps=True,
    judges_traffic=True,
    by_default=True,
)

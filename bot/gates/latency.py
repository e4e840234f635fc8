"""The new pool is slower than the old one: to the first token, for each token, for the whole answer.

A time is compared at the old pool's p50 and p95: which share of the new pool's requests takes longer than that? Where
the new pool got longer prompts, or longer answers were asked of it, it may take longer by as much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Final

from bot.config.policy_values import number_above_zero
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, GateAnswer
from bot.domain.plan import show_duration
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.judging.quantiles import above_at_least, above_at_most, bound_at, quantile
from bot.gates.judging.shares import Bar, Judged, Share, Shares, judge
from bot.gates.judging.words import count, lasted, seconds, verdict
from bot.gates.judging.workload import times_the_work
from bot.gates.numbers import shown
from bot.gates.numbers.asking import never_fail_while_warming, on_numbers
from bot.gates.numbers.names import Time
from bot.gates.numbers.tally import EVER, Total
from bot.gates.numbers.window import Slice, Window

UNCLEAR: Final = (
    "See whether users ask more of it, or its prefix cache no longer hits. "
    "If all is well, switch off the gate `latency` in the policy."
)
MOST_EXCUSED: Final = 3.0
"""So many times the work excuses as many times the time. More may be a cache that no longer finds anything."""
SHORTEST: Final = {Time.FIRST_TOKEN: 0.01, Time.PER_TOKEN: 0.002, Time.WHOLE: 0.05}
"""Seconds. A difference below is nobody's trouble."""


class LatencyKeys(NumberKeys):
    """So many times the old pool's p50, or its p95, is too slow."""

    p50: Annotated[float, number_above_zero()] = 1.3
    p95: Annotated[float, number_above_zero()] = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One time at one quantile, in seconds. ``longer``: so many times the work of an old request a new one is."""

    time: Time
    q: float
    times: float
    new: float
    old: float
    longer: float
    judged: Judged

    @property
    def ratio(self) -> float:
        return self.new / (self.old * self.longer) if self.old else 0.0

    @property
    def is_shown(self) -> bool:
        return (self.time, self.q) in _SHOWN

    @property
    def is_unclear(self) -> bool:
        """Say whether it is slow, and has so much more work that nobody knows why."""
        return self.judged is Judged.DOUBTFUL and self.longer > MOST_EXCUSED

    @property
    def name(self) -> str:
        return f"{self.time} p{100 * self.q:g}"

    @property
    def words(self) -> str:
        return f"{self.name} {seconds(self.new)} (old {seconds(self.old)})"


_SHOWN: Final = {(Time.FIRST_TOKEN, 0.5), (Time.FIRST_TOKEN, 0.95), (Time.PER_TOKEN, 0.5), (Time.WHOLE, 0.95)}
"""What the thread shows; `gates` shows all."""
_ORDER: Final = (Judged.AS_GOOD, Judged.DOUBTFUL, Judged.WORSE)
_BARS: Final = {0.5: Bar(points=15.0, times=1.2), 0.95: Bar(points=5.0, times=2.0)}


def check(asked: Asked, keys: LatencyKeys) -> Found:
    """Compare each time that both pools show, and tell of the worst."""
    return never_fail_while_warming(asked, on_numbers(asked, partial(_judge, keys)))


def _judge(keys: LatencyKeys, window: Window, rules: EvidenceRules) -> Found:
    seen = list(_compare(keys, window, rules))
    if not seen:
        return Found(answer=GateAnswer.HOLD, reason=_lack(window, rules), evidence="no latency")
    worst = max(seen, key=lambda each: (_ORDER.index(each.judged), each.ratio))
    answer, why = verdict(worst.judged, _slower(worst), window.canary().good, rules.requests)
    if worst.is_unclear:
        why = f"{_slower(worst)} {UNCLEAR}"
    if window.earlier and answer is GateAnswer.FAIL:
        answer = GateAnswer.HOLD  # it has more to do than the old pool had, and perhaps at another time of the day
    return Found(
        answer=answer,
        reason=why,
        evidence=worst.words,
        figures=tuple(Figure(each.name, seconds(each.new), seconds(each.old)) for each in seen if each.is_shown),
        details=_details(seen, window, keys, rules),
        promql=shown.latency(window, worst.time, worst.q),
    )


def _compare(keys: LatencyKeys, window: Window, rules: EvidenceRules) -> Iterator[_Compared]:
    old, new = window.stable(), window.canary()
    for time in Time:
        if not (old.times.get(time, {}).get(EVER) and new.times.get(time, {}).get(EVER)):
            continue
        longer = times_the_work(time, old, new)
        for q, times in ((0.5, keys.p50), (0.95, keys.p95)):
            at = _Compared(
                time=time,
                q=q,
                times=times,
                new=quantile(new.times[time], q),
                old=quantile(old.times[time], q),
                longer=longer,
                judged=Judged.AS_GOOD,
            )
            yield replace(at, judged=_judged(at, window, rules))


def _judged(at: _Compared, window: Window, rules: EvidenceRules) -> Judged:
    """Judge one time at one quantile. More work than is excused proves nothing, but the step waits."""
    judged = _judged_at(at, at.longer, window, rules)
    if at.longer <= MOST_EXCUSED or judged is not Judged.AS_GOOD:
        return judged
    is_slow = _judged_at(at, MOST_EXCUSED, window, rules) is not Judged.AS_GOOD
    return Judged.DOUBTFUL if is_slow else Judged.AS_GOOD


def _judged_at(at: _Compared, excused: float, window: Window, rules: EvidenceRules) -> Judged:
    if at.new < at.times * excused * at.old or at.new - excused * at.old < SHORTEST[at.time]:
        return Judged.AS_GOOD
    bound = bound_at(window.stable().times[at.time], at.q)
    shares = partial(_shares, window, at.time, bound, excused)
    return judge(window.slices, shares, _BARS[at.q], window.lasting(rules.forgives))


def _shares(window: Window, time: Time, bound: float, longer: float, slices: Sequence[Slice]) -> Shares:
    """Return which share takes longer than a bound: in the new pool surely, in the old one at most."""
    old, new = window.stable(slices), window.canary(slices)
    return Shares(
        stable=_scaled(above_at_most(old.times.get(time, {}), bound), old, time),
        canary=_scaled(above_at_least(new.times.get(time, {}), bound * longer), new, time),
    )


def _scaled(slow: tuple[float, float], pool: Total, time: Time) -> Share:
    """Count no more than the requests: the tokens of one answer are slow together."""
    above, of = slow
    whole = pool.ended() or pool.began()
    scale = min(1.0, whole / of) if of and time is Time.PER_TOKEN else 1.0
    return Share(round(above * scale), round(of * scale))


def _lack(window: Window, rules: EvidenceRules) -> str:
    """Say which pool does not show what would be compared."""
    if not window.canary().arrived:
        return verdict(Judged.AS_GOOD, "", 0, rules.requests)[1]
    pools = (("new", window.canary()), ("old", window.stable()))
    silent = [name for name, pool in pools if not any(pool.times.values())]
    if silent:
        who = f"The {silent[0]} pool's model servers show" if len(silent) == 1 else "Both pools' model servers show"
        return f"{who} no latency: see whether their histograms are dropped when Prometheus scrapes them."
    idle = [name for name, pool in pools if not any(each.get(EVER) for each in pool.times.values())]
    if idle:
        who = f"The {idle[0]} pool has" if len(idle) == 1 else "Both pools have"
        return f"{who} answered no request yet."
    return "The pools show no latency that can be compared: each shows another one."


def _slower(worst: _Compared) -> str:
    explained = ""
    if worst.is_unclear:
        explained = f" But its prompts and answers were {worst.longer:.0f} times as much work."
    elif worst.longer > 1.1:
        explained = f" Its prompts and answers were only {worst.longer:.1f} times as much work."
    return (
        f"The new pool's {_NAMES[worst.time]} (p{100 * worst.q:g}) is {seconds(worst.new)}, "
        f"{worst.ratio * worst.longer:.1f} times the old pool's {seconds(worst.old)}.{explained}"
    )


_NAMES: Final = {
    Time.FIRST_TOKEN: "time to the first token",
    Time.PER_TOKEN: "time for each token",
    Time.WHOLE: "time for a whole answer",
}


def _details(seen: Sequence[_Compared], window: Window, keys: LatencyKeys, rules: EvidenceRules) -> str:
    figures = "; ".join(each.words for each in seen)
    ended = f"{count(window.canary().ended())} new and {count(window.stable().ended())} old answers"
    stops = "Holds" if window.earlier else "Fails"
    return (
        f"{figures}; {ended} in {lasted(window.seconds)}. {stops} from {keys.p50:g} times the old p50 or "
        f"{keys.p95:g} times the old p95, if that lasts longer than {show_duration(rules.forgives)}."
    )


GATE = Gate(
    name="latency",
    about="the new pool is as fast as the old one: first token, each token, whole answer",
    check=check,
    keys=LatencyKeys,
    asked_between_steps=True,
    judges_traffic=True,
    by_default=True,
    judge=_judge,
)

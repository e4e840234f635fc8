"""The new pool fails more requests than the old one: 5xx, refusals of its picker, cut streams, and 4xx.

The model servers' own answers count, and the pickers' refusals: the pickers' error counters miss what a model server
fails. A client's mistake (4xx) hits both pools alike, so a share that only the new pool has is the pool's mistake: an
adapter that is missing there, for one.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

from bot.config.policy_values import number_above_zero
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, GateAnswer
from bot.domain.plan import show_duration
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.judging.shares import Bar, Judged, Share, Shares, judge
from bot.gates.judging.words import compared, count, figure, percents, verdict
from bot.gates.numbers import shown
from bot.gates.numbers.asking import on_numbers
from bot.gates.numbers.names import Count
from bot.gates.numbers.tally import Total
from bot.gates.numbers.window import Slice, Window

TURNED_AWAY: Final = Bar(points=3.0, times=3.0)


class ErrorKeys(NumberKeys):
    """A share of errors so many percentage ``points`` higher, and so many ``times`` the old pool's, is too large.

    ``at_once``: with so many points more nobody waits whether it lasts.
    """

    points: Annotated[float, number_above_zero()] = 0.5
    times: Annotated[float, number_above_zero()] = 2.0
    at_once: Annotated[float, number_above_zero()] = 25.0


def check(asked: Asked, keys: ErrorKeys) -> Found:
    """Compare both pools' failures, then their refusals."""
    return on_numbers(asked, partial(_judge, keys))


def _judge(keys: ErrorKeys, window: Window, rules: EvidenceRules) -> Found:
    failures, turned_away = _failures(window, window.slices), _turned_away(window, window.slices)
    if not window.canary().knows_failures:
        nobody = (
            "Nobody counts the new pool's errors: its servers do not count answers by status. "
            "Let Prometheus scrape its endpoint picker, or switch the gate `errors` off in the policy."
        )
        return Found(answer=GateAnswer.HOLD, reason=nobody, evidence="errors not counted")
    bar = Bar(points=keys.points, times=keys.times, at_once=keys.at_once)
    forgiven = window.lasting(rules.forgives)
    judged = judge(window.slices, partial(_failures, window), bar, forgiven)
    found = partial(
        Found,
        figures=_figures(failures, turned_away),
        details=_details(window, failures, keys, rules),
        promql=shown.errors(window),
    )
    if judged is Judged.AS_GOOD:
        away = judge(window.slices, partial(_turned_away, window), TURNED_AWAY, forgiven)
        if away is not Judged.AS_GOOD:
            answer, why = verdict(away, compared(turned_away, "were turned away with 4xx"), 0, 0)
            return found(answer=answer, reason=why, evidence=f"4xx {percents(turned_away)}")
    sentence = compared(failures, f"failed{_of_which(window)}")
    answer, why = verdict(judged, sentence, failures.canary.of, rules.requests)
    return found(answer=answer, reason=why, evidence=f"errors {percents(failures)}")


def _figures(failures: Shares, away: Shares) -> tuple[Figure, ...]:
    requests = Figure("requests", count(failures.canary.of), count(failures.stable.of))
    figures = (requests, figure("errors", failures))
    return (*figures, figure("4xx", away)) if away.canary.bad or away.stable.bad else figures


def _failures(window: Window, slices: Sequence[Slice]) -> Shares:
    old, new = window.stable(slices), window.canary(slices)
    return Shares(stable=_failed(old), canary=_failed(new, _unanswered(old, new)))


def _failed(pool: Total, unanswered: int = 0) -> Share:
    lost = pool.count(Count.UNPICKED) + pool.cut + unanswered
    bad, of = pool.count(Count.BROKEN) + lost, pool.answered + lost
    return Share(min(bad, of), of)


def _unanswered(old: Total, new: Total) -> int:
    """Count what the new pool never answered, unless its picker is asked for the old pool's requests too."""
    is_shared = old.count(Count.PICKED) < old.began() / 2
    return 0 if is_shared else new.unanswered


def _turned_away(window: Window, slices: Sequence[Slice]) -> Shares:
    old, new = window.stable(slices), window.canary(slices)
    return Shares(
        stable=Share(old.count(Count.TURNED_AWAY), old.answered),
        canary=Share(new.count(Count.TURNED_AWAY), new.answered),
    )


def _of_which(window: Window) -> str:
    old, new = window.stable(), window.canary()
    kinds = (
        (new.count(Count.BROKEN), "with 5xx"),
        (new.count(Count.UNPICKED), "refused by its picker"),
        (new.cut, "cut"),
        (_unanswered(old, new), "not answered"),
    )
    return f" ({', '.join(f'{count(number)} {kind}' for number, kind in kinds if number)})"


def _details(window: Window, shares: Shares, keys: ErrorKeys, rules: EvidenceRules) -> str:
    looked = f"{count(shares.canary.of)} new and {count(shares.stable.of)} old requests in {window.seconds:g} s."
    more = f"{keys.points:g} percentage points above the old pool's, and {keys.times:g} times as large"
    lasting = f"for longer than {show_duration(rules.forgives)}; at once if it is {keys.at_once:g} points higher"
    return f"{looked} Fails if the share stays {more}, {lasting}."


GATE = Gate(
    name="errors",
    about="the new pool fails no larger share of its requests than the old one",
    check=check,
    keys=ErrorKeys,
    may_fail=True,
    judges_traffic=True,
    by_default=True,
    judge=_judge,
)

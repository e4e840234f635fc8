"""The new pool fails more requests than the old one: 5xx, refusals of its picker, cut streams, and 4xx.

The model servers' own answers count, and the pickers' refusals: the pickers' error counters miss what a model server
fails. A client's mistake (4xx) hits both pools alike, so a share that only the new pool has is the pool's mistake: an
adapter that is missing there, for one.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Annotated, Final

from bot.config.policy_values import number_above_zero
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure, GateAnswer
from bot.domain.plan import show_duration
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.judging.shares import Bar, Judged, Share, Shares, judge
from bot.gates.judging.words import compared, count, figure, lasted, may_pass, percent, percents, verdict
from bot.gates.numbers import shown
from bot.gates.numbers.asking import NOTHING, on_numbers
from bot.gates.numbers.names import Count
from bot.gates.numbers.tally import Tally, Total, total
from bot.gates.numbers.window import Slice, Window

TURNED_AWAY: Final = Bar(points=3.0, times=3.0)


NOW: Final = 2
"""What none of the newest so many slices has is over."""
MANY: Final = 5
"""Fewer failures say nothing where there is nothing to compare with."""


Of = Callable[[Slice], Tally]
OLD: Final[Of] = attrgetter("stable")
NEW: Final[Of] = attrgetter("canary")


class Failure(StrEnum):
    """How a request may fail that a pool counts, as people read it."""

    BROKEN = "with 5xx"
    REFUSED = "refused by its picker"
    TOKENLESS = "with 2xx and no token"
    CUT = "cut"


NOT_AT_ONCE: Final = frozenset({Failure.TOKENLESS, Failure.CUT})
"""Nobody counts these by themselves, and a user who stops one request may look like many of them."""


class ErrorKeys(NumberKeys):
    """A share of errors so many percentage ``points`` higher, and so many ``times`` the old pool's, is too large.

    ``at_once``: with so many points more nobody waits whether it lasts.
    """

    points: Annotated[float, number_above_zero()] = 0.5
    times: Annotated[float, number_above_zero()] = 2.0
    at_once: Annotated[float, number_above_zero()] = 25.0


def check(asked: Asked, keys: ErrorKeys) -> Found:
    """Compare both pools' failures, then their refusals."""
    return on_numbers(asked, partial(_judge, keys), alone=partial(_judge_alone, keys))


def _judge(keys: ErrorKeys, window: Window, rules: EvidenceRules) -> Found:
    found = _judge_settled(keys, window, rules)
    if found.answer is GateAnswer.FAIL or not window.unsettled:
        return found
    return _judge_since_weighed(keys, window, rules) or found


def _judge_since_weighed(keys: ErrorKeys, window: Window, rules: EvidenceRules) -> Found | None:
    """Fail for answers with 5xx or 4xx that began while caches were cold and go on; None: that proves nothing."""
    whole, forgiven = window.with_unsettled(), window.lasting(rules.forgives)
    if _goes_on(window, partial(_broken, window), Bar(points=keys.points, times=keys.times), forgiven):
        failures = _broken(window, whole.slices)
        why = compared(failures, f"failed since the weight changed ({count(failures.canary.bad)} {Failure.BROKEN})")
        found = _found(keys, whole, rules, failures)
        return found(answer=GateAnswer.FAIL, reason=why, evidence=f"errors {percents(failures)}")
    if _goes_on(window, partial(_turned_away, window), TURNED_AWAY, forgiven):
        away = _turned_away(window, whole.slices)
        why = compared(away, "were turned away with 4xx since the weight changed")
        found = _found(keys, whole, rules, _broken(window, whole.slices))
        return found(answer=GateAnswer.FAIL, reason=why, evidence=f"4xx {percents(away)}")
    return None


def _goes_on(window: Window, shares_of: Callable[[Sequence[Slice]], Shares], bar: Bar, forgiven: int) -> bool:
    """Say whether a share is worse since the weights changed, seems so too since caches are warm, and is not over."""
    slices = window.slices
    warm = [each for each in slices if each.canary.known_since >= slices[0].canary.start]
    whole = window.with_unsettled().slices
    return (
        shares_of(warm[-NOW:]).canary.bad > 0
        and judge(warm, shares_of, bar, forgiven) is not Judged.AS_GOOD
        and judge(whole, shares_of, bar, forgiven) is Judged.WORSE
    )


def _broken(window: Window, slices: Sequence[Slice]) -> Shares:
    old, new = window.stable(slices), window.canary(slices)
    kinds = _both_count(window) & {Failure.BROKEN}
    return Shares(stable=_failed(old, kinds, 0), canary=_failed(new, kinds, 0))


def _judge_settled(keys: ErrorKeys, window: Window, rules: EvidenceRules) -> Found:
    kinds, new = _both_count(window), window.canary()
    failures, turned_away = _failures(window, kinds, window.slices), _turned_away(window, window.slices)
    if not (new.counts_status or new.counts_refusals):
        nobody = (
            "Nobody counts the new pool's errors: its servers do not count answers by status. "
            "Let Prometheus scrape its endpoint picker, or switch the gate `errors` off in the policy."
        )
        return Found(answer=GateAnswer.HOLD, reason=nobody, evidence="errors not counted")
    forgiven = window.lasting(rules.forgives)
    judged = _judged(keys, window, kinds, forgiven)
    found = _found(keys, window, rules, failures)
    if judged is Judged.AS_GOOD:
        away = judge(window.slices, partial(_turned_away, window), TURNED_AWAY, forgiven)
        if away is not Judged.AS_GOOD:
            answer, why = verdict(away, compared(turned_away, "were turned away with 4xx"), 0, 0)
            return found(answer=answer, reason=why, evidence=f"4xx {percents(turned_away)}")
        if why := _gross_alone(keys, window, failures) or _maybe_lost(window):
            return found(answer=GateAnswer.HOLD, reason=why, evidence=f"errors {percents(failures)}")
    sentence = compared(failures, f"failed{_of_which(window, kinds)}")
    answer, why = verdict(judged, sentence, failures.canary.of, rules.requests)
    return found(answer=answer, reason=why, evidence=f"errors {percents(failures)}")


def _found(keys: ErrorKeys, window: Window, rules: EvidenceRules, failures: Shares) -> Callable[..., Found]:
    """Return what is shown of a window, whatever the answer."""
    return partial(
        Found,
        figures=_figures(failures, _turned_away(window, window.slices)),
        details=_details(window, failures, keys, rules),
        promql=shown.errors(window),
    )


def _judged(keys: ErrorKeys, window: Window, kinds: Set[Failure], forgiven: int) -> Judged:
    """Judge what may fail at once, and then all that fails."""
    bar = Bar(points=keys.points, times=keys.times, at_once=keys.at_once)
    sure = judge(window.slices, partial(_failures, window, kinds - NOT_AT_ONCE), bar, forgiven)
    every = judge(window.slices, partial(_failures, window, kinds), replace(bar, at_once=None), forgiven)
    return max(sure, every, key=[*Judged].index)


def _judge_alone(keys: ErrorKeys, window: Window, rules: EvidenceRules) -> Found:
    """Hold where much fails and nothing is known of the old pool."""
    nothing = Shares(stable=Share(0, 0), canary=Share(0, 0))
    if why := _gross_alone(keys, window, nothing):
        return Found(answer=GateAnswer.HOLD, reason=why, evidence="nothing to compare with")
    return NOTHING


def _gross_alone(keys: ErrorKeys, window: Window, compared: Shares) -> str:
    """Say if much of the new pool fails of a kind that nobody counts in the old one; empty if not much does."""
    every = frozenset(Failure) if _has_tokens(window) else frozenset(Failure) - {Failure.TOKENLESS}
    new = window.canary()
    failed = _failed(new, every, _unanswered(window, window.slices, NEW, OLD))
    what = f"failed{_of_which(window, every)}"
    own = _failed(window.stable(), every, 0)
    is_known = compared.stable.of > 0 and failed.bad <= compared.canary.bad
    if not window.stable().counts_status and new.count(Count.TURNED_AWAY) > failed.bad:
        failed, what = Share(new.count(Count.TURNED_AWAY), new.answered), "were turned away with 4xx"
        is_known, own = False, Share(0, 0)
    above = max(compared.canary.percent, own.percent)
    if is_known or failed.bad < MANY or failed.percent < keys.at_once + above:
        return ""
    share = f"{percent(failed.percent)} of the new pool's {count(failed.of)} requests {what}"
    old = "nobody has counted that in the old pool"
    if own.bad:
        old = f"{percent(own.percent)} of the old pool's, which may count that in another way"
    return f"{share}, and {old}. Look at both, and roll back if the new one is worse."


def _has_tokens(window: Window) -> bool:
    """Say whether the old pool's answers have tokens: those of a model that embeds texts have none."""
    return window.stable().began() > 0


def _maybe_lost(window: Window) -> str:
    """Say if most requests seem to have no answer, but some model servers are not known; empty if it does not."""
    slices = [each for each in window.slices if each.canary.is_steady and each.stable.is_steady]
    if not slices or not _missing(slices, NEW, OLD):
        return ""
    new, last = window.canary(slices), slices[-1].canary
    seen = (
        f"The new pool's endpoint picker chose a model server {count(new.count(Count.PICKED))} times, and no more than "
        f"{count(new.began())} answers are known"
    )
    if last.pods == last.of:
        return may_pass(seen)
    return f"{seen}: Prometheus scrapes {last.pods} of its {last.of} model servers. Let it scrape all."


def _figures(failures: Shares, away: Shares) -> tuple[Figure, ...]:
    requests = Figure("requests", count(failures.canary.of), count(failures.stable.of))
    figures = (requests, figure("errors", failures))
    return (*figures, figure("4xx", away)) if away.canary.bad or away.stable.bad else figures


def _failures(window: Window, kinds: Set[Failure], slices: Sequence[Slice]) -> Shares:
    old, new = window.stable(slices), window.canary(slices)
    lost_old, lost_new = _unanswered(window, slices, OLD, NEW), _unanswered(window, slices, NEW, OLD)
    return Shares(stable=_failed(old, kinds, lost_old), canary=_failed(new, kinds, lost_new))


def _both_count(window: Window) -> Set[Failure]:
    """Return the kinds that both pools count: what only one shows is no difference between them.

    Some engines count the answers that users stop as ended, and some do not. So these are compared only between the
    same engines.
    """
    pools = window.stable(), window.canary()
    known = {
        Failure.BROKEN: all(pool.counts_status for pool in pools),
        Failure.REFUSED: all(pool.counts_refusals for pool in pools),
        Failure.TOKENLESS: window.is_same_engine and _has_tokens(window),
        Failure.CUT: window.is_same_engine and all(pool.counts_cuts for pool in pools),
    }
    return {kind for kind, is_known in known.items() if is_known}


def _failed(pool: Total, kinds: Set[Failure], unanswered: int) -> Share:
    counted = _counted(pool)
    bad = unanswered + sum(counted[kind] for kind in kinds)
    of = pool.answered + unanswered + (counted[Failure.REFUSED] if Failure.REFUSED in kinds else 0)
    return Share(min(bad, of), of)


def _counted(pool: Total) -> Mapping[Failure, int]:
    return {
        Failure.BROKEN: pool.count(Count.BROKEN),
        Failure.REFUSED: pool.count(Count.UNPICKED),
        Failure.TOKENLESS: pool.tokenless,
        Failure.CUT: pool.cut,
    }


def _unanswered(window: Window, slices: Sequence[Slice], of: Of, other: Of) -> int:
    """Count what a pool never answered, where all its model servers are known and only it asks its picker."""
    sure = [each for each in window.whole(slices) if each.canary.start >= window.watched_since]
    return _missing(sure, of, other)


def _missing(slices: Sequence[Slice], of: Of, other: Of) -> int:
    """Count the requests that a picker sent to servers, and nobody answered.

    The picker is scraped at another moment than the servers. So what it sent in the first and the last slice is left
    out, and what was answered there is not.
    """
    pool, rest = total([of(each) for each in slices]), total([other(each) for each in slices])
    # A picker that is asked for both pools has picked for the other one's answers too.
    is_half_asked = rest.count(Count.PICKED) < rest.began() / 2
    is_shared = is_half_asked and pool.count(Count.PICKED) >= pool.began() + rest.began() / 2
    return 0 if is_shared else pool.unanswered(total([of(each) for each in slices[1:-1]]).count(Count.PICKED))


def _turned_away(window: Window, slices: Sequence[Slice]) -> Shares:
    old, new = window.stable(slices), window.canary(slices)
    if not (window.stable().counts_status and window.canary().counts_status):
        return Shares(stable=Share(0, old.answered), canary=Share(0, new.answered))
    return Shares(
        stable=Share(old.count(Count.TURNED_AWAY), old.answered),
        canary=Share(new.count(Count.TURNED_AWAY), new.answered),
    )


def _of_which(window: Window, kinds: Set[Failure]) -> str:
    counted = _counted(window.canary())
    said = [(counted[kind], kind.value) for kind in Failure if kind in kinds]
    said.append((_unanswered(window, window.slices, NEW, OLD), "not answered"))
    return f" ({', '.join(f'{count(number)} {kind}' for number, kind in said if number)})"


def _details(window: Window, shares: Shares, keys: ErrorKeys, rules: EvidenceRules) -> str:
    looked = f"{count(shares.canary.of)} new and {count(shares.stable.of)} old requests in {lasted(window.seconds)}."
    more = f"{keys.points:g} percentage points above the old pool's, and {keys.times:g} times as large"
    lasting = f"for longer than {show_duration(rules.forgives)}; at once if it is {keys.at_once:g} points higher"
    return f"{looked} Fails if the share stays {more}, {lasting}."


GATE = Gate(
    name="errors",
    about="the new pool fails no larger share of its requests than the old one",
    check=check,
    keys=ErrorKeys,
    asked_between_steps=True,
    judges_traffic=True,
    by_default=True,
    judge=_judge,
)

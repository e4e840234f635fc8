"""One's own queries: PromQL that gives one number, and how large it may be, alone or beside the old pool's."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Final

from pydantic import model_validator

from bot.config.policy_values import Section, a_list, at_most, number, one_or_more, text
from bot.domain.errors import ClusterError, MetricsError
from bot.domain.gate import Figure, GateAnswer
from bot.domain.rollout import Pool
from bot.engine.metrics_port import Span
from bot.engine.route_port import PoolMembers
from bot.gates.gate import Asked, Found, Gate, NumberKeys
from bot.gates.numbers.asking import NO_PROMETHEUS, after_warm_up, evidence_from, last_warm_up, never_fail_while_warming
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.query import any_of
from bot.gates.numbers.reading import times_of
from bot.gates.numbers.window import NO_TRAFFIC, LackError, earlier_span, span_since

_PLACE: Final = re.compile(r"\{\{ *([\w.]+) *\}\}")
_PLACES: Final = (
    "canary.pods",
    "canary.pool",
    "canary.picker",
    "stable.pods",
    "stable.pool",
    "stable.picker",
    "namespace",
)
AT_ONCE: Final = 16
"""So many queries are asked side by side, and so many a policy may have."""
WITHIN: Final = 8.0
"""Seconds in which all have to answer: the panel gives a gate ten."""
_NO_QUERY: Final = "is not a query of at most 4,000 characters"

_threads: Final = ThreadPoolExecutor(AT_ONCE, "queries")

Values = Mapping[float, float]
"""What a query gives, by the time (seconds since 1970)."""
Bound = Annotated[float | None, number()]


class QuerySection(Section):
    """One query. ``most`` and ``least`` bound its value, ``times_stable`` the value beside the old pool's.

    The old pool's value is that of the same query with `stable` for `canary`.
    """

    name: Annotated[str, text(r"[\w -]{1,40}", "is not a name of at most 40 letters, digits, spaces, `_` and `-`")]
    query: Annotated[str, text(r"(?s).{1,4000}", _NO_QUERY)]
    most: Bound = None
    least: Bound = None
    times_stable: Bound = None

    @model_validator(mode="after")
    def _is_whole(self) -> "QuerySection":
        unknown = [place for place in _PLACE.findall(self.query) if place not in _PLACES]
        if unknown:
            known = ", ".join(f"`{{{{{place}}}}}`" for place in _PLACES)
            raise ValueError(f"has `{{{{{unknown[0]}}}}}`, which I cannot fill in; I know {known}")
        if self.times_stable is not None and "canary." not in self.query:
            raise ValueError("needs a `{{canary.…}}` in its query, or `times_stable` compares it with itself")
        if self.most is None and self.least is None and self.times_stable is None:
            raise ValueError("needs `most`, `least` or `times_stable`")
        return self


class QueriesKeys(NumberKeys):
    """The queries in the order of the policy."""

    queries: Annotated[
        tuple[QuerySection, ...], a_list("[{name: …, query: …, most: 5}]"), one_or_more, at_most(AT_ONCE)
    ]

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> "QueriesKeys":
        names = [query.name for query in self.queries]
        if twice := next((name for at, name in enumerate(names) if name in names[:at]), ""):
            raise ValueError(f"has the name `{twice}` twice")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One query on its way. ``old``: of the old pool, if it is compared."""

    query: QuerySection
    promql: str
    new: Future[Values]
    old: Future[Values] | None

    def drop(self) -> None:
        """Ask nothing any more that still waits for its turn: nobody waits for the answer."""
        for asked in (self.new, self.old):
            if asked is not None:
                asked.cancel()


def check(asked: Asked, keys: QueriesKeys) -> Found:
    """Ask each query over the window: hold if its newest value is out of bounds, fail if that lasts."""
    numbers, applied = asked.sources.numbers, asked.entry.applied
    if numbers is None:
        return Found(answer=GateAnswer.HOLD, reason=NO_PROMETHEUS)
    if applied is None:
        return Found(answer=GateAnswer.HOLD, reason=NO_TRAFFIC)
    last = last_warm_up(asked)
    try:
        pools = {name: numbers.pools.members(pool) for name, pool in _pools(asked, keys).items()}
        span = span_since(applied.weighed_since, asked.now, numbers.rules, after=evidence_from(asked, last))
    except (LackError, ClusterError) as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error), evidence="no numbers")
    # Without traffic the old pool is compared as it was before, as the other gates do.
    old = span if applied.weight < 100 else earlier_span(applied.weighed_since, numbers.rules)
    lasts = span.end - span.start > 2 * numbers.rules.forgives.total_seconds()
    begun = [_begun(query, pools, partial(_values, numbers, query.name), (span, old)) for query in keys.queries]
    until = time.monotonic() + WITHIN
    try:
        found = [each if isinstance(each, Found) else _judged(each, span, until, lasts) for each in begun]
    finally:
        for each in begun:
            if isinstance(each, _Asked):
                each.drop()
    return never_fail_while_warming(asked, after_warm_up(last, _worst(found)))


def _pools(asked: Asked, keys: QueriesKeys) -> Mapping[str, Pool]:
    """Return the pools that the queries name; the old one may be gone."""
    rollout = asked.rollout
    needs_old = any(_needs_old(query) for query in keys.queries) and not asked.is_stable_gone()
    return {"canary": rollout.canary, **({"stable": rollout.stable} if needs_old else {})}


def _needs_old(query: QuerySection) -> bool:
    return query.times_stable is not None or "stable." in query.query


def _begun(
    query: QuerySection, pools: Mapping[str, PoolMembers], ask: Callable[[str, Span], Values], spans: tuple[Span, Span]
) -> "_Asked | Found":
    """Ask a query of both pools; what was found if there is nothing to ask."""
    if "canary." in query.query and not pools["canary"].pods:
        return Found(answer=GateAnswer.HOLD, reason=f"The new pool has no pods for the query `{query.name}`.")
    if _needs_old(query) and not ("stable" in pools and pools["stable"].pods):
        if "stable." in query.query or (query.most is None and query.least is None):
            return Found(answer=GateAnswer.PASS, evidence=f"{query.name} not compared: the old pool has no pods")
        query = query.model_copy(update={"times_stable": None})
    promql, (span, old) = filled(query.query, pools), spans
    of_stable = filled(_of_stable(query.query), pools) if query.times_stable is not None else ""
    return _Asked(
        query=query,
        promql=promql,
        new=_threads.submit(ask, promql, span),
        old=_threads.submit(ask, of_stable, old) if of_stable else None,
    )


def _judged(asked: _Asked, span: Span, until: float, lasts: bool) -> Found:
    """Wait for the numbers of one query, and judge them: what is wrong with it is said of it alone."""
    hold = partial(Found, answer=GateAnswer.HOLD, promql=asked.promql, evidence=f"{asked.query.name} no number")
    try:
        values = asked.new.result(max(0.0, until - time.monotonic()))
        known = asked.old.result(max(0.0, until - time.monotonic())) if asked.old else None
    except TimeoutError:
        if asked.new.cancel() or (asked.old is not None and asked.old.cancel()):
            return hold(reason="Too many of your own queries wait for Prometheus; I ask them again.")
        return hold(reason=f"The query `{asked.query.name}` takes too long: ask for less, or record it in Prometheus.")
    except LackError as lack:
        return hold(reason=str(lack))
    except MetricsError as error:
        return hold(reason=f"Query `{asked.query.name}`: {error}")
    if span.end not in values:
        return hold(reason=f"The query `{asked.query.name}` gives no number now.")
    if known is not None and not known:
        return hold(reason=f"The query `{asked.query.name}` gives nothing of the old pool that can be compared.")
    other = sum(known.values()) / len(known) if known else None
    return _compared(asked, values, other, span, lasts)


def _compared(asked: _Asked, values: Values, other: float | None, span: Span, lasts: bool) -> Found:
    """Judge the new pool's values, and the mean of the old pool's."""
    query = asked.query
    why_now = _why(query, values[span.end], other)
    recent = [at for at in times_of(span) if at >= (span.start + span.end) / 2]
    # A ratio to zero proves nothing, so only the other bounds can fail.
    is_bad = lasts and all(at in values and _why(query, values[at], other or None) for at in recent)
    now, before = f"{values[span.end]:.4g}", f"{other:.4g}" if other is not None else "–"
    seen = f"{query.name} {now}" + (f" (old {before})" if other is not None else "")
    return Found(
        answer=GateAnswer.FAIL if is_bad else GateAnswer.HOLD if why_now else GateAnswer.PASS,
        reason=why_now,
        evidence=seen,
        figures=(Figure(query.name, now, before),),
        details=f"{seen}; it has to be {_bounds(query)}.",
        promql=asked.promql,
    )


def _values(numbers: Numbers, name: str, promql: str, span: Span) -> Values:
    series = numbers.own.over(promql, span)
    if len(series) > 1:
        raise LackError(f"The query `{name}` gives {len(series)} series, and one number is needed: sum them up.")
    return series[0].values if series else {}


def _why(query: QuerySection, value: float, other: float | None) -> str:
    """Say how a value is out of bounds; empty if it is not."""
    if query.most is not None and value > query.most:
        return f"`{query.name}` is {value:.4g}, more than {query.most:g}."
    if query.least is not None and value < query.least:
        return f"`{query.name}` is {value:.4g}, less than {query.least:g}."
    if query.times_stable is not None and other is not None and value > query.times_stable * other:
        if not other:
            return f"`{query.name}` is {value:.4g}, and the old pool's is 0, so they cannot be compared."
        return f"`{query.name}` is {value:.4g}, more than {query.times_stable:g} times the old pool's {other:.4g}."
    return ""


def _bounds(query: QuerySection) -> str:
    bounds = (
        ("at least {:g}", query.least),
        ("at most {:g}", query.most),
        ("at most {:g} times the old pool's", query.times_stable),
    )
    return " and ".join(words.format(bound) for words, bound in bounds if bound is not None)


def filled(promql: str, pools: Mapping[str, PoolMembers]) -> str:
    """Put the pools' exact names into a query; pods are an alternation for `=~`."""
    known = {"namespace": pools["canary"].pool.namespace}
    for name, pool in pools.items():
        known |= {f"{name}.pods": any_of(pool.pods), f"{name}.pool": pool.pool.name, f"{name}.picker": pool.picker}
    return _PLACE.sub(lambda place: known[place[1]], promql)


def _of_stable(promql: str) -> str:
    return _PLACE.sub(lambda place: place[0].replace("canary.", "stable."), promql)


def _worst(found: Sequence[Found]) -> Found:
    """Return what the worst query found, with the figures and the details of all."""
    order = (GateAnswer.FAIL, GateAnswer.HOLD, GateAnswer.PASS)
    worst = min(found, key=lambda each: order.index(each.answer))
    details = " ".join(each.details for each in found if each.details)
    return replace(worst, figures=tuple(figure for each in found for figure in each.figures), details=details)


GATE = Gate(
    name="queries",
    about="your own queries are within their bounds",
    check=check,
    keys=QueriesKeys,
    asked_between_steps=True,
    judges_traffic=True,
)

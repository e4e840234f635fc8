"""What asks for everything that two pools have counted, in one query: exact pods and exact pickers, never a prefix.

Of very many pods it takes several.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import Final

from bot.engine.metrics_port import Metrics, Series, Span
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import PICKERS, REPLICA, REQUESTS, SERVERS, Level

LONGEST: Final = 15_000
"""Bytes of a query: VictoriaMetrics refuses more than 16,384."""
AT_ONCE: Final = 4
"""So many queries are asked side by side."""
PODS: Final = 50
"""So many are named in one part of a query."""
RUNNING: Final = tuple(name for name, meaning in SERVERS.items() if meaning is Level.RUNNING)
"""What a model server shows at all times."""
ALIVE: Final = ("inference_pool_ready_pods", "llm_d_epp_ready_endpoints")
"""What a picker shows before its first request too."""


NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


def promql(*pools: PoolMembers, labels: Mapping[str, str] = NO_LABELS) -> Sequence[str]:
    """Ask for the counters of the pools as they are, and for when each program was scraped last.

    What the queries give belongs together. ``labels`` are what all series of this cluster have, where one Prometheus
    keeps those of several.
    Increases are worked out here, not by `increase()`: that misses what a series begins with, so the first errors.
    """
    parts: list[str] = []
    here = f'namespace="{pools[0].pool.namespace}"{selecting(labels)}'
    pods = [pod for pool in pools for pod in pool.pods]
    for some in (pods[first : first + PODS] for first in range(0, len(pods), PODS)):
        where = f'{here},pod=~"{any_of(some)}"'
        parts += [_selected([*SERVERS, *REQUESTS], where), *_scraped("pod", RUNNING, where)]
    if pickers := [pool.picker for pool in pools if pool.picker]:
        for label in ("job", "service"):
            where = f'{here},{label}=~"{any_of(pickers)}"'
            parts += [_selected(PICKERS, where), *_scraped("service", ALIVE, where)]
    return _joined(parts)


def _joined(parts: Iterable[str]) -> Sequence[str]:
    """Join parts to queries that are not too long."""
    queries: list[str] = []
    for part in parts:
        if queries and len(queries[-1]) + len(part) < LONGEST:
            queries[-1] += f" or {part}"
        else:
            queries.append(part)
    return queries


def series_over(metrics: Metrics, queries: Sequence[str], span: Span) -> Sequence[Series]:
    """Return what several queries, asked side by side, give at each time of a span. Raises MetricsError.

    Two of them may give the same series: a picker's has both a job and a Service.
    """
    ask = partial(metrics.over, span=span)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = [ask(queries[0])] if len(queries) == 1 else threads.map(ask, queries)
        return [*{frozenset(series.labels.items()): series for some in found for series in some}.values()]


def selecting(labels: Mapping[str, str]) -> str:
    """Write labels as a part of a selector, after others."""
    return "".join(f',{label}="{value}"' for label, value in labels.items())


def _scraped(label: str, names: Iterable[str], where: str) -> Iterator[str]:
    """Ask for the time of the last scrape. Each name is asked for alone: without their names two series may be one."""
    labels = ",".join([label, "job", "instance", *REPLICA])
    return (f"max by ({labels}) (timestamp({_selected([name], where)}))" for name in names)


def _selected(names: Iterable[str], where: str) -> str:
    return f'{{__name__=~"{any_of(names)}",{where}}}'


def any_of(names: Iterable[str]) -> str:
    """Write an alternation of exact names for `=~`. Names of Kubernetes have no other sign that means something."""
    return "|".join(name.replace(".", "[.]") for name in names)

"""The one query that asks for everything that two pools have counted: exact pods and exact pickers, never a prefix."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import PICKERS, REPLICA, REQUESTS, SERVERS, Level

RUNNING: Final = tuple(name for name, meaning in SERVERS.items() if meaning is Level.RUNNING)
"""What a model server shows at all times."""
ALIVE: Final = ("inference_pool_ready_pods", "llm_d_epp_ready_endpoints")
"""What a picker shows before its first request too."""


NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


def promql(*pools: PoolMembers, labels: Mapping[str, str] = NO_LABELS) -> str:
    """Ask for the counters of the pools as they are, and for when each program was scraped last.

    ``labels`` are what all series of this cluster have, where one Prometheus keeps those of several.
    Increases are worked out here, not by `increase()`: that misses what a series begins with, so the first errors.
    """
    parts: list[str] = []
    here = f'namespace="{pools[0].pool.namespace}"{selecting(labels)}'
    if pods := [pod for pool in pools for pod in pool.pods]:
        where = f'{here},pod=~"{any_of(pods)}"'
        parts += [_selected([*SERVERS, REQUESTS], where), *_scraped("pod", RUNNING, where)]
    if pickers := [pool.picker for pool in pools if pool.picker]:
        for label in ("job", "service"):
            where = f'{here},{label}=~"{any_of(pickers)}"'
            parts += [_selected(PICKERS, where), *_scraped("service", ALIVE, where)]
    return " or ".join(parts)


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

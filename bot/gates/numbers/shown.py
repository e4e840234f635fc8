"""Queries for people, of the same figures that the gates judge: for Grafana, or Prometheus' own page.

They give the new pool's figure; with the old pool's pods in them they give its own.
"""

from bot.gates.numbers.names import PICKERS, REQUESTS, SERVERS, Count, Level, Meaning, Time
from bot.gates.numbers.query import any_of, selecting
from bot.gates.numbers.window import Window


def errors(window: Window) -> str:
    """Ask for the share of 5xx; empty where nobody counts answers by status."""
    name = next((each for each in REQUESTS if each in window.names), "")
    if not name:
        return ""
    is_vllm = name == REQUESTS[0]
    paths, status = (["handler"], "status") if is_vllm else (["exported_endpoint", "endpoint"], "status_code")

    def rates(more: str) -> str:
        asked = (f'{_pods(window)},{path}=~"/v1/.*",method=~"POST|"{more}' for path in paths)
        return " or ".join(f"rate({name}{{{where}}}[5m])" for where in asked)

    bad = f',{status}=~"5.*"'
    return f"sum({rates(bad)}) / sum({rates('')})"


def latency(window: Window, time: Time, q: float) -> str:
    """Ask for a quantile of a time."""
    return _of(window, time, f"histogram_quantile({q:g}, sum by (le) (rate(%s[5m])))")


def waiting(window: Window) -> str:
    """Ask how many requests wait for each model server."""
    return _of(window, Level.WAITING, "avg(%s)")


def cache(window: Window) -> str:
    """Ask how much of the KV caches is in use."""
    return _of(window, Level.CACHE, "avg(%s)")


def picked(window: Window) -> str:
    """Ask how many requests a second the pool's picker has chosen a server for."""
    if not window.members.picker:
        return ""
    names = any_of(name for name, meaning in PICKERS.items() if meaning is Count.PICKED)
    by_job, by_service = (
        f'rate({{__name__=~"{names}",{_here(window)},{label}="{window.members.picker}"}}[5m])'
        for label in ("job", "service")
    )
    return f"sum({by_job} or {by_service})"


def _here(window: Window) -> str:
    return f'namespace="{window.members.pool.namespace}"{selecting(window.labels)}'


def _pods(window: Window) -> str:
    return f'{_here(window)},pod=~"{any_of(window.members.pods)}"'


def _of(window: Window, meaning: Meaning, query: str) -> str:
    """Put the series of a meaning into a query; empty if the pool shows none."""
    names = [name for name, each in SERVERS.items() if each is meaning and name in window.names]
    where = _pods(window)
    series = f"{names[0]}{{{where}}}" if len(names) == 1 else f'{{__name__=~"{any_of(names)}",{where}}}'
    return query % series if names else ""

"""Pools that a Prometheus scrapes now and then, each program at moments of its own, as it is outside of a sandbox."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Final, cast

from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer
from bot.domain.rollout import Applied, Entry, Pool
from bot.engine.metrics_port import Series, Span
from bot.engine.route_port import PoolHealth, PoolMembers
from bot.gates.gate import Asked, Found, Gate, GateSources
from bot.gates.numbers.numbers import Numbers
from bot.gates.numbers.reading import times_of
from tests.builders import NOON, READY, STABLE, a_rollout, an_entry

BEGIN, END = NOON.timestamp() - 900, NOON.timestamp() + 900
"""Seconds since 1970 in which there are requests. The weights change at NOON."""
BOUNDS: Final = (0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)
RULES = EvidenceRules(prometheus="http://prometheus")

Shown = Mapping[tuple[str, ...], float]
"""A program's numbers at a moment: the name, then labels and their values in turns."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is scraped ``every`` so many seconds, first ``phase`` seconds after others, from ``up`` on."""

    labels: Mapping[str, str]
    shown: Callable[[float], Shown]
    every: float
    phase: float
    up: float = BEGIN
    down: float = END
    gap: tuple[float, float] = (END, END)
    """From when to when it is not scraped; until five minutes later, or the next scrape, it shows what it showed."""

    def scraped(self, at: float, known: float) -> float | None:
        """Return when it was scraped last, of what is ``known`` up to a time; None if it was not."""
        last = self.phase + (min(at, known) - self.phase) // self.every * self.every
        if self.gap[0] <= last < self.gap[1]:
            last = self.phase + (self.gap[0] - self.phase) // self.every * self.every
        return last if self.up <= last and at < self.down and at - last < 300 else None

    def series(self, times: Sequence[float], known: float = END) -> list[Series]:
        """Return what a range query gives of it."""
        scrapes = {at: scrape for at in times if (scrape := self.scraped(at, known)) is not None}
        values: dict[tuple[str, ...], dict[float, float]] = {}
        for at, scrape in scrapes.items():
            for key, value in self.shown(scrape).items():
                values.setdefault(key, {})[at] = value
        named = [
            Series({"__name__": name, **self.labels, **dict(zip(more[::2], more[1::2], strict=True))}, of)
            for (name, *more), of in values.items()
        ]
        return [*named, Series(self.labels, scrapes)]


def never(at: float) -> bool:
    """Say that it is not so."""
    return False


_LEVELS: Final = {
    "vllm": ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"),
    "sglang": ("num_running_reqs", "num_queue_reqs", "token_usage"),
}


def a_server(
    pod: str,
    arrivals: Sequence[float],
    every: float,
    phase: float,
    *,
    fails: Callable[[float], bool] = never,
    stops: Callable[[float], bool] = never,
    hangs: Callable[[float], bool] = never,
    prompts: Callable[[float], int] = lambda at: 1,
    waiting: Callable[[float], float] = lambda at: 0,
    whole: float = 1.0,
    is_sglang: bool = False,
    **more: Any,
) -> Program:
    """Return a server whose requests arrive at these times; each good answer takes ``whole`` seconds.

    Of some the user ``stops`` the answer in the middle, which only SGLang counts as an end. Some send 200 and have no
    token until their user gives up after 30 seconds. A request may have several ``prompts``.
    """
    broken = [at for at in arrivals if fails(at)]
    hung = [at for at in arrivals if hangs(at)]
    stopped = {at for at in arrivals if stops(at)}
    begun = [at for at in arrivals if not (fails(at) or hangs(at))]
    left = [at + (whole / 2 if at in stopped else whole) for at in begun]
    over = [at + 30 for at in hung]
    first = sorted(at + 0.05 for at in begun for _ in range(prompts(at)))
    gone = sorted(end for at, end in zip(begun, left, strict=True) for _ in range(prompts(at)))
    ended = sorted(
        end for at, end in zip(begun, left, strict=True) if is_sglang or at not in stopped for _ in range(prompts(at))
    )
    answered, engine = sorted([*left, *over]), "sglang" if is_sglang else "vllm"
    running, queue, cache = _LEVELS[engine]

    def shown(at: float) -> Shown:
        begun, done, bad = bisect_right(first, at), bisect_right(ended, at), bisect_right(broken, at)
        hangs = bisect_right(hung, at) - bisect_right(over, at)
        answers = ("handler", "/v1/completions", "method", "POST", "status")
        buckets: dict[tuple[str, ...], float] = {
            (f"{engine}:{name}_seconds_bucket", "le", str(bound)): float(count if seconds <= bound else 0)
            for name, seconds, count in (("time_to_first_token", 0.05, begun), ("e2e_request_latency", whole, done))
            for bound in (*BOUNDS[:-1], math.inf)
        }
        seen: dict[tuple[str, ...], float] = {
            (f"{engine}:{running}",): float(begun - bisect_right(gone, at) + hangs),
            (f"{engine}:{queue}",): waiting(at),
            (f"{engine}:{cache}",): 0.2,
            ("http_requests_total", *answers, "2xx"): float(bisect_right(answered, at)),
            **buckets,
        }
        if bad:
            seen["http_requests_total", *answers, "5xx"] = float(bad)
        return seen

    return Program({"pod": pod, "job": "servers"}, shown, every, phase, **more)


def a_picker(name: str, arrivals: Sequence[float], every: float, phase: float) -> Program:
    """Return an endpoint picker that was asked at these times."""
    return Program(
        {"job": name}, lambda at: {("inference_objective_request_total",): bisect_right(arrivals, at)}, every, phase
    )


@dataclass
class Cluster:
    """Both pools under a gateway that takes the weights, and the Prometheus that scrapes them."""

    old: int
    new: int
    rate: float
    every: float
    seed: int
    weight: int = 10
    pickers: bool = True
    server: Callable[..., Program] = a_server
    old_server: Callable[..., Program] = a_server
    lag: float = 0.0
    """Seconds after which a scrape is known."""
    late: float = 0.0
    """Seconds that the gateway takes to follow the weights."""
    leave: float = END
    """Seconds after the weights changed at which all of the new pool's pods but one leave."""
    begin: float = 0.0
    """Seconds after the weights changed before which nobody asks."""
    restart: float = END
    """Seconds after which another process of the bot looks."""
    pending: tuple[str, ...] = ()
    """Pods that are not ready."""
    programs: list[Program] = field(init=False)
    pods: dict[str, tuple[str, ...]] = field(init=False)
    arrivals: dict[str, Sequence[float]] = field(init=False, default_factory=dict)
    """By a pod, when its requests arrived (seconds since 1970)."""

    def __post_init__(self) -> None:
        random = Random(self.seed)
        arrivals = [at for at in _arrivals(self.rate, random) if not self.begin or at > NOON.timestamp() + self.begin]
        at_new = [at for at in arrivals if at > NOON.timestamp() + self.late and random.random() * 100 < self.weight]
        taken = set(at_new)
        at_old = [at for at in arrivals if at not in taken]
        self.pods = {
            name: tuple(f"{name}-{number}" for number in range(getattr(self, name))) for name in ("old", "new")
        }
        self.programs = []
        for name, requests in (("old", at_old), ("new", at_new)):
            shares: dict[str, list[float]] = {pod: [] for pod in self.pods[name]}
            for at in requests:
                stay = 1 if name == "new" and at > NOON.timestamp() + self.leave else None
                shares[random.choice(self.pods[name][:stay])].append(at)
            self.arrivals |= shares
            make = self.server if name == "new" else self.old_server
            self.programs += [make(pod, of, self.every, random.uniform(0, self.every)) for pod, of in shares.items()]
            if self.pickers:
                self.programs.append(a_picker(f"{name}-epp", requests, self.every, random.uniform(0, self.every)))
        self.numbers = Numbers(self, self, RULES)

    def ask(self, gate: Gate, seconds: float) -> Found:
        """Ask a gate so many seconds after the weights changed."""
        sources = GateSources(pools=cast(Any, self), routes=cast(Any, self), numbers=self.numbers)
        return gate.check(Asked(self.entry(), NOON + timedelta(seconds=seconds), sources), gate.keys())

    def entry(self) -> Entry:
        """Return the rollout whose weights changed."""
        rollout = a_rollout()
        applied = Applied(revision=2, decision=rollout.decision, weight=self.weight, at=NOON, weighed_at=NOON)
        return replace(an_entry(rollout), applied=applied)

    def fails(self, *gates: Gate, until: float = 600) -> list[str]:
        """Look as the bot does, every 15 seconds, and return why gates failed."""
        failed = []
        for seconds in range(60, int(until), 15):
            if seconds >= self.leave:
                self.pods["new"] = self.pods["new"][:1]
            if seconds >= self.restart:
                self.numbers, self.restart = Numbers(self, self, RULES), END
            failed += [each for gate in gates if (each := self.ask(gate, seconds)).answer is GateAnswer.FAIL]
        return [each.reason for each in failed]

    # --- what gates ask of Prometheus, the cluster and the route

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        times = times_of(span)
        return [each for program in self.programs for each in program.series(times, span.end - self.lag)]

    def members(self, pool: Pool) -> PoolMembers:
        name = "old" if pool.name == STABLE else "new"
        ready = tuple(f"{pod}/uid/0" for pod in self.pods[name] if pod not in self.pending)
        return PoolMembers(pool=pool, pods=self.pods[name], picker=f"{name}-epp" if self.pickers else "", ready=ready)

    def health(self, stable: Pool, canary: Pool) -> PoolHealth:
        return PoolHealth(lack="", readiness=READY)

    def least(self, pool: Pool) -> int | None:
        return None

    def kept(self, namespace: str, route: str) -> Any:
        return "the route"

    def gateways(self, copy: object) -> Sequence[str]:
        return ("default/inference-gateway",)

    def senders(self, pool: object) -> Sequence[str]:
        return ("default/llm-route",)

    def has_rules_beside(self, copy: object, rollout: object) -> bool:
        return False


def _arrivals(rate: float, random: Random) -> list[float]:
    at, found = BEGIN, []
    while (at := at + random.expovariate(rate)) < END:
        found.append(at)
    return found

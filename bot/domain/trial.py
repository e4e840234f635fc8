"""Trials: requests that the bot sends through a gateway itself, and what their answers add up to. Pure.

A trial is carried on over several steps, so its sums are kept as JSON in between.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from statistics import NormalDist
from typing import Any, Final

CONFIDENCE: Final = 0.95
"""Of the interval that people are shown."""

LONGEST_SAMPLE: Final = 300
"""Characters of an answer that are kept."""

CERTAIN: Final = 0.999
"""Of the interval that a weight has to be outside of before anybody is alarmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRules:
    """What the policy says of trials. An empty ``model`` means one that both pools serve; ``rate`` is per second.

    ``after_steps``: one begins by itself after each step.
    """

    path: str = "/v1/completions"
    model: str = ""
    prompt: str = "Answer in one word: what is the capital of France?"
    tokens: int = 8
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: int = 20
    most: int = 200
    rate: int = 10
    timeout: timedelta = timedelta(seconds=20)
    after_steps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to a gateway: where it listens, the name it is asked by, and what is sent there as JSON."""

    address: str
    port: int
    host: str  # for the Host header, and for TLS; empty: the address
    is_tls: bool
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one request.

    ``pod`` is whose answer it is, by its own word; empty if nothing says so. ``mark`` is what the trial's own route has
    written on it. ``status`` is 0 if there was no answer: ``error`` says why.
    """

    pod: str = ""
    mark: str = ""
    status: int = 0
    milliseconds: int = 0
    text: str = ""
    error: str = ""

    @property
    def failed(self) -> bool:
        """Say whether a user would have had no good answer."""
        return self.status != HTTPStatus.OK

    @property
    def failure(self) -> str:
        """Say in a word or two what was wrong."""
        return str(self.status) if self.status else self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPool:
    """What one pool has answered: the times of its good answers in milliseconds, its failures, and one answer."""

    times: tuple[int, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    sample: str = ""

    @property
    def answered(self) -> int:
        """Return how many requests reached it."""
        return len(self.times) + sum(self.failures.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What all answers so far add up to, by pool; the pool without a name holds what nobody says."""

    pools: Mapping[str, OfPool] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """Return how many requests were sent."""
        return sum(each.answered for each in self.pools.values())

    @property
    def failed(self) -> int:
        """Return how many got no good answer."""
        return sum(sum(each.failures.values()) for each in self.pools.values())

    @property
    def is_silent(self) -> bool:
        """Say whether no request got any answer at all."""
        return all(not pool.times and not any(map(str.isdecimal, pool.failures)) for pool in self.pools.values())

    def of(self, pool: str) -> OfPool:
        """Return what a pool has answered."""
        return self.pools.get(pool, OfPool())

    def plus(self, answers: Iterable[Answer], pool_of: Mapping[str, str]) -> "Tally":
        """Add answers; ``pool_of`` has pools by the name of a pod, and by a mark that only one pool's answers have."""
        by_pool: dict[str, list[Answer]] = {}
        for answer in answers:
            by_pool.setdefault(pool_of.get(answer.pod) or pool_of.get(answer.mark, ""), []).append(answer)
        return Tally(pools={**self.pools, **{name: _plus(self.of(name), some) for name, some in by_pool.items()}})

    def dumps(self) -> Mapping[str, Any]:
        """Return it as JSON."""
        return {
            name: {"times": list(each.times), "failures": dict(each.failures), "sample": each.sample}
            for name, each in self.pools.items()
        }

    @classmethod
    def loads(cls, document: Mapping[str, Any]) -> "Tally":
        """Read what ``dumps`` has written."""
        return cls(
            pools={
                name: OfPool(times=tuple(each["times"]), failures=each["failures"], sample=each["sample"])
                for name, each in document.items()
            }
        )


def _plus(before: OfPool, answers: Sequence[Answer]) -> OfPool:
    good = [answer for answer in answers if not answer.failed]
    failures = Counter(before.failures) + Counter(answer.failure for answer in answers if answer.failed)
    sample = before.sample or next((answer.text for answer in good if answer.text), "")[:LONGEST_SAMPLE]
    return OfPool(times=(*before.times, *(each.milliseconds for each in good)), failures=dict(failures), sample=sample)


class Fit(StrEnum):
    """How well a share that was seen fits a weight."""

    WELL = "well"
    ODD = "odd"  # one honest trial in twenty looks like that
    NOT = "not"  # chance does not explain it


def fit(hits: int, of: int, weight: int) -> Fit:
    """Say how well so many hits fit a weight, in percent: at 10 %, 8 of 100 do and 0 of 100 do not.

    A weight of 0 or 100 leaves no room for chance.
    """
    if weight in (0, 100):
        return Fit.WELL if hits * 100 == weight * of else Fit.NOT
    fits = [low <= weight <= high for low, high in (interval(hits, of), interval(hits, of, CERTAIN))]
    return Fit.WELL if fits[0] else Fit.ODD if fits[1] else Fit.NOT


def interval(hits: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a share of which ``hits`` of ``of`` were seen, in percent (Wilson's score)."""
    if not of:
        return 0.0, 100.0
    share, z = hits / of, NormalDist().inv_cdf((1 + confidence) / 2)
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = ((middle + sign * spread) / (1 + z * z / of) for sign in (-1, 1))
    return max(0.0, 100 * low), min(100.0, 100 * high)


def percentile(times: Sequence[int], percent: int) -> int:
    """Return the smallest of the times that at least so many percent of them do not exceed."""
    in_order = sorted(times)
    return in_order[max(0, math.ceil(len(in_order) * percent / 100) - 1)]

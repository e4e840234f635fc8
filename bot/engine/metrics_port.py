"""What the gates need of a metrics server, as a Protocol, and the values that cross it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The times at which a query is answered: from ``start`` to ``end``, in seconds since 1970, every ``step`` s."""

    start: float
    end: float
    step: float


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels, and its values by time. A time without a value is left out.

    ``broken``: the times at which there was a value that is no number.
    """

    labels: Mapping[str, str]
    values: Mapping[float, float]
    broken: frozenset[float] = frozenset()


class Metrics(Protocol):
    """A metrics server that speaks PromQL. Every call is bounded in time; raises MetricsError."""

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        """Return what a query gives at each time of a span."""

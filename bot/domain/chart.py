"""Charts of what both pools did over time, as a thread shows them."""

from dataclasses import dataclass
from typing import Final

MOST_POINTS: Final = 20
"""So many points fit into one of Slack's charts."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a value for each time."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over the same ``times``, which are labels in UTC; ``unit`` is that of all values."""

    title: str
    unit: str
    times: tuple[str, ...]
    lines: tuple[Line, ...]

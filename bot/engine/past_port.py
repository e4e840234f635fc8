"""What a backtest needs of the gates: what they would have said of the past."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.gate import Finding
from bot.engine.route_port import PoolMembers


@dataclass(frozen=True, slots=True, kw_only=True)
class PastWindow:
    """One window: what each gate would have said, or why nothing can be said (``lack``).

    ``is_thin``: the pool that stands for the new one had fewer requests than a judgement needs.
    """

    findings: Mapping[str, Finding] = field(default_factory=dict)
    lack: str = ""
    is_thin: bool = False


class Past(Protocol):
    """The gates that judge two pools by their numbers alone."""

    @property
    def window(self) -> timedelta:
        """Return how long a window is."""

    def judge(self, canary: PoolMembers, stable: PoolMembers, start: datetime, end: datetime) -> Sequence[PastWindow]:
        """Judge each window that ends after ``start`` and up to ``end``; two neighbours overlap by half.

        Raises MetricsError.
        """

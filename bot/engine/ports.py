"""What the engine needs beside the cluster and the store: time, and gates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.chart import Chart
from bot.domain.gate import Look, Verdict
from bot.domain.rollout import Entry


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Let a moment pass."""


class Gates(Protocol):
    """Checks before the canary gets more traffic; bounded in time, and never asked before a roll back."""

    @property
    def about(self) -> Mapping[str, str]:
        """Return what each gate checks, by its name."""

    @property
    def asks_between_steps(self) -> bool:
        """Say whether any gate that is asked between steps is switched on."""

    def check(self, entry: Entry) -> Verdict:
        """Ask every gate whether the canary may get more."""

    def look(self, entry: Entry) -> Sequence[Look]:
        """Ask every gate, for somebody who wants to see more than a verdict."""

    def check_between_steps(self, entry: Entry) -> Verdict:
        """Ask the gates that are asked between steps."""

    def history(self, entry: Entry) -> tuple[Chart, ...]:
        """Draw what both pools did since the rollout began; nothing if nobody knows."""

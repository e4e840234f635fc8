"""What the engine needs beside the cluster and the store: time, and gates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from bot.domain.gate import Verdict
from bot.domain.rollout import Rollout


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
    def may_fail(self) -> bool:
        """Say whether any gate that can fail a rollout between steps is switched on."""

    def check(self, rollout: Rollout) -> Verdict:
        """Ask every gate whether the canary may get more."""

    def check_between_steps(self, rollout: Rollout) -> Verdict:
        """Ask the gates that can fail a rollout."""

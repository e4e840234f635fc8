"""Due times by this machine's clock, which the scheduler looks at; in Redis they are by Redis's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.engine.ports import Clock
from bot.service.scheduler import DueTimes


class DueByOwnClock:
    """The part of the store that the timer sees, moved by how far ``clock`` is ahead of this machine's."""

    def __init__(self, due: DueTimes, clock: Clock) -> None:
        self._due, self._clock = due, clock

    def claim_due(self, now: datetime, most: int = 1000) -> Sequence[tuple[str, datetime]]:
        """Return (id, due) of what is due, and push it ahead."""
        ahead = self._ahead()
        return [(rollout_id, due - ahead) for rollout_id, due in self._due.claim_due(now + ahead, most)]

    def next_due(self) -> datetime | None:
        """Return the earliest due time."""
        due = self._due.next_due()
        return due - self._ahead() if due else None

    def due_times(self) -> Sequence[tuple[str, datetime]]:
        """Return every (id, due)."""
        ahead = self._ahead()
        return [(rollout_id, due - ahead) for rollout_id, due in self._due.due_times()]

    def _ahead(self) -> timedelta:
        return self._clock.now() - datetime.now(UTC)

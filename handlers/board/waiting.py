"""What cards wait for, and the cards that wait."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Until a time, or as long as ``free`` says: others may be faster, and budgets may be given back.

    It may be kept for long: no exception is kept for it, which would hold on to everything that was drawn when it was
    raised.
    """

    at: datetime
    free: Callable[[datetime], datetime] | None = None

    def until(self, now: datetime) -> datetime:
        """Return when it is over, as it looks now; a time that is past or now if it is."""
        return self.free(now) if self.free else self.at

    def or_sooner(self, other: "Wait | None") -> "Wait":
        """Wait for the first of two things."""
        if other is None:
            return self
        return Wait(min(self.at, other.at), lambda now: min(self.until(now), other.until(now)))


class Later(Exception):  # noqa: N818 (nothing went wrong)
    """Something has to wait."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(f"later: {wait.at}")
        self.wait = wait


class OvertakenError(Later):
    """Somebody else has saved what Slack shows: this process froze, and another one leads."""


class Waiting:
    """Says how long a card still waits that has not changed since it had to: nobody needs to draw it until then."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, Wait]] = {}

    def put_off(self, topic_id: str, mark: str, wait: Wait) -> None:
        """Remember what a card waits for, and the mark under which it was behind."""
        self._seen[topic_id] = mark, wait

    def until(self, topic_id: str, mark: str, now: datetime) -> datetime:
        """Return when to look at a card; now if it has changed, or never had to wait."""
        seen, wait = self._seen.get(topic_id, ("", None))
        return now if wait is None or seen != mark else wait.until(now)

    def forget_all_but(self, topic_ids: Collection[str]) -> None:
        """Forget every other card."""
        self._seen = {topic_id: seen for topic_id in topic_ids if (seen := self._seen.get(topic_id))}

"""The cards that have to wait, each with the mark under which the board saw that."""

from collections.abc import Container
from datetime import datetime

from handlers.board.pace import Later


class Waiting:
    """Says how long a card still waits that has not changed since it had to: nobody needs to draw it until then."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, Later]] = {}

    def put_off(self, topic_id: str, mark: str, later: Later) -> None:
        """Remember what a card waits for."""
        self._seen[topic_id] = mark, later

    def until(self, topic_id: str, mark: str, now: datetime) -> datetime:
        """Return when to look at a card; now if it has changed, or never had to wait."""
        seen, later = self._seen.get(topic_id, ("", None))
        return now if later is None or seen != mark else later.until(now)

    def forget_all_but(self, topic_ids: Container[str]) -> None:
        """Forget every other card."""
        self._seen = {topic_id: seen for topic_id, seen in self._seen.items() if topic_id in topic_ids}

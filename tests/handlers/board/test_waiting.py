"""How long a card waits that has not changed."""

from collections.abc import Iterator
from datetime import timedelta

from handlers.board.waiting import Wait, Waiting
from tests.builders import NOON

LATER = NOON + timedelta(minutes=1)


class Meanwhile(list[str]):
    """Ids of cards; whoever looks at them finds that a lane has put another card off meanwhile."""

    def __init__(self, waiting: Waiting, *ids: str) -> None:
        super().__init__(ids)
        self._waiting = waiting

    def __iter__(self) -> Iterator[str]:
        self._put_off()
        return super().__iter__()

    def __contains__(self, topic_id: object) -> bool:
        self._put_off()
        return super().__contains__(topic_id)

    def _put_off(self) -> None:
        self._waiting.put_off("r-3", "mark", Wait(LATER))


def test_a_card_still_waits_when_another_is_put_off_while_the_list_is_cleared() -> None:
    waiting = Waiting()
    for topic_id in ("r-1", "r-2"):
        waiting.put_off(topic_id, "mark", Wait(LATER))
    waiting.forget_all_but(Meanwhile(waiting, "r-1"))
    assert [waiting.until(topic_id, "mark", NOON) for topic_id in ("r-1", "r-2")] == [LATER, NOON]

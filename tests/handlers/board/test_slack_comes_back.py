"""However Slack has failed before: ten seconds after it works again the card is right."""

from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient

from bot.domain.events import Event, EventKind
from bot.domain.rollout import Phase
from handlers.board.board import Board
from handlers.board.rollout_topic import RolloutTopics
from handlers.slack import Slack
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import ANY, StrictSlack, strict_slack
from tests.builders import NOON
from tests.handlers.board.board_world import World, entry_of
from tests.handlers.fakes import moved
from tests.handlers.records import ANYBODY, ROOM

SOON = timedelta(seconds=10)
STARTED = Event(kind=EventKind.STARTED, at=NOON, weight=10)
PAUSED = Event(kind=EventKind.PAUSED, at=NOON, weight=10)

Failure = tuple[str, int]
FAILURES = st.one_of(
    st.tuples(st.sampled_from(["500", "500 after", "lost", "fatal_error"]), st.just(0)),
    st.tuples(st.just("429"), st.integers(1, 30)),
)


class Outage:
    """A card that changes while Slack fails, call by call, and that a board looks at each second."""

    def __init__(self, slack: StrictSlack, failures: list[Failure], *, is_new: bool, timeout: int = 5) -> None:
        self.world, self.failures = World(slack), failures
        client = WebClient(BOT_TOKEN, base_url=slack.api_url, timeout=timeout, retry_handlers=[])
        topics = RolloutTopics(self.world.memory.as_store(), self.world.memory, ANYBODY)
        self.world.board = Board(self.world.memory, topics, Slack(client))
        if not is_new:
            self.world.memory.put(entry_of("r-1"), STARTED)
            self.world.round()
        self.asked_to_wait_until = self.world.clock.now()

    def run(self) -> timedelta:
        """Return how long after Slack takes calls again, and no wait is left that it asked for, the card is right."""
        for kind, retry_after in self.failures:
            self.world.slack.faults.next(ANY, kind, retry_after=retry_after or 30)
        self.world.memory.put(moved(entry_of("r-1"), phase=Phase.PAUSED, turn=5), PAUSED)
        well = self._until_all_have_failed()
        while not self._is_right():
            self.world.round(seconds=1)
        return self.world.clock.now() - max(well, self.asked_to_wait_until)

    def _until_all_have_failed(self) -> datetime:
        met = 0
        while met < len(self.failures):
            self.world.round(seconds=1)
            now, before, met = self.world.clock.now(), met, sum(self.world.slack.faults.hit.values())
            for _, retry_after in self.failures[before:met]:
                self.asked_to_wait_until = max(self.asked_to_wait_until, now + timedelta(seconds=retry_after))
        return self.world.clock.now()

    def _is_right(self) -> bool:
        cards = self.world.slack.cards(ROOM)
        return len(cards) == 1 and "paused" in cards[0]["text"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FAILURES, min_size=1, max_size=12), st.booleans())
@example([("500", 0)] * 3 + [("429", 5)] * 2, False)
@example([("500", 0)] * 60, False)
@example([("lost", 0)] * 20, True)
def test_the_card_is_right_ten_seconds_after_slack_works_however_it_failed(
    failures: list[Failure], is_new: bool
) -> None:
    with strict_slack() as slack:
        assert Outage(slack, failures, is_new=is_new).run() <= SOON


def test_the_card_is_right_ten_seconds_after_calls_that_hung(slack: StrictSlack) -> None:
    hung = [("hang", 0), ("429", 7), ("hang after", 0), ("500", 0)]
    assert Outage(slack, hung, is_new=False, timeout=1).run() <= SOON


def test_a_wait_that_slack_asks_for_is_kept_to(slack: StrictSlack) -> None:
    outage = Outage(slack, [("429", 30)], is_new=False)
    outage.run()
    assert outage.world.clock.now() >= outage.asked_to_wait_until
    assert slack.count("chat.update") == 2


def test_many_cards_that_failed_for_minutes_are_all_right_in_ten_seconds(slack: StrictSlack) -> None:
    world, rooms = World(slack), [f"C{number:09}" for number in range(8)]
    slack.channels.update({room: {"is_member": True} for room in rooms})
    for room in rooms:
        world.memory.put(entry_of(f"r-{room}", channel=room))
    world.round()
    away = slack.faults.begin("500")
    for room in rooms:
        world.memory.put(moved(entry_of(f"r-{room}", channel=room), phase=Phase.PAUSED, turn=5), PAUSED)
    for _ in range(120):
        world.round(seconds=1)
    slack.faults.lift(away)
    for _ in range(10):
        world.round(seconds=1)
    assert ["paused" in slack.cards(room)[0]["text"] for room in rooms] == [True] * 8

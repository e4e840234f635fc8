"""Whether another install shares the app: what Slack's counts mean, one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redis

from bot.domain.errors import StoreError
from bot.store.connection import connect
from bot.store.connections import RedisConnections
from handlers.census import SHARED, Census, others
from tests.handlers.fakes import Hand
from tests.memory import PREFIX

SHARES = (
    "Slack counts 1 more connection of this app than this install has: another install shares the app, and gets a part "
    "of the commands and clicks. Give each install a Slack app of its own."
)


@pytest.mark.parametrize(
    ("said", "surely", "perhaps", "found"),
    [
        (1, 1, 1, 0),
        (2, 2, 2, 0),  # two replicas
        (1, 2, 2, 0),  # another replica has just gone
        (2, 1, 2, None),  # the old connection, or somebody else's
        (2, 1, 1, 1),
        (3, 1, 2, 1),
        (5, 2, 2, 3),
        (1, 0, 0, 1),  # nothing of ours is on the list
    ],
)
def test_what_a_count_means(said: int, surely: int, perhaps: int, found: int | None) -> None:
    assert others(said, surely, perhaps) == found


@dataclass
class Scene:
    """A replica that is connected, the list in Redis, and a Slack that counts ``strangers`` too."""

    client: "redis.Redis"
    clock: Hand = field(default_factory=Hand)
    strangers: int = 0
    looks: int = 0
    is_away: bool = False
    is_connected: bool = True
    answers: bool = True

    def __post_init__(self) -> None:
        self.census = Census(RedisConnections(self.client, self._prefix, self.clock), self.clock)

    def connect(self, *, old_ones: int = 0) -> None:
        """Open the connection; Slack still counts some old ones."""
        self.census.opens()
        self.census.hears(1 + self.strangers + old_ones)
        self.turn()

    def turn(self) -> None:
        self.census.turn(lambda: self.is_connected, self._look)

    def later(self, seconds: int) -> None:
        """Let time pass, with a turn every second."""
        for _ in range(seconds):
            self.clock.forward(seconds=1)
            self.turn()

    def _look(self) -> int | None:
        self.looks += 1
        return 2 + self.strangers if self.answers else None

    def _prefix(self) -> str:
        if self.is_away:
            raise StoreError("Redis does not answer.")
        return PREFIX


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    with connect(redis_url) as client:
        yield Scene(client)


def test_an_install_with_its_app_to_itself_says_nothing_and_looks_now_and_then(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.connect()
    scene.later(600)
    assert (scene.census.warnings(), str(scene.census.in_vain()), scene.looks) == ((), "", 2)
    assert caplog.messages == []


def test_another_install_is_told_once_when_it_lasts_and_so_is_its_end(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scene.strangers = 1
    scene.connect()
    scene.later(19)
    assert (scene.census.warnings(), str(scene.census.in_vain())) == ((), "")
    scene.later(1)
    assert (scene.census.warnings(), scene.census.in_vain()) == ((SHARES,), SHARED)
    scene.strangers = 2
    scene.later(300)
    assert scene.census.warnings() == (SHARES.replace("1 more connection", "2 more connections"),)
    scene.strangers = 0
    scene.later(300)
    assert (scene.census.warnings(), str(scene.census.in_vain())) == ((), "")
    assert caplog.messages == [SHARES, "No other install shares the Slack app any more."]


def test_one_that_came_later_is_noticed_at_the_next_look(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.connect()
    scene.strangers = 1
    scene.later(300)
    assert caplog.messages == []
    scene.later(30)
    assert caplog.messages == [SHARES]


def test_one_that_came_later_is_noticed_within_a_minute_when_somebody_asks_in_vain(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.connect()
    scene.strangers = 1
    for _ in range(10):
        scene.census.in_vain()
    scene.later(60)
    assert (caplog.messages, scene.looks) == ([SHARES], 2)


def test_a_renewed_connection_that_slack_counts_twice_for_a_while_is_no_other_install(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.connect()
    scene.connect(old_ones=1)
    scene.later(600)
    assert caplog.messages == []


def test_a_renewed_connection_hides_no_other_install(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.strangers = 1
    scene.connect()
    scene.later(30)
    scene.connect()
    scene.later(600)
    assert (caplog.messages, scene.census.warnings()) == ([SHARES], (SHARES,))


def test_a_single_odd_count_is_not_told(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.connect(old_ones=1)
    scene.later(600)
    assert (caplog.messages, scene.census.warnings()) == ([], ())


@pytest.mark.parametrize("trouble", ["Redis is away", "Slack does not answer", "the connection is down"])
def test_without_an_answer_nothing_is_told_and_it_looks_again(
    scene: Scene, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.strangers = 1
    scene.connect()
    scene.is_away = trouble == "Redis is away"
    scene.answers = trouble != "Slack does not answer"
    scene.is_connected = trouble != "the connection is down"
    scene.later(120)
    assert caplog.messages == []
    scene.is_away, scene.answers, scene.is_connected = False, True, True
    scene.later(60)
    assert caplog.messages == [SHARES]

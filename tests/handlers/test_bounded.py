"""What a process remembers between requests has an end, however long it runs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from handlers.board.pace import MOST, REFUSED, Pace
from handlers.board.rollout_topic import RolloutTopic
from handlers.people import MOST as MOST_PEOPLE
from handlers.people import People
from handlers.slack import Identity, Slack
from tests.builders import NOON, a_request
from tests.handlers.fakes import Hand
from tests.handlers.records import ANYBODY, a_rollout, an_entry


def test_the_pace_of_cards_and_channels() -> None:
    pace = Pace()
    for number in range(MOST + 100):
        key, now = f"r-{number}", NOON + timedelta(minutes=number)
        topic = RolloutTopic(an_entry(a_rollout(id=key)), ANYBODY, lambda after: ())
        pace.take_edit(topic, now)
        pace.drawn(topic, now)
        pace.take_post(key, now)
        pace.failed(key, now, REFUSED)
    sizes = {name: len(getattr(pace, name)) for name in ("_edits", "_last", "_posts", "_blocked", "_failures")}
    assert sizes == {"_edits": 1, "_last": MOST, "_posts": MOST, "_blocked": MOST, "_failures": MOST}
    assert (pace.failures("r-0"), pace.failures(key)) == (0, 1)


class Everybody:
    """A Slack in which everybody is a full member."""

    def person(self, user: str) -> Mapping[str, Any]:
        return {"id": user, "team_id": "T0"}

    def identity(self) -> Identity:
        return Identity("T0", "", "U0BOT", "B0")


def test_the_people_who_were_admitted() -> None:
    slack = cast(Slack, Everybody())
    people = People(slack, Hand(), quick=slack)
    for number in range(MOST_PEOPLE + 100):
        people.admit(a_request("pause", by=f"U{number}"))
    assert len(people._known) == 100

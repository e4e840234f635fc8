"""Which class each event is of, and who hears of it where a policy says nothing."""

import pytest

from bot.domain.events import Event, EventKind
from bot.domain.telling import Audience, News, Tell, news
from tests.builders import BOB, NOON

ITSELF = {
    News.APPROVALS: {EventKind.APPROVAL_WANTED},
    News.STOPS: {
        EventKind.PAUSED,
        EventKind.DRIFTED,
        EventKind.ROLLED_BACK,
        EventKind.ENDED,
        EventKind.REFUSED,
    },
    News.TROUBLE: {
        EventKind.HELD_ON,
        EventKind.TROUBLE,
        EventKind.WRITTEN,
        EventKind.RESTORED,
        EventKind.KEPT,
        EventKind.NO_WAY_BACK,
        EventKind.WAY_BACK,
        EventKind.NOT_SERVING,
        EventKind.SERVING,
    },
    News.BRAKES: {EventKind.WRITTEN_AGAIN, EventKind.REJECTED},
    News.REMINDERS: {EventKind.REMINDER},
    News.DONE: {EventKind.PROMOTED, EventKind.FINISHED, EventKind.CLEANED},
    News.STEPS: {
        EventKind.STARTED,
        EventKind.STEPPED,
        EventKind.ACCEPTANCE_UNKNOWN,
        EventKind.HELD,
        EventKind.APPROVED,
        EventKind.RESUMED,
        EventKind.FOLLOWED,
        EventKind.KEPT_LONGER,
        EventKind.ADOPTED,
        EventKind.REBUILT,
        EventKind.WARNED,
        EventKind.NOT_WRITTEN,
        EventKind.PICTURE,
    },
}
ASKED_FOR = {EventKind.PAUSED: News.STEPS, EventKind.ENDED: News.STEPS, EventKind.ROLLED_BACK: News.BRAKES}


def test_what_happens_by_itself_is_of_one_class() -> None:
    found = {kind: news(Event(kind=kind, at=NOON)) for kind in EventKind}
    assert found == {kind: each for each, kinds in ITSELF.items() for kind in kinds}


@pytest.mark.parametrize("kind", ASKED_FOR)
def test_what_a_person_asked_for_is_no_stop(kind: EventKind) -> None:
    assert news(Event(kind=kind, at=NOON, by=BOB)) is ASKED_FOR[kind]


def test_danger_is_told_to_the_channel_and_a_step_to_the_thread() -> None:
    assert {each: getattr(Tell(), each) for each in News} == {
        News.APPROVALS: Audience.MENTION,
        News.STOPS: Audience.MENTION,
        News.TROUBLE: Audience.CHANNEL,
        News.BRAKES: Audience.CHANNEL,
        News.REMINDERS: Audience.CHANNEL,
        News.DONE: Audience.CHANNEL,
        News.STEPS: Audience.THREAD,
    }


@pytest.mark.parametrize("kind", EventKind)
def test_each_class_is_heard_as_its_key_says(kind: EventKind) -> None:
    event = Event(kind=kind, at=NOON)
    only = Tell(**{each: Audience.MENTION if each is news(event) else Audience.THREAD for each in News})
    assert only.audience(event) is Audience.MENTION

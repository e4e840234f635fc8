"""Records and saves that the tests of the store share."""

from dataclasses import replace

from bot.domain.events import Event, EventKind
from bot.domain.rollout import Change, Rollout
from bot.engine.store_port import Save
from tests.builders import NOON, a_rollout

STARTED = a_rollout(revision=1, decision="d1")
STEPPED = a_rollout(revision=2, decision="d2", step=1)
EVENT = Event(kind=EventKind.STARTED, at=NOON, weight=10)


def a_save(rollout: Rollout, expected: str | None = None, **more: object) -> Save:
    """Return a save of a decision with one event, due at noon."""
    change = Change(after=rollout, events=(replace(EVENT, weight=rollout.weight),), due=NOON)
    return replace(Save(change=change, expected=expected), **more)  # type: ignore[arg-type]

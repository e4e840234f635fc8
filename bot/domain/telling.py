"""Who hears of an event: readers of the thread, the whole channel, or also somebody by name. The policy's `tell`."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.events import Event, EventKind


class Audience(StrEnum):
    """How far an event is told; each one includes those before it."""

    THREAD = "thread"
    CHANNEL = "channel"
    MENTION = "mention"  # who may approve, else who started the rollout


class News(StrEnum):
    """The classes of events; each is a key of the policy's `tell`."""

    APPROVALS = "approvals"  # people are asked
    STOPS = "stops"  # it stops or rolls back, and nobody asked for that
    TROUBLE = "trouble"  # it goes on, or tries to, and something needs a person
    BRAKES = "brakes"  # a person rolls back or rejects
    REMINDERS = "reminders"
    DONE = "done"  # all traffic is on the new pool, or the old one is off the route
    STEPS = "steps"  # everything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """The audience of each class of events."""

    approvals: Audience = Audience.MENTION
    stops: Audience = Audience.MENTION
    trouble: Audience = Audience.CHANNEL
    brakes: Audience = Audience.CHANNEL
    reminders: Audience = Audience.CHANNEL
    done: Audience = Audience.CHANNEL
    steps: Audience = Audience.THREAD

    def audience(self, event: Event) -> Audience:
        """Return who hears of an event."""
        match news(event):
            case News.APPROVALS:
                return self.approvals
            case News.STOPS:
                return self.stops
            case News.TROUBLE:
                return self.trouble
            case News.BRAKES:
                return self.brakes
            case News.REMINDERS:
                return self.reminders
            case News.DONE:
                return self.done
            case News.STEPS:
                return self.steps


def news(event: Event) -> News:
    """Return the class of an event."""
    if event.kind in _STOPS and not event.by:
        return News.STOPS
    return _NEWS.get(event.kind, News.STEPS)


_STOPS = frozenset({EventKind.PAUSED, EventKind.DRIFTED, EventKind.ROLLED_BACK, EventKind.ENDED, EventKind.REFUSED})
"""What stops a rollout; a person may have asked for it."""

_NEWS = {
    EventKind.APPROVAL_WANTED: News.APPROVALS,
    EventKind.HELD_ON: News.TROUBLE,
    EventKind.TROUBLE: News.TROUBLE,
    EventKind.WRITTEN: News.TROUBLE,
    EventKind.RESTORED: News.TROUBLE,
    EventKind.KEPT: News.TROUBLE,
    EventKind.NO_WAY_BACK: News.TROUBLE,
    EventKind.WAY_BACK: News.TROUBLE,
    EventKind.NOT_SERVING: News.TROUBLE,
    EventKind.SERVING: News.TROUBLE,
    EventKind.ROLLED_BACK: News.BRAKES,
    EventKind.WRITTEN_AGAIN: News.BRAKES,
    EventKind.REJECTED: News.BRAKES,
    EventKind.REMINDER: News.REMINDERS,
    EventKind.PROMOTED: News.DONE,
    EventKind.FINISHED: News.DONE,
    EventKind.CLEANED: News.DONE,
}

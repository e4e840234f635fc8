"""The thread under a card: what happened, in order, one line an event; and what the whole channel is told."""

from collections.abc import Callable, Sequence
from typing import Any

from bot.domain.access import Access
from bot.domain.events import BROADCAST, Event, EventKind
from bot.domain.rollout import Entry
from bot.domain.waiting import approvers_aloud, mention
from handlers.cards import Card
from handlers.mrkdwn import clean, clock, code, shorten, units

MOST = 40
"""Events in one message; with the room of ``_room`` they stay below what Slack takes in all."""

SECTION = 2900


def message(events: Sequence[Event], entry: Entry, access: Access, *, first: int) -> Card:
    """Draw one message of the thread; ``first`` is the place of its first event in the stream, from 1."""
    mark = f"event:{entry.rollout.id}:{first}-{first + len(events) - 1}"
    loud = _loudest(events)
    head = headline(events[loud], entry, access, approved=_is_approved(events, loud)) if loud is not None else ""
    texts = [*filter(None, [head]), *_packed(_lines(events, entry, without=loud))]
    blocks = [_section(f"{mark}:{at}" if at else mark, text) for at, text in enumerate(texts)]
    return Card(text=head or texts[-1], blocks=blocks)


def is_broadcast(events: Sequence[Event]) -> bool:
    """Say whether the whole channel shall see a message."""
    return any(event.kind in BROADCAST for event in events)


def tell(events: Sequence[Event], entry: Entry, access: Access) -> str:
    """Write events for the thread, each on a line of its own."""
    return "\n".join(_lines(events, entry))


def told(events: Sequence[Event], entry: Entry) -> list[str]:
    """Write a sentence for each event, without its time."""
    return [_sentence(event, entry, _room(1), approved=_is_approved(events, at)) for at, event in enumerate(events)]


def _lines(events: Sequence[Event], entry: Entry, *, without: int | None = None) -> list[str]:
    """Write a line for each event, but for the one that the headline tells, and an approval that it names."""
    room = _room(len(events))
    return [
        f"{clock(event.at)}  {_sentence(event, entry, room, approved=_is_approved(events, at))}"
        for at, event in enumerate(events)
        if at != without and not _is_told_next(events, at)
    ]


def headline(event: Event, entry: Entry, access: Access | None = None, *, approved: bool = False) -> str:
    """Write one event for people who see the channel and not the thread."""
    pool = code(entry.rollout.canary.name, 80)
    asked = f" {_asked(entry, access)}" if event.kind is EventKind.APPROVAL_WANTED and access else ""
    return f"{pool}: {_sentence(event, entry, _room(1), approved=approved)}{asked}"


def _loudest(events: Sequence[Event]) -> int | None:
    """Return the place of the event that the whole channel is told: the last of those."""
    return max((at for at, event in enumerate(events) if event.kind in BROADCAST), default=None)


def _is_approved(events: Sequence[Event], at: int) -> bool:
    """Say whether an event is what the approval before it led to: the approver did nothing more."""
    before, event = events[at - 1 if at else 0], events[at]
    same = (before.at, before.by, before.weight) == (event.at, event.by, event.weight)
    return same and before.kind is EventKind.APPROVED and event.kind in (EventKind.STEPPED, EventKind.PROMOTED)


def _is_told_next(events: Sequence[Event], at: int) -> bool:
    """Say whether the next sentence names this approval, which has no words of its own."""
    if at + 1 == len(events) or events[at].reason.strip():
        return False
    return events[at + 1].kind is EventKind.PROMOTED and _is_approved(events, at + 1)


def _sentence(event: Event, entry: Entry, room: int, *, approved: bool) -> str:
    told = _led_to(event) if approved else _SENTENCES.get(event.kind, _plain)(event, entry)
    said = clean(event.reason.removeprefix("Rejected: "), room)
    if not said:
        return f"{told}."
    # A person's words are quoted; the sentence of a gate or of the API server is one already.
    return f"{told}: “{said}”" if event.by and event.kind in _SPOKEN else f"{told}: {said.rstrip('.')}."


def _room(count: int) -> int:
    """Share out how long the reasons of so many events may be."""
    return min(1000, 5200 // count)


def _asked(entry: Entry, access: Access) -> str:
    return f"It waits for {approvers_aloud(entry.rollout, access)}."


def _who(event: Event, did: str, itself: str) -> str:
    return f"{mention(event.by)} {did}" if event.by else itself


def _old(entry: Entry) -> str:
    return code(shorten(entry.rollout.stable.name, 50), 50)


def _plain(event: Event, entry: Entry) -> str:
    return _who(event, event.kind.value.replace("_", " "), event.kind.value.replace("_", " ").capitalize())


def _started(event: Event, entry: Entry) -> str:
    first = entry.rollout.plan.steps[0]
    return f"{_who(event, 'started the rollout', 'Started')} at {first} %, from {_old(entry)}"


def _stepped(event: Event, entry: Entry) -> str:
    return f"{_who(event, 'stepped', 'Stepped')} to *{event.weight} %*"


def _led_to(event: Event) -> str:
    """Write what an approval led to."""
    if event.kind is EventKind.PROMOTED:
        return f"*100 % approved by {mention(event.by)}*; all traffic goes to the new pool"
    return f"Stepped to *{event.weight} %*"


def _approved(event: Event, entry: Entry) -> str:
    return f"{_who(event, 'approved', 'Approved:')} {event.weight} %"


def _paused(event: Event, entry: Entry) -> str:
    return f"{_who(event, 'paused it', 'Paused')} at {event.weight} %"


def _rolled_back(event: Event, entry: Entry) -> str:
    return f"*{_who(event, 'rolled back', 'Rolled back by itself')}*, all traffic goes to {_old(entry)}"


_SENTENCES: dict[EventKind, Callable[[Event, Entry], str]] = {
    EventKind.STARTED: _started,
    EventKind.STEPPED: _stepped,
    EventKind.ACCEPTANCE_UNKNOWN: lambda event, entry: "The gateway did not say whether it accepts the route",
    EventKind.HELD: lambda event, entry: f"Held at {event.weight} %",
    EventKind.APPROVAL_WANTED: lambda event, entry: f"*{event.weight} % needs approval*",
    EventKind.APPROVED: _approved,
    EventKind.REJECTED: lambda event, entry: _who(event, "rejected the step", "Rejected"),
    EventKind.PAUSED: _paused,
    EventKind.RESUMED: lambda event, entry: _who(event, "resumed it", "Resumed"),
    EventKind.PROMOTED: lambda event, entry: (
        f"*{_who(event, 'promoted it', 'Promoted')}*, all traffic goes to the new pool"
    ),
    EventKind.FINISHED: lambda event, entry: (
        f"*{_who(event, 'finished it', 'Finished')}*, the route dropped {_old(entry)}"
    ),
    EventKind.ROLLED_BACK: _rolled_back,
    EventKind.WRITTEN_AGAIN: lambda event, entry: _who(event, "wrote the roll back again", "Wrote the roll back again"),
    EventKind.WARNED: lambda event, entry: "Mind",
    EventKind.ENDED: lambda event, entry: _who(event, "ended it and left the weights", "Ended"),
    EventKind.REFUSED: lambda event, entry: "Not started, the route is as it was",
    EventKind.DRIFTED: lambda event, entry: "*Paused, somebody else wrote to the route*",
    EventKind.RESTORED: lambda event, entry: _who(event, f"restored {event.weight} %", f"Restored {event.weight} %"),
    EventKind.KEPT: lambda event, entry: _who(event, f"adopted {event.weight} %", f"Adopted {event.weight} %"),
    EventKind.CLEANED: lambda event, entry: f"Done, the old pool {_old(entry)} was deleted",
    EventKind.ADOPTED: lambda event, entry: "Took over what another hand had decided on the route",
    EventKind.REBUILT: lambda event, entry: "Redis had lost this rollout; I took it up again from its route",
    EventKind.TROUBLE: lambda event, entry: "Trouble",
    EventKind.REMINDER: lambda event, entry: f"Reminder, still waiting at {event.weight} %",
}


_SPOKEN = frozenset(EventKind) - {
    EventKind.HELD,
    EventKind.WARNED,
    EventKind.REFUSED,
    EventKind.DRIFTED,
    EventKind.ADOPTED,
    EventKind.TROUBLE,
    EventKind.REMINDER,
}


def _packed(lines: Sequence[str]) -> list[str]:
    """Put lines together into as few texts as Slack's length of one allows."""
    texts: list[str] = []
    for line in lines:
        if texts and units(texts[-1]) + units(line) < SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _section(block_id: str, text: str) -> dict[str, Any]:
    return {
        "type": "section",
        "block_id": block_id,
        "text": {"type": "mrkdwn", "text": text, "verbatim": True},
    }

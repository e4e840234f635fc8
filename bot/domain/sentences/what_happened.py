"""What happened: a sentence for each event."""

from collections.abc import Callable, Sequence

from bot.domain.events import REJECTED, Event, EventKind
from bot.domain.prose import Code, Person, Prose, ended, say
from bot.domain.rollout import Entry
from bot.domain.sentences.reasons import reason
from bot.domain.sentences.traffic import all_traffic
from bot.domain.weights import mirrored

NOT_CHECKED = say("(not checked: Slack did not say who that is)")


def told(events: Sequence[Event], entry: Entry, *, longest: int = 1000) -> list[Prose]:
    """Write a sentence for each event, without its time; ``longest`` bounds each reason."""
    return [_sentence(event, entry, longest, approved=is_approved(events, at)) for at, event in enumerate(events)]


def is_approved(events: Sequence[Event], at: int) -> bool:
    """Say whether an event is the result of the approval before it, without another act of the approver."""
    if at == 0:
        return False
    before, event = events[at - 1], events[at]
    same = (before.at, before.by, before.weight) == (event.at, event.by, event.weight)
    return same and before.kind is EventKind.APPROVED and event.kind in (EventKind.STEPPED, EventKind.PROMOTED)


def _sentence(event: Event, entry: Entry, longest: int, *, approved: bool) -> Prose:
    did = _led_to(event, entry) if approved else _SENTENCES[event.kind](event, entry)
    why = reason(event.reason.removeprefix(REJECTED), _author(event, entry), longest)
    if not why:
        return say("{}.", did)
    # A person's words are quoted; the sentence of a gate or of the API server is one already.
    return say("{}: “{}”", did, why) if event.by and event.kind in _SPOKEN else say("{}: {}", did, ended(why))


def _author(event: Event, entry: Entry) -> str:
    """Return whose words an event's reason is; empty: ours. A reminder repeats those of the pause before it."""
    rollout = entry.rollout
    match event.kind:
        case EventKind.HELD | EventKind.HELD_ON:
            return ""
        case EventKind.REMINDER:
            return rollout.by if rollout.why == event.reason else "somebody"
        case _:
            return event.by


def _who(event: Event, did: Prose, itself: Prose) -> Prose:
    return say("{} {}", _person(event), did) if event.by else itself


def _person(event: Event) -> Prose:
    """Name who did it, and tell if that was somebody in a terminal whom the policy takes for that person."""
    who = say("{}", Person(event.by))
    if not event.is_checked:
        return say("{} {}", who, NOT_CHECKED)
    return say("{} (in a terminal, as Unix user `{}`)", who, event.unix_user) if event.unix_user else who


def _old(entry: Entry) -> Code:
    return Code(entry.rollout.stable.name, 50)


def _weight(event: Event) -> str:
    return "?" if event.weight is None else str(event.weight)


def _started(event: Event, entry: Entry) -> Prose:
    first = entry.rollout.plan.steps[0]
    who = _who(event, say("started the rollout"), say("Started"))
    if entry.rollout.plan.mirror:
        return say("{} with {}, from {}", who, mirrored(entry.rollout), _old(entry))
    if event.weight is not None and event.weight < first:  # it waits for people or a gate
        return say("{}, first weight {} %, from {}", who, first, _old(entry))
    return say("{} at {} %, from {}", who, first, _old(entry))


def _stepped(event: Event, entry: Entry) -> Prose:
    if event.weight == 0 and entry.rollout.plan.mirror:
        return _who(event, say("began the mirror"), say("The mirror has begun"))
    return say("{} to *{} %*", _who(event, say("stepped"), say("Stepped")), _weight(event))


def _led_to(event: Event, entry: Entry) -> Prose:
    """Write what an approval led to."""
    if event.kind is EventKind.PROMOTED:
        return say("*100 % approved by {}.* {} goes to the new pool", _person(event), all_traffic(entry))
    return say("Stepped to *{} %*", _weight(event))


def _held(event: Event, entry: Entry) -> Prose:
    return say("Held at {} %", _weight(event))


def _held_on(event: Event, entry: Entry) -> Prose:
    return say("Still held at {} %", _weight(event))


def _approval_wanted(event: Event, entry: Entry) -> Prose:
    return say("*{} % needs approval*", _weight(event))


def _approved(event: Event, entry: Entry) -> Prose:
    return say("{} {} %", _who(event, say("approved"), say("Approved:")), _weight(event))


def _rejected(event: Event, entry: Entry) -> Prose:
    return say("{}; paused at {} %", _who(event, say("rejected the step"), say("Rejected")), _weight(event))


def _paused(event: Event, entry: Entry) -> Prose:
    return say("{} at {} %", _who(event, say("paused it"), say("Paused")), _weight(event))


def _resumed(event: Event, entry: Entry) -> Prose:
    return _who(event, say("resumed it"), say("Resumed"))


def _promoted(event: Event, entry: Entry) -> Prose:
    who = _who(event, say("promoted it"), say("Promoted"))
    return say("*{}.* {} goes to the new pool", who, all_traffic(entry))


def _finished(event: Event, entry: Entry) -> Prose:
    return say("*{}.* The route dropped {}", _who(event, say("finished it"), say("Finished")), _old(entry))


def _rolled_back(event: Event, entry: Entry) -> Prose:
    who = _who(event, say("rolled back"), say("Rolled back automatically"))
    return say("*{}.* {} goes to {}", who, all_traffic(entry), _old(entry))


def _written_again(event: Event, entry: Entry) -> Prose:
    return _who(event, say("wrote the roll back again"), say("Wrote the roll back again"))


def _ended(event: Event, entry: Entry) -> Prose:
    return _who(event, say("ended it and left the weights"), say("Ended"))


def _restored(event: Event, entry: Entry) -> Prose:
    return say("{} {} %", _who(event, say("restored"), say("Restored")), _weight(event))


def _kept(event: Event, entry: Entry) -> Prose:
    return say("{} {} %", _who(event, say("adopted"), say("Adopted")), _weight(event))


def _kept_longer(event: Event, entry: Entry) -> Prose:
    return say("{} {} longer", _who(event, say("keeps the old pool"), say("Kept the old pool")), _old(entry))


def _cleaned(event: Event, entry: Entry) -> Prose:
    if event.by:
        return say(
            "*The old pool {} is being deleted*, as {} agreed. Nobody can roll back now", _old(entry), _person(event)
        )
    return say("Done. The old pool {} was deleted", _old(entry))


def _not_serving(event: Event, entry: Entry) -> Prose:
    return say("*{} % of the traffic goes to the new pool, which cannot serve*", _weight(event))


def _no_way_back(event: Event, entry: Entry) -> Prose:
    if event.weight == 0:
        return say("*All traffic goes to the old pool {}, which cannot serve*", _old(entry))
    return say("*The old pool {} cannot take traffic back*", _old(entry))


def _reminder(event: Event, entry: Entry) -> Prose:
    return say("Reminder: it still waits at {} %", _weight(event))


_SENTENCES: dict[EventKind, Callable[[Event, Entry], Prose]] = {
    EventKind.STARTED: _started,
    EventKind.STEPPED: _stepped,
    EventKind.ACCEPTANCE_UNKNOWN: lambda event, entry: say("The gateway did not say whether it accepts the route"),
    EventKind.HELD: _held,
    EventKind.HELD_ON: _held_on,
    EventKind.APPROVAL_WANTED: _approval_wanted,
    EventKind.APPROVED: _approved,
    EventKind.REJECTED: _rejected,
    EventKind.PAUSED: _paused,
    EventKind.RESUMED: _resumed,
    EventKind.PROMOTED: _promoted,
    EventKind.FINISHED: _finished,
    EventKind.ROLLED_BACK: _rolled_back,
    EventKind.WRITTEN_AGAIN: _written_again,
    EventKind.WARNED: lambda event, entry: say("Warning"),
    EventKind.ENDED: _ended,
    EventKind.FOLLOWED: lambda event, entry: say("Ended"),
    EventKind.REFUSED: lambda event, entry: say("Not started"),
    EventKind.DRIFTED: lambda event, entry: say("*Paused because somebody else wrote to the route*"),
    EventKind.RESTORED: _restored,
    EventKind.KEPT: _kept,
    EventKind.KEPT_LONGER: _kept_longer,
    EventKind.CLEANED: _cleaned,
    EventKind.ADOPTED: lambda event, entry: say("Took over a decision that was made on the route without me"),
    EventKind.REBUILT: lambda event, entry: say("Redis had lost this rollout; I restored it from its route"),
    EventKind.NOT_WRITTEN: lambda event, entry: say("Not on the route yet"),
    EventKind.TROUBLE: lambda event, entry: say("*Trouble*"),
    EventKind.WRITTEN: lambda event, entry: say("It is on the route now"),
    EventKind.NO_WAY_BACK: _no_way_back,
    EventKind.WAY_BACK: lambda event, entry: say("The old pool {} can serve again", _old(entry)),
    EventKind.NOT_SERVING: _not_serving,
    EventKind.SERVING: lambda event, entry: say("The new pool can serve again"),
    EventKind.REMINDER: _reminder,
    EventKind.PICTURE: lambda event, entry: say("How both pools did so far"),
}

_SPOKEN = frozenset(EventKind) - {
    EventKind.HELD,
    EventKind.HELD_ON,
    EventKind.WARNED,
    EventKind.REFUSED,
    EventKind.DRIFTED,
    EventKind.ADOPTED,
    EventKind.NOT_WRITTEN,
    EventKind.TROUBLE,
    EventKind.REMINDER,
    EventKind.NO_WAY_BACK,
    EventKind.NOT_SERVING,
}
"""Kinds whose reason a person gives."""

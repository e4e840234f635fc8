"""The moves that people and the timer share: each turns an entry into the next decision.

Nothing here asks whether somebody may do it; by_people.py, by_time.py and by_route.py do, and then move.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bot.domain.deadlines import next_look, next_step_due
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Ask, Change, Drift, Entry, Phase, Rollout

LONGEST_WHY: Final = 4_000
"""Of what gates and gateways say, a record keeps so many characters; more would not be read again (bounds.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What makes one decision: the time, a fresh random id for it, and who decides, as an event names them."""

    now: datetime
    decision: str
    by: str = ""
    unix_user: str = ""
    is_checked: bool = True


def after(entry: Entry, moment: Moment, **changes: Any) -> Rollout:
    """Return the record of the next decision: ``changes``, and what every decision moves.

    The next decision ends a drift, unless it says otherwise; a restore's write ends what it overwrites.
    """
    old = entry.rollout
    new = replace(old, **{"drift": None, "held_by": (), "overwrites": _still_overwrites(entry), **changes})
    moved = (new.phase, new.step) != (old.phase, old.step)
    went_on = old.phase is Phase.PAUSED and new.phase is not Phase.PAUSED
    return replace(
        new,
        why=new.why[:LONGEST_WHY],
        revision=old.revision + 1,
        decision=moment.decision,
        decided_at=moment.now,
        by=moment.by,
        base=written_step(entry),
        since=moment.now if moved else old.since,
        resumed_at=moment.now if went_on else old.resumed_at,
        turn=old.turn + 1 if moved else old.turn,
    )


def written_step(entry: Entry) -> int:
    """Return the step that is on the route as far as we know: an intent not yet written does not count."""
    return entry.rollout.step if entry.is_applied else entry.rollout.base


def _still_overwrites(entry: Entry) -> Drift | None:
    """Return what a restore wants to write over; None once it is on the route."""
    return None if entry.is_applied else entry.rollout.overwrites


def event(kind: EventKind, moment: Moment, rollout: Rollout, reason: str = "") -> Event:
    """Return the event of a decision."""
    return Event(
        kind=kind,
        at=moment.now,
        by=moment.by,
        unix_user=moment.unix_user,
        is_checked=moment.is_checked,
        weight=rollout.weight,
        reason=reason,
    )


def take_step(entry: Entry, step: int, moment: Moment, reason: str = "") -> Change:
    """Go to a step; the write and the gateway's acceptance start its time."""
    last = step == len(entry.rollout.plan.steps) - 1
    first = written_step(entry) < 0
    phase = Phase.STARTING if first else Phase.PROMOTED if last else Phase.PROGRESSING
    to = after(entry, moment, phase=phase, step=step, ask=None, left=None, why="")
    kind = EventKind.PROMOTED if last and not first else EventKind.STEPPED
    return Change(after=to, events=(event(kind, moment, to, reason),))


def ask_approval(entry: Entry, step: int, moment: Moment) -> Change:
    """Ask people for a step; the weights stay."""
    ask = Ask(id=moment.decision, step=step)
    to = after(entry, moment, phase=Phase.AWAITING_APPROVAL, ask=ask, left=None, why="")
    # A new question has a new deadline, even if the phase stays the same.
    to = replace(to, since=moment.now, turn=entry.rollout.turn + 1)
    told = replace(event(EventKind.APPROVAL_WANTED, moment, to), weight=to.plan.steps[step])
    return Change(after=to, events=(told,), due=next_look(to, moment.now))


def step_or_ask(entry: Entry, step: int, moment: Moment, reason: str = "") -> Change:
    """Take a step, or ask for it if the plan wants approval and nobody has given it."""
    if must_ask(entry.rollout, step):
        return ask_approval(entry, step, moment)
    return take_step(entry, step, moment, reason)


def must_ask(rollout: Rollout, step: int) -> bool:
    """Say whether people have to approve a step and have not. A share that the canary had before the start counts for
    nothing.
    """
    now = rollout.weight if rollout.step >= 0 else 0
    return rollout.plan.needs_approval(now, rollout.plan.steps[step]) and not is_approved(rollout, step)


def is_approved(rollout: Rollout, step: int) -> bool:
    """Say whether enough people approved this very step."""
    ask = rollout.ask
    return ask is not None and ask.step == step and len(ask.approvals) >= rollout.plan.approvals


def hold(entry: Entry, reason: str, moment: Moment, *, gates: tuple[str, ...] = ()) -> Change:
    """Hold because ``gates`` say so, or because the last write is not done."""
    to = after(entry, moment, phase=Phase.HOLDING, why=reason, held_by=gates)
    return Change(after=to, events=(event(EventKind.HELD, moment, to, reason),), due=next_look(to, moment.now))


def pause(entry: Entry, reason: str, moment: Moment, *, kind: EventKind = EventKind.PAUSED) -> Change:
    """Stop until a person goes on; a step that is not known to be written is taken back, and so is a restore.

    A step that waits for approval is remembered, but not who has approved it.
    """
    step = written_step(entry)
    old = entry.rollout.left if entry.rollout.phase is Phase.PAUSED else entry.rollout.phase
    left = _left(old, step, len(entry.rollout.plan.steps) - 1)
    asked = entry.rollout.ask
    ask = replace(asked, approvals=()) if asked and left is Phase.AWAITING_APPROVAL else None
    to = after(entry, moment, phase=Phase.PAUSED, step=step, left=left, why=reason, ask=ask)
    if back := _still_overwrites(entry):
        to = replace(to, drift=back, overwrites=None, restored=to.restored[:-1])
    return Change(after=to, events=(event(kind, moment, to, reason),), due=next_look(to, moment.now))


def _left(old: Phase | None, step: int, last: int) -> Phase:
    if step < 0:
        return Phase.STARTING
    if step == last:
        return Phase.PROMOTED
    return old if old in (Phase.AWAITING_APPROVAL, Phase.HOLDING) else Phase.PROGRESSING


def go_on(entry: Entry, moment: Moment) -> Change:
    """Go on with what a pause interrupted."""
    rollout = entry.rollout
    left = rollout.left
    if rollout.step < 0:
        return ask_approval(entry, 0, moment) if must_ask(rollout, 0) else _ask_gates_at_once(entry, moment)
    asked = rollout.ask.step if rollout.ask else rollout.next_step  # a step that was rejected is forgotten
    if left is Phase.AWAITING_APPROVAL and asked is not None and must_ask(rollout, asked):
        return ask_approval(entry, asked, moment)
    phase = Phase.PROMOTED if left is Phase.PROMOTED else Phase.PROGRESSING
    to = after(entry, moment, phase=phase, ask=None, left=None, why="")
    if left is Phase.HOLDING:
        return Change(after=to, events=(), due=moment.now)
    return Change(after=to, events=(), due=next_look(to, moment.now), step_due=next_step_due(to, moment.now))


def _ask_gates_at_once(entry: Entry, moment: Moment) -> Change:
    """Hold before the first weight until the timer has asked the gates."""
    to = after(entry, moment, phase=Phase.HOLDING, ask=None, left=None, why="The gates have not answered yet.")
    return Change(after=to, events=(), due=moment.now)


def roll_back(entry: Entry, reason: str, moment: Moment) -> Change:
    """Put all traffic back on the old pool."""
    to = after(entry, moment, phase=Phase.ROLLED_BACK, ask=None, left=None, why=reason)
    return Change(after=to, events=(event(EventKind.ROLLED_BACK, moment, to, reason),))


def roll_back_again(entry: Entry, reason: str, moment: Moment) -> Change:
    """Write a roll back once more; who rolled back first, and why, stays."""
    old, to = entry.rollout, roll_back(entry, reason, moment).after
    told = (event(EventKind.WRITTEN_AGAIN, moment, to, reason),)
    return Change(after=replace(to, by=old.by, why=old.why), events=told)


def refuse(entry: Entry, reason: str, moment: Moment) -> Change:
    """Give up a start that was never written to the route."""
    to = after(entry, moment, phase=Phase.REFUSED, ask=None, left=None, why=reason)
    return Change(after=to, events=(event(EventKind.REFUSED, moment, to, reason),))


def finish(entry: Entry, reason: str, moment: Moment) -> Change:
    """Leave only the canary on the route, as the guide does at its end."""
    to = after(entry, moment, phase=Phase.FINISHED, ask=None, left=None, why="")
    to = replace(to, kept_until=moment.now + to.plan.keep if to.plan.keep else None)
    told = (event(EventKind.FINISHED, moment, to, reason),)
    return Change(after=to, events=told, due=next_look(to, moment.now))


def let_go(entry: Entry, moment: Moment) -> Change:
    """End a finished rollout whose route has a newer one."""
    change = end(entry, "A newer rollout has the route.", moment)
    return replace(change, events=(replace(change.events[0], kind=EventKind.FOLLOWED),))


def end(entry: Entry, reason: str, moment: Moment) -> Change:
    """Stop managing the route; the weights stay as they are."""
    drift = entry.rollout.drift or _still_overwrites(entry)
    to = after(entry, moment, phase=Phase.ENDED, step=written_step(entry), ask=None, left=None, why=reason)
    to = replace(to, drift=drift, overwrites=None)
    return Change(after=to, events=(event(EventKind.ENDED, moment, to, reason),))

"""What the timer decides when a rollout is due, and when the gateway has spoken."""

from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.deadlines import (
    APPROVE_WITHIN,
    ASK_GATES_EVERY,
    BAKE_HOLD_LASTS,
    HOUR,
    LOOK_AT_STABLE_EVERY,
    LOOK_AT_STABLE_FOR,
    MINUTE,
    REMIND_EVERY,
    hold_lasts,
    next_look,
    next_reminder,
    next_step_due,
)
from bot.domain.decisions.moves import (
    Moment,
    after,
    event,
    finish,
    hold,
    is_approved,
    pause,
    roll_back,
    step_or_ask,
    take_step,
)
from bot.domain.events import Event, EventKind
from bot.domain.gate import QUALITY, GateAnswer, OnFail, Readiness, Verdict
from bot.domain.rollout import Change, Entry, Phase, Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """No decision; the timer looks again at ``due`` (None: never), and the next step comes at ``step_due``."""

    due: datetime | None
    step_due: datetime | None = None
    events: tuple[Event, ...] = ()


ASKS_GATES = frozenset({Phase.PROGRESSING, Phase.HOLDING, Phase.PROMOTED})
"""Phases whose due time asks the gates first."""

WATCHED = ASKS_GATES | {Phase.AWAITING_APPROVAL}
"""Phases in which a gate may fail a rollout between steps. A paused one is left to people."""

_STOPPED_BY_GATEWAY = WATCHED | {Phase.STARTING}


def on_failed(entry: Entry, verdict: Verdict, moment: Moment) -> Change | None:
    """Decide what to do about the gates' findings between steps; None if they need no action."""
    rollout = entry.rollout
    if verdict.answer is not GateAnswer.FAIL or rollout.phase not in WATCHED or not rollout.weight:
        return None
    return fail(entry, verdict, moment)


def on_due(entry: Entry, verdict: Verdict | None, moment: Moment) -> Change | LookAgain:
    """Decide what a due rollout does. ``verdict`` is there in the phases of ASKS_GATES."""
    if entry.step_due is not None and entry.step_due > moment.now:
        return LookAgain(due=entry.step_due, step_due=entry.step_due)
    match entry.rollout.phase:
        case Phase.PROGRESSING | Phase.HOLDING if verdict is not None:
            return _step(entry, verdict, moment)
        case Phase.PROMOTED if verdict is not None:
            return _finish(entry, verdict, moment)
        case Phase.STARTING:
            return on_accepted(entry, moment)
        case Phase.AWAITING_APPROVAL:
            return pause(entry, f"Nobody approved it within {APPROVE_WITHIN // HOUR} hours.", moment)
        case Phase.PAUSED | Phase.FINISHED:
            return LookAgain(
                due=next_reminder(entry.rollout, moment.now),
                events=(event(EventKind.REMINDER, moment, entry.rollout, entry.rollout.why),),
            )
        case _:
            return LookAgain(due=None)


def on_unwritten(entry: Entry, moment: Moment) -> Change | LookAgain | None:
    """Keep the deadlines of a decision that is not on the route yet; None while it only has to be written.

    A due time alone says nothing here: it may be that of a gateway that is listened to first.
    """
    waited = moment.now - entry.rollout.since
    match entry.rollout.phase:
        case Phase.HOLDING if waited >= hold_lasts(entry.rollout.held_by):
            return _held_too_long(entry, entry.rollout.why, moment)
        case Phase.AWAITING_APPROVAL if waited >= APPROVE_WITHIN:
            return on_due(entry, None, moment)
        case Phase.PAUSED if waited >= REMIND_EVERY:
            return on_due(entry, None, moment)
        case _:
            return None


def _step(entry: Entry, verdict: Verdict, moment: Moment) -> Change | LookAgain:
    step = _due_step(entry.rollout)
    if step is None:
        return take_step(entry, entry.rollout.step, moment)
    match verdict.answer:
        case GateAnswer.PASS if _is_overdue(entry.rollout, moment):
            return _held_too_long(entry, entry.rollout.why, moment)
        case GateAnswer.PASS:
            return step_or_ask(entry, step, moment)
        case GateAnswer.FAIL:
            return fail(entry, verdict, moment)
        case _:
            return _hold(entry, verdict, moment)


def _due_step(rollout: Rollout) -> int | None:
    """Return the step that people have approved, even if it skips some; else the next one."""
    if rollout.ask is not None and is_approved(rollout, rollout.ask.step):
        return rollout.ask.step
    return rollout.next_step


def _hold(entry: Entry, verdict: Verdict, moment: Moment) -> Change | LookAgain:
    rollout = entry.rollout
    if QUALITY in rollout.held_by and QUALITY not in verdict.gates:
        change = hold(entry, verdict.reason, moment, gates=verdict.gates)  # people have voted: what holds now is new
        return replace(change, after=replace(change.after, since=moment.now))
    if rollout.phase is Phase.HOLDING and moment.now - rollout.since >= hold_lasts(verdict.gates):
        return _held_too_long(entry, verdict.reason, moment)
    lasts = rollout.phase is Phase.HOLDING and _passes(entry, rollout.since + ASK_GATES_EVERY, moment)
    if rollout.phase is Phase.HOLDING and rollout.held_by == verdict.gates:
        held_on = (event(EventKind.HELD_ON, moment, rollout, verdict.reason),) if lasts else ()
        return LookAgain(due=moment.now + ASK_GATES_EVERY, events=held_on)
    change = hold(entry, verdict.reason, moment, gates=verdict.gates)
    told = replace(change.events[0], kind=EventKind.HELD_ON) if lasts else change.events[0]
    return replace(change, events=(told,))


def _is_overdue(rollout: Rollout, moment: Moment) -> bool:
    """Say whether a hold should have paused it a while ago, when nobody looked: people no longer expect a step."""
    return rollout.phase is Phase.HOLDING and moment.now - rollout.since >= hold_lasts(rollout.held_by) + MINUTE


def _passes(entry: Entry, time: datetime, moment: Moment) -> bool:
    """Say whether this look at a gate that says wait is the first one after a time."""
    return entry.due is not None and entry.due - ASK_GATES_EVERY < time <= moment.now


def _held_too_long(entry: Entry, reason: str, moment: Moment) -> Change:
    hours, minutes = divmod((moment.now - entry.rollout.since) // MINUTE, 60)
    lasted = f"{hours} hours" if hours > 1 else f"{60 * hours + minutes} minutes"
    return pause(entry, f"A gate held it for {lasted}: {reason}", moment)


def fail(entry: Entry, verdict: Verdict, moment: Moment) -> Change:
    """Roll back or pause, as the policy says; but never roll back by itself onto a pool that cannot serve."""
    if verdict.on_fail is OnFail.PAUSE:
        return pause(entry, verdict.reason, moment)
    if doubt := _doubt_of_stable(verdict.readiness):
        return pause(entry, f"{verdict.reason} I did not roll it back: {doubt}.", moment)
    return roll_back(entry, verdict.reason, moment)


def _doubt_of_stable(readiness: Readiness | None) -> str:
    """Say why traffic should not go back by itself; empty if the old pool can serve."""
    if readiness is None:
        return "nobody knows whether the old pool can serve"
    return f"the old pool cannot serve: {doubt.rstrip('.')}" if (doubt := readiness.stable_doubt) else ""


def _finish(entry: Entry, verdict: Verdict, moment: Moment) -> Change | LookAgain:
    if verdict.answer is GateAnswer.PASS:
        return finish(entry, "", moment)
    if verdict.answer is GateAnswer.FAIL:
        return fail(entry, verdict, moment)
    why, baked = f"The old pool stays on the route: {verdict.reason}", entry.rollout.since + entry.rollout.plan.bake
    if moment.now < baked + hold_lasts(verdict.gates):
        lasts = _passes(entry, baked + BAKE_HOLD_LASTS, moment)
        held_on = (event(EventKind.HELD_ON, moment, entry.rollout, why),) if lasts else ()
        return LookAgain(due=moment.now + ASK_GATES_EVERY, events=held_on)
    return pause(entry, why, moment)


def on_accepted(entry: Entry, moment: Moment) -> Change | LookAgain:
    """Start the phase's time: the gateway has accepted the weights, or will not say."""
    rollout = entry.rollout
    if rollout.phase is Phase.ROLLED_BACK:
        return _look_at_stable(rollout, "", _doubt(entry.readiness), moment)
    if rollout.phase is not Phase.STARTING:
        return LookAgain(due=next_look(rollout, moment.now), step_due=next_step_due(rollout, moment.now))
    phase = Phase.PROMOTED if rollout.next_step is None else Phase.PROGRESSING
    to = after(entry, moment, phase=phase)
    told = (event(EventKind.PROMOTED, moment, to),) if phase is Phase.PROMOTED else ()
    return Change(after=to, events=told, due=next_look(to, moment.now), step_due=next_step_due(to, moment.now))


def after_roll_back(entry: Entry, seen: Readiness, moment: Moment) -> LookAgain:
    """Look again while the old pool, which has all the traffic, cannot serve, as ``seen`` now; tell when that ends."""
    return _look_at_stable(entry.rollout, _doubt(entry.readiness), _doubt(seen), moment)


def _doubt(readiness: Readiness | None) -> str:
    return readiness.stable_doubt if readiness else ""


def _look_at_stable(rollout: Rollout, told: str, doubt: str, moment: Moment) -> LookAgain:
    """Tell of a doubt once, and of its end only if it was ``told``."""
    if not doubt:
        return LookAgain(due=None, events=(event(EventKind.WAY_BACK, moment, rollout),) if told else ())
    again = moment.now + LOOK_AT_STABLE_EVERY if moment.now - rollout.since < LOOK_AT_STABLE_FOR else None
    return LookAgain(due=again, events=() if told else (event(EventKind.NO_WAY_BACK, moment, rollout, doubt),))


def on_rejected(entry: Entry, message: str, moment: Moment) -> Change | LookAgain:
    """Handle a refusal of the gateway: take a first write back, pause at a later one."""
    why = f"The gateway refused the route: {message}"
    match entry.rollout.phase:
        case Phase.STARTING:
            return roll_back(entry, why, moment)
        case phase if phase in _STOPPED_BY_GATEWAY:
            return pause(entry, why, moment)
        case _:
            return _told(entry, why, moment)


def on_part_refused(entry: Entry, message: str, moment: Moment) -> Change | LookAgain:
    """Handle a gateway that does not take the whole route, but may have taken our part: people decide."""
    why = f"The gateway does not take the whole route: {message}"
    if entry.rollout.phase in _STOPPED_BY_GATEWAY:
        return pause(entry, why, moment)
    return _told(entry, why, moment)


def _told(entry: Entry, why: str, moment: Moment) -> LookAgain:
    """Tell of a no that stops nothing, unless the rollout is paused because of the same: some gateways waver."""
    told = () if why == entry.rollout.why else (event(EventKind.TROUBLE, moment, entry.rollout, why),)
    return LookAgain(due=next_look(entry.rollout, moment.now), events=told)

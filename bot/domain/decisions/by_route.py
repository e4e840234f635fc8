"""What a copy of the route means for a record: a table, and the decisions it leads to.

Every row was model-checked; a shorter table broke a promise. tests/bot/domain/decisions/test_by_route.py holds each.
"""

from dataclasses import replace
from enum import StrEnum

from bot.domain.deadlines import next_look, next_step_due
from bot.domain.decisions.drift import raises_over
from bot.domain.decisions.moves import Moment, event, pause, refuse, roll_back, written_step
from bot.domain.events import Event, EventKind
from bot.domain.rollout import SLOTLESS, TAKEN_BACK, Applied, Change, Entry, Pair, Phase, Rollout, wanted

Observed = tuple[Pair | None, ...]
"""Weights of each rule of a rollout as a copy of the route has them; None: the rule is not there."""


class Move(StrEnum):
    """What to do about a route."""

    DONE = "done"
    NOTE = "note"  # write the annotation alone
    WEIGHTS = "weights"  # write weights and annotation
    DRIFT = "drift"  # somebody else changed our weights: take the step back and pause
    ADOPT = "adopt"  # somebody else decided: the terminal brake, or a store that forgot
    REFUSE = "refuse"  # the route belongs to another rollout


TRUSTS_OLD_COPY = frozenset({Move.DONE, Move.NOTE, Move.WEIGHTS})
"""Moves that may use an old copy, because guards make them harmless. The others need a fresh one."""


def judge(
    entry: Entry, note: Rollout | None, observed: Observed, *, holds_slot: bool, other_is_over: bool | None = None
) -> Move:
    """Compare a record with the annotation and weights of its route.

    ``note`` is the record in the annotation. ``other_is_over``: whether the store knows the rollout of a
    foreign note to be over; None if it does not know it.
    """
    if note is not None and note.id != entry.rollout.id:
        return _foreign(entry, note, observed, holds_slot=holds_slot, other_is_over=other_is_over)
    if note is None:
        return _write_or_drift(entry, observed, fits=_is_first(entry) and observed == _untouched(entry))
    if note.decision == entry.rollout.decision:
        return _own(entry, observed)
    if _is_known(entry, note):
        return _write_or_drift(entry, observed, fits=_is_as_left(entry.rollout, note, observed))
    if note.revision >= (entry.applied.revision if entry.applied else 0) or note.phase is Phase.ROLLED_BACK:
        return Move.ADOPT
    return _write_or_drift(entry, observed, fits=False)


def _foreign(entry: Entry, note: Rollout, observed: Observed, *, holds_slot: bool, other_is_over: bool | None) -> Move:
    is_active = _is_first(entry) and other_is_over is None and note.phase not in SLOTLESS
    if came_after(entry.rollout, note) or is_active or not holds_slot:
        return Move.REFUSE
    return _write_or_drift(entry, observed, fits=_is_first(entry) and observed == _untouched(entry))


def came_after(rollout: Rollout, note: Rollout) -> bool:
    """Say whether another rollout had the route after this one, so that this one was over: what else a store says is
    older than the route. One that was refused never had it.
    """
    return note.id != rollout.id and note.phase is not Phase.REFUSED and note.started_at > rollout.started_at


def _own(entry: Entry, observed: Observed) -> Move:
    rollout = entry.rollout
    if rollout.phase is Phase.PAUSED and rollout.drift is not None:
        # The same weights again: what people see is still true.
        return Move.DONE if observed == rollout.drift.found else Move.DRIFT
    if rollout.hands_off or is_as_wanted(observed, rollout) or _is_past(rollout, observed):
        return Move.DONE
    return Move.WEIGHTS if rollout.phase in TAKEN_BACK else Move.DRIFT


def _is_first(entry: Entry) -> bool:
    return entry.applied is None


def _untouched(entry: Entry) -> Observed:
    return wanted(replace(entry.rollout, phase=Phase.STARTING, step=-1))


def _is_known(entry: Entry, note: Rollout) -> bool:
    applied = entry.applied is not None and entry.applied.decision == note.decision
    return applied or note.decision in entry.pending


def _is_as_left(rollout: Rollout, note: Rollout, observed: Observed) -> bool:
    """Say whether the weights are as the decision in the annotation left them: ours, or those that somebody else set.

    A restore was decided on what was found last, which the annotation may not tell yet.
    """
    if note.drift is not None:
        return observed == (rollout.overwrites or note.drift).found
    return note.phase is Phase.ENDED or is_as_wanted(observed, note)


def is_as_wanted(observed: Observed, rollout: Rollout) -> bool:
    """Say whether the weights are as a record wants them; a roll back accepts that rules are gone."""
    pairs = zip(observed, wanted(rollout), strict=True)
    if rollout.phase in TAKEN_BACK:
        return all(seen is None or _is_back(seen, pair) for seen, pair in pairs)
    return all(seen == pair for seen, pair in pairs)


def is_back(observed: Observed) -> bool:
    """Say whether the canary has no traffic in any rule, and the stable pool has some, whatever its weight is."""
    return all(seen is None or (not seen.canary and bool(seen.stable) and seen.mirror is None) for seen in observed)


def _is_back(seen: Pair, wished: Pair) -> bool:
    """Compare what a roll back left: a missing canary has no traffic, like one at 0."""
    return seen.stable == wished.stable and (seen.canary or 0) == (wished.canary or 0) and seen.mirror is None


def _write_or_drift(entry: Entry, observed: Observed, *, fits: bool) -> Move:
    rollout = entry.rollout
    if rollout.hands_off or _is_past(rollout, observed):
        return Move.NOTE
    if rollout.phase in TAKEN_BACK:
        return Move.WEIGHTS  # always both weights, even if an old copy shows them as wanted
    if not fits:
        return Move.DRIFT
    return Move.NOTE if observed == wanted(rollout) else Move.WEIGHTS


def _is_past(rollout: Rollout, observed: Observed) -> bool:
    """Say whether the old pool is off the route for good: what others make of the rest is theirs."""
    return rollout.phase in (Phase.FINISHED, Phase.CLEANED) and all(
        seen is None or seen.stable is None for seen in observed
    )


def differs(rollout: Rollout, note: Rollout | None, observed: Observed) -> bool:
    """Say whether a route differs from what its applied record left, so that apply has to judge it."""
    if rollout.phase in SLOTLESS:
        # Over: only a newer decision matters, or an old annotation of ours that somebody put back (a backup, GitOps).
        if note is None or note.id != rollout.id:
            return False
        return note.decision != rollout.decision and _speaks(rollout, note)
    if note is None or note.decision != rollout.decision:
        return True
    return observed != (rollout.drift.found if rollout.drift else wanted(rollout))


def _speaks(rollout: Rollout, note: Rollout) -> bool:
    return note.revision > rollout.revision or (rollout.phase is Phase.ROLLED_BACK and note.phase not in SLOTLESS)


def raises(rollout: Rollout) -> bool:
    """Say whether a decision puts more on the canary than was on the route when it was decided: also a mirror."""
    if rollout.phase in TAKEN_BACK:
        return False
    if rollout.overwrites is not None:
        return raises_over(rollout, rollout.overwrites)
    return rollout.weight > rollout.weight_at(rollout.base) or (rollout.mirror > 0 and rollout.base < 0)


def taken_back(entry: Entry, reason: str, moment: Moment) -> Change:
    """Give up a step up that could not be written: pause at the old weight, or refuse if it was the start."""
    if written_step(entry) < 0:
        return refuse(entry, reason, moment)
    return pause(entry, reason, moment)


def foreign_owner(entry: Entry, note: Rollout, moment: Moment) -> Change:
    """Give up a start on a route that another rollout owns; nothing was written."""
    why = f"HTTPRoute {note.namespace}/{note.route} belongs to rollout {note.id} of {note.canary.name}."
    return refuse(entry, why, moment)


STRENGTH = (Phase.ROLLED_BACK, Phase.REFUSED, Phase.ENDED, Phase.CLEANED, Phase.FINISHED, Phase.PAUSED)
"""If two records disagree, the phase that comes first here wins."""


def adopted(entry: Entry, note: Rollout, moment: Moment) -> Change:
    """Continue from a decision on the route that the store does not know; a roll back on either side wins.

    What is on the route (the step) is the note's, and so is the plan, to which an adopted weight may have been added.
    The phase, who decided it and why are the winner's. Everything else, like the weights from before, stays ours.
    """
    ours = entry.rollout
    phase = next((p for p in STRENGTH if p in (ours.phase, note.phase)), note.phase)
    winner = ours if ours.phase is phase and phase in STRENGTH else note
    to = replace(
        ours,
        step=note.step,
        plan=note.plan,
        held_by=note.held_by,
        restored=note.restored,
        stable_gone=note.stable_gone,
        kept_until=note.kept_until,
        phase=phase,
        since=min(winner.since, moment.now),
        by=winner.by,
        why=winner.why,
        left=winner.left,
        drift=winner.drift,
        overwrites=None,
        ask=winner.ask,
        revision=max(ours.revision, note.revision) + 1,
        decision=moment.decision,
        decided_at=moment.now,
        base=note.step,
        turn=max(ours.turn, note.turn) + 1,
    )
    kind = _told_as(ours, phase)
    when = (
        min(winner.decided_at, moment.now) if kind is EventKind.ROLLED_BACK else moment.now
    )  # without the store, a while ago
    told = Event(kind=kind, at=when, by=winner.by, weight=to.weight, reason=winner.why)
    due, step_due = next_look(to, moment.now), next_step_due(to, moment.now)
    return Change(after=to, events=(told,), due=due, step_due=step_due)


def _told_as(ours: Rollout, phase: Phase) -> EventKind:
    """Tell people of a roll back as such, unless they know of it."""
    is_news = phase is Phase.ROLLED_BACK and ours.phase is not Phase.ROLLED_BACK
    return EventKind.ROLLED_BACK if is_news else EventKind.ADOPTED


def applied_by(note: Rollout, generation: int) -> Applied:
    """Return what the annotation says is on the route."""
    return Applied(
        revision=note.revision, decision=note.decision, weight=note.weight, at=note.decided_at, generation=generation
    )


def gone(entry: Entry, why: str, moment: Moment) -> Change:
    """End a rollout whose route is gone; there is nothing to write."""
    to = roll_back(entry, why, moment).after
    to = replace(to, phase=Phase.ENDED)
    return Change(after=to, events=(event(EventKind.ENDED, moment, to, why),))

"""Weights that people are shown: what is on the route now, what comes next, what is asked for."""

from bot.domain.decisions.drift import share
from bot.domain.prose import Prose, say
from bot.domain.rollout import Entry, Phase, Rollout


def weight_there(entry: Entry) -> int:
    """Percent that is known to be on the canary now, not what is wanted: a canary that is taken over has some, and
    somebody else may have set it.
    """
    rollout, applied = entry.rollout, entry.applied
    theirs = share(rollout.drift) if rollout.drift else None
    if theirs is not None:
        return theirs
    if applied is None or (rollout.phase is Phase.REFUSED and not applied.generation):  # nothing was ever written
        return rollout.weight_at(-1)
    return applied.weight


def next_weight(rollout: Rollout) -> int:
    """Percent of the step after this one."""
    return rollout.plan.steps[-1 if rollout.next_step is None else rollout.next_step]


def asked_weight(rollout: Rollout) -> int:
    """Percent of the step that is asked for, else of the one after this."""
    return rollout.plan.steps[rollout.ask.step] if rollout.ask else next_weight(rollout)


def asked_step(rollout: Rollout) -> Prose:
    """Say what the step is that is asked for: a weight, or the mirror before the first one."""
    step = rollout.ask.step if rollout.ask else rollout.next_step
    return mirrored(rollout) if step == 0 and rollout.plan.mirror else say("{} %", asked_weight(rollout))


def mirrored(rollout: Rollout) -> Prose:
    """Say which share the rollout mirrors at its first step."""
    return say("a mirror of {} %", rollout.plan.mirror)


def asked_marks(rollout: Rollout) -> tuple[int, ...]:
    """Percents that one approval covers now: the marks that the step reaches or crosses, and where it goes."""
    plan, asked = rollout.plan, asked_weight(rollout)
    now = rollout.weight if rollout.step >= 0 else 0
    return tuple(sorted({asked, *(mark for mark in plan.approve_at if now < mark <= asked)}))


def is_moving(entry: Entry) -> bool:
    """Say whether another weight is wanted than the one that is known to be on the route."""
    rollout = entry.rollout
    if entry.is_applied or rollout.hands_off or rollout.phase is Phase.REFUSED:
        return False
    return weight_there(entry) != rollout.weight


def filled(percent: int, cells: int) -> int:
    """Return how many cells of a bar show a weight; one that is neither 0 nor 100 never looks like it."""
    return min(max(round(percent * cells / 100), 1), cells - 1) if 0 < percent < 100 else percent * cells // 100

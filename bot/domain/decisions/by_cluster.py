"""What happens to a rollout when a pool is deleted or cannot serve, or another controller takes its route."""

from dataclasses import replace

from bot.domain.decisions.moves import Moment, after, event, pause
from bot.domain.errors import RouteError
from bot.domain.events import EventKind
from bot.domain.rollout import SLOTLESS, Change, Entry, Phase, Pool, Rollout


def pool_gone(entry: Entry, pool: Pool, moment: Moment) -> Change | None:
    """Pause if one of the pools was deleted; a finished rollout whose old pool is gone is done. None: no change."""
    rollout = entry.rollout
    if rollout.phase is Phase.FINISHED and pool == rollout.stable:
        to = after(entry, moment, phase=Phase.CLEANED, why="")
        return Change(after=to, events=(event(EventKind.CLEANED, moment, to),))
    is_expected = rollout.phase is Phase.PAUSED and rollout.why == is_being_deleted(rollout, pool)
    if rollout.phase in SLOTLESS | {Phase.PAUSED} and not is_expected:
        return None
    return _pause(entry, pool, was_deleted(rollout, pool), moment)


def deletion_begins(entry: Entry, moment: Moment) -> Change:
    """End the way back because the old pool is about to be deleted. Raises RouteError if it is not finished."""
    rollout = entry.rollout
    if rollout.phase is not Phase.FINISHED:
        raise RouteError(
            f"Nothing was deleted: rollout `{rollout.id}` is {rollout.phase.value.replace('_', ' ')} now.",
            hint="Only the old pool of a finished rollout can be deleted.",
        )
    to = after(entry, moment, phase=Phase.CLEANED, why="")
    return Change(after=to, events=(event(EventKind.CLEANED, moment, to),))


def pool_ending(entry: Entry, pool: Pool, moment: Moment) -> Change | None:
    """Pause if one of the pools is being deleted, and still there. None: no change, or people know."""
    rollout = entry.rollout
    if rollout.phase in SLOTLESS | {Phase.PAUSED} or (pool == rollout.stable and rollout.stable_gone):
        return None
    return _pause(entry, pool, is_being_deleted(rollout, pool), moment)


def stable_back(entry: Entry, moment: Moment) -> Change | None:
    """Note that an old pool that was gone is there again: gates compare with it, and people hear if it goes once more.

    None: no change, or it is not the time for one.
    """
    rollout = entry.rollout
    if not rollout.stable_gone or rollout.phase in SLOTLESS | {Phase.PAUSED} or not entry.is_applied:
        return None
    to = after(entry, moment, stable_gone=False, held_by=rollout.held_by)
    return Change(after=replace(to, by=rollout.by), events=(), due=entry.due, step_due=entry.step_due)


def was_deleted(rollout: Rollout, pool: Pool) -> str:
    """Say that a pool was deleted, and what that means for its rollout."""
    if pool == rollout.stable:
        then = "A roll back would have nowhere to go: promote, or create it again."
    elif rollout.weight:
        then = "Requests that go there fail: roll back, or bring it up again and resume."
    else:
        then = "Deploy it again and resume, or roll back."
    return f"InferencePool `{pool.name}` was deleted. {then}"


def is_being_deleted(rollout: Rollout, pool: Pool) -> str:
    """Say that a pool is being deleted, and what that means for its rollout."""
    if pool == rollout.stable:
        then = "Soon a roll back will have nowhere to go: promote, or create it again when it is gone."
    elif rollout.weight:
        then = "Its requests will fail: roll back, or create it again when it is gone."
    else:
        then = "Deploy it again when it is gone and resume, or roll back."
    return f"InferencePool `{pool.name}` is being deleted. {then}"


def paused_over(rollout: Rollout, pool: Pool) -> bool:
    """Say whether it is paused because a pool is gone, or being deleted."""
    return rollout.phase is Phase.PAUSED and rollout.why in (
        was_deleted(rollout, pool),
        is_being_deleted(rollout, pool),
    )


def can_go_without_stable(rollout: Rollout) -> bool:
    """Say whether it is paused because the old pool is gone, or will be, and 100 % on the new one is a way out."""
    return paused_over(rollout, rollout.stable) and rollout.step >= 0 and rollout.next_step is not None


def _pause(entry: Entry, pool: Pool, why: str, moment: Moment) -> Change:
    rollout, change = entry.rollout, pause(entry, why, moment)
    return replace(change, after=replace(change.after, stable_gone=rollout.stable_gone or pool == rollout.stable))


def owned(entry: Entry, owner: str, moment: Moment) -> Change | None:
    """Pause if another controller moves the weights now; ``owner`` says which. None if it is paused or over."""
    return None if entry.rollout.phase in SLOTLESS | {Phase.PAUSED} else pause(entry, owner, moment)

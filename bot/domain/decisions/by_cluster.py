"""What happens to a rollout when a pool is deleted or cannot serve, or another controller takes its route."""

from dataclasses import replace

from bot.domain.decisions.moves import Moment, after, event, pause
from bot.domain.events import Event, EventKind
from bot.domain.gate import Readiness
from bot.domain.rollout import SLOTLESS, Change, Entry, Phase, Pool


def pool_gone(entry: Entry, pool: Pool, moment: Moment) -> Change | None:
    """Pause if one of the pools was deleted; a finished rollout whose old pool is gone is done. None: no change."""
    rollout = entry.rollout
    if rollout.phase is Phase.FINISHED and pool == rollout.stable:
        to = after(entry, moment, phase=Phase.CLEANED, why="")
        return Change(after=to, events=(event(EventKind.CLEANED, moment, to),))
    if rollout.phase in SLOTLESS | {Phase.PAUSED}:
        return None
    if pool == rollout.canary:
        then = "Requests that go there fail: roll back, or bring it up again and resume."
    else:
        then = "A roll back would have nowhere to go until it is there again."
    change = pause(entry, f"InferencePool `{pool.name}` was deleted. {then}", moment)
    return replace(change, after=replace(change.after, stable_gone=rollout.stable_gone or pool == rollout.stable))


def way_back_news(entry: Entry, seen: Readiness | None, moment: Moment) -> tuple[Event, ...]:
    """Tell that the old pool can no longer take traffic back, or can again, if that is new.

    Of a rollout that is finished nobody wants to know: its old pool is to be removed.
    """
    rollout = entry.rollout
    if seen is None or rollout.phase in SLOTLESS - {Phase.ROLLED_BACK}:
        return ()
    is_back = rollout.phase is Phase.ROLLED_BACK  # then it is told whatever was known before
    could = is_back or entry.readiness is None or entry.readiness.stable_ready > 0
    if could == (seen.stable_ready > 0):
        return ()
    return (event(EventKind.NO_WAY_BACK if could else EventKind.WAY_BACK, moment, rollout),)


def owned(entry: Entry, owner: str, moment: Moment) -> Change | None:
    """Pause if another controller moves the weights now; ``owner`` says which. None if it is paused or over."""
    return None if entry.rollout.phase in SLOTLESS | {Phase.PAUSED} else pause(entry, owner, moment)

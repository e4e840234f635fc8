"""How long each wait may last, and when the timer looks at a rollout next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.gate import QUALITY
from bot.domain.rollout import STEPS_BY_ITSELF, Phase, Rollout

WRITE_WITHIN = timedelta(seconds=60)  # for a decision to raise the canary, counted from when its gates passed
ACCEPT_WITHIN = timedelta(seconds=60)
POLL_ACCEPTANCE = timedelta(milliseconds=300)
ASK_GATES_EVERY = timedelta(seconds=30)  # while they hold a step
WATCH_GATES_EVERY = timedelta(seconds=15)  # between steps, for those that may fail
HOLD_AT_MOST = timedelta(minutes=30)
BAKE_HOLD_LASTS = timedelta(minutes=1)  # after the bake, before people hear that the old pool stays
WRITE_LASTS = timedelta(seconds=30)  # for a write to fail before the channel hears of it
ROLLBACK_LASTS = timedelta(seconds=10)
APPROVE_WITHIN = timedelta(hours=24)
REMIND_EVERY = timedelta(hours=4)
REMIND_CLOSELY = 12  # this many reminders at REMIND_EVERY, then one a day
LOOK_AT_STABLE_EVERY = timedelta(seconds=10)  # after a roll back onto a pool that cannot serve
LOOK_AT_STABLE_FOR = timedelta(days=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REMIND_FINISHED = 7  # days


def hold_lasts(gates: Sequence[str]) -> timedelta:
    """Return how long gates may hold a rollout: as long as an approval may take while people are waited for."""
    return APPROVE_WITHIN if QUALITY in gates else HOLD_AT_MOST


def next_look(rollout: Rollout, now: datetime) -> datetime | None:
    """Return when the timer looks at a rollout whose write is done; the phase's time starts ``now``."""
    match rollout.phase:
        case Phase.STARTING:
            return now + POLL_ACCEPTANCE
        case Phase.PROGRESSING:
            return now + rollout.plan.interval
        case Phase.HOLDING:
            return now + ASK_GATES_EVERY
        case Phase.AWAITING_APPROVAL:
            return rollout.since + APPROVE_WITHIN
        case Phase.PROMOTED:
            return now + rollout.plan.bake
        case Phase.PAUSED | Phase.FINISHED:
            return next_reminder(rollout, now)
        case _:
            return None


def next_step_due(rollout: Rollout, now: datetime) -> datetime | None:
    """Return when the next step comes, or the bake ends, of a rollout whose phase's time starts ``now``."""
    return next_look(rollout, now) if rollout.phase in STEPS_BY_ITSELF else None


def next_reminder(rollout: Rollout, now: datetime) -> datetime | None:
    """Return when to remind people of a paused or finished rollout again; None: no more."""
    if rollout.phase is Phase.FINISHED:
        first = rollout.kept_until or rollout.since  # while the old pool is kept nobody has to do anything
        days = max((now - first) // DAY + 1, 1)
        return first + days * DAY if days <= REMIND_FINISHED else None
    count = (now - rollout.since) // REMIND_EVERY + 1
    if count <= REMIND_CLOSELY:
        return rollout.since + count * REMIND_EVERY
    close = rollout.since + REMIND_CLOSELY * REMIND_EVERY
    return close + ((now - close) // DAY + 1) * DAY

"""What the leader begins by itself, where the policy says so: trials, warm-ups, comparisons, and removals."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from bot.config.policy import Policy
from bot.domain.rollout import Entry
from bot.engine.ports import Clock
from bot.engine.route_port import Routes
from bot.engine.store_port import Progress
from bot.gates import quality, warm_up
from bot.operations import asked_by_gates, removals_when_due, trials_after_steps
from bot.operations.asked_by_gates import Comparisons, WarmUps
from bot.operations.removals_when_due import RemovalsWhenDue
from bot.operations.trials_after_steps import TrialsAfterSteps
from bot.service.operations import OperationParts, tell_trouble
from bot.store.store import RedisStore

Every = Callable[[timedelta, str, Callable[[], None]], None]


def look_for_work(
    every: Every, policy: Policy, operations: OperationParts, store: RedisStore, routes: Routes, clock: Clock
) -> None:
    """Look again and again, with ``every``, for what is to be begun."""
    records, tell = operations.records, partial(tell_trouble, store, clock)

    def ask_again(entry: Entry) -> None:
        store.learn(entry.rollout.id, entry.rollout.decision, Progress(due=clock.now(), redraw=False))

    if policy.trial.after_steps:
        trials = TrialsAfterSteps(operations.by_itself(store))
        every(trials_after_steps.LOOK_EVERY, "trials after steps", trials.look)
    if policy.waits_for(warm_up.NAME):
        warm_ups = WarmUps(operations.by_itself(store), records, routes, ask_again, tell)
        every(asked_by_gates.LOOK_EVERY, "new pools that are cold", warm_ups.look)
    if policy.waits_for(quality.NAME):
        comparisons = Comparisons(operations.by_itself(store), records, ask_again, tell)
        every(asked_by_gates.LOOK_EVERY, "answers to compare", comparisons.look)
    if policy.clean.allowed:
        removals = RemovalsWhenDue(operations.by_itself(store), tell)
        every(removals_when_due.LOOK_EVERY, "old pools that were kept long enough", removals.look)

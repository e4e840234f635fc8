"""What /metrics says about the bot, counted at every request."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.domain.errors import StoreError
from bot.domain.operation import OVER, OperationPhase
from bot.domain.rollout import Entry, Phase
from bot.engine.operation_ports import Operations
from bot.engine.ports import Clock
from bot.engine.store_port import Store
from bot.service.rollout_metrics import metrics_of


class RolloutMetrics(Collector):
    """Rollouts, writes that are not on their route yet, and whether this process leads."""

    def __init__(self, store: Store, leads: Callable[[], bool], clock: Clock) -> None:
        self._store, self._leads, self._clock = store, leads, clock

    def describe(self) -> Iterable[Metric]:
        """Return nothing: otherwise registering it asks Redis, and a start must not wait for Redis."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the gauges; without the store's if it does not answer."""
        yield GaugeMetricFamily(
            "rolloutbot_leader", "1 if this process runs the timer and the board.", int(self._leads())
        )
        try:
            entries = self._store.entries()
            over = self._over_but_not_written(entries)
        except StoreError:
            return
        phases = Counter(entry.rollout.phase for entry in entries)
        rollouts = GaugeMetricFamily("rolloutbot_rollouts", "Rollouts that are not over.", labels=["phase"])
        for phase in Phase:
            rollouts.add_metric([phase.value], phases[phase])
        yield rollouts
        unapplied = sum(not entry.is_applied for entry in (*entries, *over))
        yield GaugeMetricFamily("rolloutbot_unapplied", "Rollouts whose last decision is not on the route.", unapplied)
        yield from metrics_of((*entries, *over), self._clock.now())

    def _over_but_not_written(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return rollouts whose end is not on the route yet, as after a roll back that the API server refuses."""
        later = self._clock.now() + timedelta(days=1)  # whenever their next try is
        waiting = {each for brakes in (True, False) for each in self._store.unapplied(later, brakes=brakes)}
        missing = self._store.load_all(sorted(waiting - {entry.rollout.id for entry in entries}))
        return [entry for entry in missing if entry.rollout.is_over]


class OperationMetrics(Collector):
    """Operations that are under way, by phase."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def describe(self) -> Iterable[Metric]:
        """Return nothing, as above."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the gauge; none if the store does not answer."""
        try:
            phases = Counter(operation.phase for operation in self._operations.under_way())
        except StoreError:
            return
        operations = GaugeMetricFamily("rolloutbot_operations", "Operations that are under way.", labels=["phase"])
        for phase in OperationPhase:
            if phase not in OVER:
                operations.add_metric([phase.value], phases[phase])
        yield operations

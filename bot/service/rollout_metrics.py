"""What /metrics says of each rollout: weights, phase, what the gates said last, and how long it waits for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from bot.domain.decisions.drift import share
from bot.domain.rollout import SLOTLESS, Acceptance, Entry, Phase
from bot.domain.weights import weight_there

LABELS: Final = ("namespace", "route", "pool", "old_pool")
WAITS_FOR_PEOPLE: Final = frozenset({Phase.AWAITING_APPROVAL, Phase.PAUSED})


def metrics_of(entries: Sequence[Entry], now: datetime) -> Iterable[Metric]:
    """Return the gauges of rollouts. A replica that does not lead gives the same ones.

    Nobody asks the gates of a finished rollout, so what they said last is left out.
    """
    weight = GaugeMetricFamily(
        "rolloutbot_rollout_weight_percent",
        "Percent of the traffic on the new pool: wanted, written to the route (by us or somebody else), accepted by "
        "the gateway.",
        labels=[*LABELS, "state"],
    )
    phase = GaugeMetricFamily("rolloutbot_rollout_phase", "1 for the phase of a rollout.", labels=[*LABELS, "phase"])
    gates = GaugeMetricFamily(
        "rolloutbot_rollout_gate", "1 for what a gate said last.", labels=[*LABELS, "gate", "answer"]
    )
    waits = GaugeMetricFamily(
        "rolloutbot_rollout_waits_for_people_seconds",
        "How long a rollout has waited for an approval, or has been paused.",
        labels=LABELS,
    )
    for entry in entries:
        of = _labels(entry)
        for state, percent in _weights(entry):
            weight.add_metric([*of, state], percent)
        phase.add_metric([*of, entry.rollout.phase.value], 1)
        for finding in () if entry.rollout.phase in SLOTLESS else entry.findings:
            gates.add_metric([*of, finding.gate, finding.answer.value], 1)
        waits.add_metric(of, _waited(entry, now))
    return weight, phase, gates, waits


def _labels(entry: Entry) -> Sequence[str]:
    rollout = entry.rollout
    return rollout.namespace, rollout.route, rollout.canary.name, rollout.stable.name


def _weights(entry: Entry) -> Iterable[tuple[str, int]]:
    yield "wanted", entry.rollout.weight
    drift = entry.rollout.drift
    if entry.applied is not None and not (drift and share(drift) is None):
        yield "written", weight_there(entry)
        if entry.acceptance is Acceptance.ACCEPTED and not entry.rollout.drifted:
            yield "accepted", entry.applied.weight


def _waited(entry: Entry, now: datetime) -> float:
    waits = entry.rollout.phase in WAITS_FOR_PEOPLE
    return (now - entry.rollout.since).total_seconds() if waits else 0.0

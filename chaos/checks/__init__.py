"""The promises, each checked on everything that a run left behind."""

from collections.abc import Callable, Sequence

from chaos.checks import ends, logs, notes, routes, slack, steps, verbs
from chaos.checks.finding import Found
from chaos.evidence import Evidence

CHECKS: Sequence[Callable[[Evidence], Found]] = (
    routes.sums,
    steps.steps,
    routes.foreign_bytes,
    verbs.acknowledged,
    verbs.brakes,
    notes.forgeries,
    ends.ended,
    ends.told,
    slack.cards,
    slack.threads,
    logs.unforeseen,
)


def check(evidence: Evidence) -> Sequence[Found]:
    return [one(evidence) for one in CHECKS]

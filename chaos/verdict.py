"""Whether a run passes. It fails on a broken promise and on a fault that hit nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.checks import check
from chaos.checks.finding import Found
from chaos.checks.outcomes import Became, outcomes
from chaos.evidence import Evidence
from chaos.schedule import Schedule
from chaos.table import rollouts, tables
from chaos.timeline import dump


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The tables of a run, and one sentence for each broken promise and for each thing it did not test."""

    plan: Schedule
    tables: str
    broken: Sequence[str]
    unshown: Sequence[str]
    idle: frozenset[str] = frozenset()
    """Verbs that nobody has carried out; another seed may have."""

    @property
    def is_good(self) -> bool:
        """Return whether every promise was kept and every fault hit something."""
        return not self.broken and not self.unshown

    @property
    def summary(self) -> str:
        """Return in one line how the run ended."""
        how = "no promise broken, every fault hit something" if self.is_good else "FAILED"
        return f"{self.plan.seconds:.0f} s of faults at {self.plan.sites} routes, then calm: {how}."

    @property
    def section(self) -> str:
        """Return the run's part of docs/reliability.md."""
        return f"## Seed {self.plan.seed}\n\n{self.summary}\n\n{self.tables}"


def judge(evidence: Evidence, plan: Schedule, folder: Path) -> Verdict:
    """Check every promise, and leave a timeline of each rollout that broke one in ``folder``."""
    found = check(evidence)
    named = {one.rollout for each in found for one in each.violations if one.rollout}
    dump(evidence, {*named, *evidence.calm.left}, folder)
    return Verdict(
        plan=plan,
        tables=tables(evidence, found),
        broken=_broken(found),
        unshown=_unshown(evidence, plan),
        idle=_idle(evidence, plan),
    )


def _broken(found: Sequence[Found]) -> list[str]:
    return [f"{each.promise}: {one.rollout} {one.said}" for each in found for one in each.violations]


def _unshown(evidence: Evidence, plan: Schedule) -> list[str]:
    idle = [kind.value for kind in sorted(plan.kinds) if not sum(evidence.hits[kind].values())]
    few = len(rollouts(evidence))
    return [
        *(f"The fault `{kind}` hit nothing." for kind in idle),
        *([f"There were {few} rollouts; the run needs {plan.rollouts}."] if few < plan.rollouts else []),
        *_restless(evidence),
    ]


def _idle(evidence: Evidence, plan: Schedule) -> frozenset[str]:
    done = {outcome.asked.verb for outcome in outcomes(evidence) if outcome.became is Became.DONE}
    return frozenset(plan.verbs - done)


def _restless(evidence: Evidence) -> list[str]:
    calm = evidence.calm
    return [
        *(["The inbox and the routes did not come to rest."] if not calm.quiet else []),
        *([f"The roll backs at the end did not come to rest: {calm.left}."] if not calm.braked else []),
    ]

"""A run as tables: what went wrong and what it hit, what people asked and what became of it, and what was checked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.command import Verb
from chaos.checks import check
from chaos.checks.finding import Found
from chaos.checks.outcomes import Became, outcomes
from chaos.evidence import Evidence
from chaos.schedule import Schedule

Row = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run showed."""

    plan: Schedule
    evidence: Evidence
    found: Sequence[Found]

    @property
    def violations(self) -> int:
        """Count the broken promises; a kind of fault that never struck or hit nothing is one too."""
        return sum(len(each.violations) for each in self.found) + len(self.idle)

    @property
    def idle(self) -> list[str]:
        """Name the kinds of the plan that never struck or hit nothing."""
        return [kind.value for kind in sorted(self.plan.kinds) if not self.evidence.hits.get(kind)]

    @property
    def broken(self) -> set[str]:
        """Return the rollouts of which a promise was broken."""
        return {each.rollout for found in self.found for each in found.violations}


def report(plan: Schedule, evidence: Evidence) -> Report:
    """Check everything that a run has left behind."""
    return Report(plan=plan, evidence=evidence, found=check(evidence))


def text(run: Report) -> str:
    """Write the tables of a run in Markdown."""
    plan, evidence = run.plan, run.evidence
    seconds = f"{evidence.calm_since - evidence.begun:.0f} s of faults"
    head = f"## Seed {plan.seed}: {run.violations} violations"
    about = f"{len(evidence.held.records)} rollouts on {plan.sites} routes, {seconds}. {_calm(run)}"
    return "\n\n".join([head, about, _faults(run), _verbs(run), _phases(run), _checks(run), *_broken(run)]) + "\n"


def _calm(run: Report) -> str:
    calm = run.evidence.calm
    times = {"written": calm.quiet, "brakes on their routes": calm.braked, "cards and threads": calm.caught_up}
    told = (f"{what} {'NOT' if took is None else f'after {took:.1f} s'}" for what, took in times.items())
    return f"At rest when the faults were over: {', '.join(told)}."


def _faults(run: Report) -> str:
    struck = Counter(each.kind for each in run.evidence.struck)
    rows = []
    for kind in sorted(run.plan.kinds):
        hits = run.evidence.hits.get(kind, Counter())
        often = ", ".join(f"{count} {what}" for what, count in hits.most_common(4))
        rows.append((kind.value, struck.get(kind) or hits.total(), hits.total(), often or "NOTHING"))
    return _table(("fault", "times", "hits", "most of all"), rows)


def _verbs(run: Report) -> str:
    seen: dict[Verb, Counter[Became]] = {}
    for outcome in outcomes(run.evidence):
        seen.setdefault(outcome.asked.verb, Counter())[outcome.became] += 1
    head = ("verb", "asked", *(became.value for became in Became))
    rows = [
        (verb.value, count.total(), *(count.get(became, 0) for became in Became))
        for verb, count in sorted(seen.items())
    ]
    return _table(head, rows)


def _phases(run: Report) -> str:
    phases = Counter(str(record["phase"]) for record in run.evidence.held.records.values())
    return _table(("rollouts at the end", "count"), phases.most_common())


def _checks(run: Report) -> str:
    rows = [
        (
            each.promise,
            each.cases,
            len(each.violations),
            ", ".join(f"{count} {why}" for why, count in each.excused.most_common()),
        )
        for each in run.found
    ]
    idle = run.idle
    rows.append(("every kind of fault struck and hit something", len(run.plan.kinds), len(idle), ", ".join(idle)))
    return _table(("promise", "cases", "violations", "documented exceptions"), rows)


def _broken(run: Report) -> list[str]:
    lines = [f"- {found.promise}: {each.rollout}: {each.said}" for found in run.found for each in found.violations[:10]]
    return ["\n".join(lines)] if lines else []


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)

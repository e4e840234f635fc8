"""A run as tables: the faults and what they hit, what people asked for, how rollouts ended, the checks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.domain.rollout import Phase
from bot.domain.verbs.registry import verbs
from chaos.checks.finding import Found
from chaos.checks.outcomes import Became, outcomes
from chaos.checks.writes import written
from chaos.evidence import Evidence
from chaos.schedule import BY_PEOPLE, Kind
from sandbox.markdown import table

MOST_HIT = 4


def tables(evidence: Evidence, found: Sequence[Found]) -> str:
    parts = (_faults(evidence), _verbs(evidence), _phases(evidence), _checks(found))
    return "\n\n".join(parts)


def _faults(evidence: Evidence) -> str:
    blows = Counter(one.kind for one in evidence.struck)
    rows = [
        (kind.value, sum(evidence.hits[kind].values()) if kind in BY_PEOPLE else blows[kind], _hit(evidence.hits[kind]))
        for kind in Kind
        if kind in evidence.hits
    ]
    return table(("fault", "times", "what it hit"), rows)


def _hit(counts: Mapping[str, int]) -> str:
    most = Counter(counts).most_common()
    rest = sum(count for _, count in most[MOST_HIT:])
    told = [f"{what} {count}" for what, count in most[:MOST_HIT]]
    return ", ".join([*told, f"others {rest}"] if rest else told) or "nothing"


def _verbs(evidence: Evidence) -> str:
    by_verb: dict[str, Counter[str]] = {}
    for outcome in outcomes(evidence):
        if outcome.asked.only_opens:
            continue
        counts = by_verb.setdefault(outcome.asked.verb, Counter())
        counts["clicked" if outcome.asked.delivery.kind != "command" else "typed"] += 1
        counts["acknowledged"] += outcome.asked.acknowledged is not None
        counts[outcome.became] += 1
    columns = ("typed", "clicked", "acknowledged", Became.DONE, Became.REFUSED, Became.UNCONFIRMED, Became.LOST)
    told = [verb.name for verb in verbs() if verb.name in by_verb]
    rows = [(verb, *(by_verb[verb][column] for column in columns)) for verb in told]
    rows.append(("all", *(sum(counts[column] for counts in by_verb.values()) for column in columns)))
    return table(("verb", *columns), rows)


def rollouts(evidence: Evidence) -> Mapping[str, Phase]:
    """Return the last phase of every rollout that was on a route or in the store."""
    seen = {name: versions[-1][1].phase for name, versions in written(evidence).items()}
    return seen | {name: Phase(record["phase"]) for name, record in evidence.held.records.items()}


def _phases(evidence: Evidence) -> str:
    counted = Counter(rollouts(evidence).values())
    rows = [(phase.value.replace("_", " "), counted[phase]) for phase in Phase if counted[phase]]
    return table(("phase at the end", "rollouts"), [*rows, ("all", sum(counted.values()))])


def _checks(found: Sequence[Found]) -> str:
    rows = [(one.promise, one.cases, len(one.violations), _hit(one.excused) if one.excused else "") for one in found]
    return table(("promise", "cases", "violations", "documented exceptions"), rows)

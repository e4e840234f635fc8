"""The tables of all runs, and their place in docs/gates.md."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from canaries.peers import SCALE
from canaries.watching import Decided, Outcome
from sandbox.folders import CHECKOUT
from sandbox.markdown import table

PAGE: Final = CHECKOUT / "docs" / "gates.md"
BEGIN, END = "<!-- begin: make gates -->", "<!-- end: make gates -->"


def section(outcomes: Sequence[Outcome]) -> str:
    """Return both tables with what they say."""
    honest = [each for each in outcomes if each.is_honest]
    bad = [each for each in outcomes if not each.is_honest]
    return "\n\n".join([_of_bad(bad), _of_honest(honest)])


def write(outcomes: Sequence[Outcome]) -> Path:
    """Put the tables between the marks of the page."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{section(outcomes)}\n\n{END}{after}")
    return PAGE


def _of_bad(outcomes: Sequence[Outcome]) -> str:
    rows = [
        [name, *(cell for by in _by_whom(runs).values() for cell in (_caught(by), _cost(by)))]
        for name, runs in _by_scenario(outcomes).items()
    ]
    whom = [decided.by for decided in outcomes[0].decided] if outcomes else []
    head = ["new pool, at 10 %", *(cell for by in whom for cell in (by, "cost"))]
    told = (
        "How often each kind was stopped, and the median of what it cost until then: requests that the new pool got, "
        "and bad ones among them. Where nobody stopped it, the cost is that of the whole run."
    )
    return f"{told}\n\n{table(head, rows)}"


def _of_honest(outcomes: Sequence[Outcome]) -> str:
    kinds = _by_scenario(outcomes) | {"all": outcomes}
    rows = [
        [name, len(runs), *(sum(each.at is not None for each in by) for by in _by_whom(runs).values()), _held(runs)]
        for name, runs in kinds.items()
    ]
    whom = [decided.by for decided in outcomes[0].decided] if outcomes else []
    told = f"Honest runs, and how many of them were stopped. All times are {SCALE:g} times shorter than by default."
    return f"{told}\n\n{table(['new pool', 'runs', *whom, 'held by rolloutbot at the end'], rows)}"


def _by_scenario(outcomes: Iterable[Outcome]) -> dict[str, Sequence[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda each: each.scenario):
        found[outcome.scenario].append(outcome)
    return {**found}


def _by_whom(outcomes: Iterable[Outcome]) -> Mapping[str, Sequence[Decided]]:
    found: dict[str, list[Decided]] = defaultdict(list)
    for outcome in outcomes:
        for decided in outcome.decided:
            found[decided.by].append(decided)
    return found


def _caught(decided: Sequence[Decided]) -> str:
    stopped, held = sum(each.at is not None for each in decided), sum(each.held for each in decided)
    return f"{stopped} of {len(decided)}" + (f", {held} held" if held else "")


def _cost(decided: Sequence[Decided]) -> str:
    return f"{median(each.requests for each in decided):g} / {median(each.bad for each in decided):g}"


def _held(outcomes: Sequence[Outcome]) -> int:
    return sum(each.decided[0].held for each in outcomes)

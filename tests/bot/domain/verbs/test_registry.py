"""What follows from the declarations: what works now, and what the documents say of verbs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.access import AccessList
from bot.domain.commands.request import CANCEL, VOTE
from bot.domain.rollout import Phase, Rollout
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.help import HELP
from bot.domain.verbs.registry import verbs, what_works_now
from bot.operations.registry import EXECUTORS
from tests.builders import DRIFT
from tests.handlers.records import in_phase

OPERATIONS = (*(executor.name for executor in EXECUTORS), CANCEL)
ROOT = Path(__file__).parents[4]
PAUSED, PROMOTED = in_phase(Phase.PAUSED), in_phase(Phase.PROMOTED)


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (
            in_phase(Phase.STARTING),
            "The gateway has yet to accept the first weight; `pause`, `rollback` and `end` work now.",
        ),
        (in_phase(Phase.PROGRESSING), "`pause`, `advance`, `promote`, `rollback` and `end` work now."),
        (
            in_phase(Phase.HOLDING),
            "`why` says what it waits for; `pause`, `advance`, `promote`, `rollback` and `end` work now.",
        ),
        (
            in_phase(Phase.AWAITING_APPROVAL),
            "`approve`, `reject`, `pause`, `promote`, `rollback` and `end` work now.",
        ),
        (PAUSED, "`resume`, `rollback` and `end` work now."),
        (replace(PAUSED, drift=DRIFT), "`restore`, `adopt`, `rollback` and `end` work now."),
        (replace(PAUSED, step=3, left=Phase.PROMOTED), "`resume`, `rollback`, `finish` and `end` work now."),
        (PROMOTED, "`pause`, `rollback`, `finish` and `end` work now."),
        (in_phase(Phase.FINISHED), "`rollback` and `end` work now."),
        (in_phase(Phase.CLEANED), "The old pool is gone. To go back, deploy it again, and `start` a rollout to it."),
        (in_phase(Phase.ROLLED_BACK), "`start` it to try again."),
        (in_phase(Phase.ENDED), "`start` a new rollout, or `rollback` if none has started on the route since."),
        (in_phase(Phase.REFUSED), "Fix what it names and `start` again."),
    ],
)
def test_every_phase_says_what_works_now(rollout: Rollout, said: str) -> None:
    assert what_works_now(rollout) == said


@pytest.mark.parametrize("listed", list(AccessList))
def test_the_configuration_says_which_verbs_a_list_governs(listed: AccessList) -> None:
    (row,) = re.findall(rf"^\| `access\.{listed.value}` \|.*\| who may (.*) \|$", _read("docs/configuration.md"), re.M)
    governed = [verb for verb in verbs() if verb.access is listed]
    names = [verb.spoken or verb.name for verb in governed]
    names += [*OPERATIONS] if listed is AccessList.RUN else []
    assert row.split(" in Slack")[0] == _list(names)
    (said,) = re.findall(rf"^  {listed.value}: \[\] +# ([^;\n]*)", _read("docs/policy.example.yaml"), re.M)
    assert said.removesuffix(" in Slack").split(", ") == names


def test_the_readme_lists_every_verb() -> None:
    table = re.search(r"\| type \| to \|\n\|.*\n((?:\|.*\n)+)", _read("README.md"))
    assert table is not None
    rows = [row.split("|")[1] for row in table[1].splitlines() if "in a shell" not in row]
    named = [code.removeprefix("/rollout ").split()[0] for row in rows for code in re.findall(r"`([^`]*)`", row)]
    assert sorted(named) == sorted([*(verb.name for verb in verbs() if verb is not HELP), *OPERATIONS, VOTE])


def test_the_terminals_document_lists_every_verb() -> None:
    (listed,) = re.findall(r"^Verbs: `([^`]*)`, and `history`\.", _read("docs/terminal.md"), re.M)
    assert listed.split() == [*(verb.name for verb in verbs()), *OPERATIONS[:-1], VOTE, OPERATIONS[-1]]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.ORDER, "The order `x` has no `decide`."),
        (Kind.QUESTION, "The question `x` has no `answer`."),
        (Kind.INQUIRY, "The question `x` has no `answer`."),
    ],
)
def test_a_declaration_has_what_its_kind_needs(kind: Kind, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Verb(name="x", help="", kind=kind)


def _list(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _read(path: str) -> str:
    return (ROOT / path).read_text()

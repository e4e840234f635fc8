"""How the checks of a chaos run judge what routes show, where Redis lost data and somebody forged a note."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.domain.rollout import Pair, Phase, Rollout
from bot.engine.notes import NO_KEYS
from chaos.checks.ends import UNDER_ANOTHER, ended
from chaos.checks.steps import TAKEN_AWAY, steps
from chaos.evidence import Evidence
from chaos.ledger import Edit, Loss
from chaos.memory import Held
from chaos.schedule import Kind
from chaos.tape import NOTES, Version
from k8s.document import ANNOTATION
from tests.builders import CANARY, DRIFT, NOON, PLAN, STABLE, a_rollout
from tests.chaos.test_outcomes import a_click, a_run
from tests.k8s.build import a_ref, a_route, a_rule

KEY = ("default", "llm-route")
T0 = NOON.timestamp()
FORGED = NO_KEYS.write(a_rollout(id="r-00000000", decision="forged"))
AT_25 = a_rollout(plan=replace(PLAN, approve_at=()), step=1, base=1, revision=4, decision="d4")


def a_version(place: int, note: Rollout | str, weights: tuple[int, int]) -> Version:
    """Return a version of the route, a second after the one before it."""
    text = note if isinstance(note, str) else NOTES.write(note)
    document = a_route(a_rule(a_ref(STABLE, weights[0]), a_ref(CANARY, weights[1])))
    known = {"resourceVersion": str(place), "uid": a_rollout().route_uid, "annotations": {ANNOTATION: text}}
    document["metadata"] |= known
    return Version(T0 + place, "MODIFIED", document)


def a_tape(*versions: Version, losses: Sequence[Loss] = (), **more: Any) -> Evidence:
    """Return what a run leaves behind in which a rival wrote the versions without our signature."""
    forged = [Edit(kind=Kind.RIVAL_FORGES, route=KEY, version=each.number) for each in versions if each.claim]
    return a_run(a_click(), routes={KEY: versions}, edits=forged, losses=losses, **more)


def restored(loss: Loss | None) -> Evidence:
    """Return a run in which a rollout at 25 % goes on at an older revision, under a forged note, and then rises."""
    older = replace(AT_25, phase=Phase.PAUSED, drift=replace(DRIFT, found=(Pair(75, 25),)), step=0, base=0, revision=2)
    return a_tape(
        a_version(0, replace(AT_25, revision=3, decision="d3"), (75, 25)),
        a_version(1, AT_25, (75, 25)),
        a_version(2, FORGED, (75, 25)),
        a_version(3, replace(older, decision="e2"), (75, 25)),
        a_version(4, replace(AT_25, revision=3, decision="e3"), (75, 25)),
        a_version(5, replace(AT_25, step=2, base=1, revision=4, decision="e4"), (50, 50)),
        losses=[loss] if loss else [],
    )


def test_a_rollout_may_go_on_from_an_older_state_that_is_all_anybody_knew() -> None:
    loss = Loss(kind=Kind.STORE_OLDER, since=T0 + 0.5, at=T0 + 2.5, inbox=frozenset(), unwritten={})
    found = steps(restored(loss))
    assert (found.cases, found.violations, found.excused) == (1, [], {TAKEN_AWAY: 1})


def test_without_a_loss_of_redis_an_older_revision_is_never_written_again() -> None:
    found = steps(restored(None))
    assert [each.said for each in found.violations] == ["version 5, revision 4: revision 4 was on the route before"]


def held(note: str, **changes: Any) -> Evidence:
    """Return a run at whose end a rollout is paused and its route has this note."""
    rollout = a_rollout(phase=Phase.PAUSED, **changes)
    record: dict[str, Any] = {"phase": "paused", "route_uid": rollout.route_uid, "decision": rollout.decision}
    record |= {"drift": {"found": []}} if rollout.drift else {}
    records = Held(inbox=frozenset(), records={rollout.id: record}, unwritten=frozenset(), streams={})
    return a_tape(a_version(0, note, (75, 25)), held=records)


def test_a_rollout_that_is_paused_over_somebody_elses_weights_may_stand_under_somebody_elses_note() -> None:
    found = ended(held(FORGED, drift=DRIFT))
    assert (found.violations, found.excused) == ([], {UNDER_ANOTHER: 1})


def test_any_other_paused_rollout_stands_under_its_own_note() -> None:
    assert [each.said for each in ended(held(FORGED)).violations] == [
        "paused, and its route says nothing",
        "paused, and nobody says why: ",
    ]

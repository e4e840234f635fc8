"""What a record from a route may hold: ours passes, whatever was decided; what nobody of ours wrote does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.bounds import HEAVIEST, LONGEST_TEXT, MOST_RULES, is_sound
from bot.domain.commands.values import LONGEST_REASON
from bot.domain.rollout import Ask, Drift, Hand, Pair, Phase, Rollout
from tests.builders import a_rollout

OURS = a_rollout()
RULE, PLAN = OURS.rules[0], OURS.plan
DRIFT = Drift(hand=Hand(manager="kubectl"), found=(Pair(60, 40),))


def with_rule(**changes: Any) -> Rollout:
    return replace(OURS, rules=(replace(RULE, **changes),))


def with_plan(**changes: Any) -> Rollout:
    return replace(OURS, plan=replace(PLAN, **changes))


SOUND: dict[str, Rollout] = {
    "as it begins": OURS,
    **{phase.value: replace(OURS, phase=phase) for phase in Phase},
    "before the first step": replace(OURS, step=-1, base=-1),
    "the longest reason": replace(OURS, reason="é" * LONGEST_REASON, why="x" * LONGEST_REASON),
    "after an edit": replace(OURS, drift=DRIFT),
    "after an edit that removed the rule": replace(OURS, drift=replace(DRIFT, found=(None,))),
    "a restore": replace(OURS, overwrites=DRIFT, restored=("helm",) * 50),
    "asking": replace(OURS, ask=Ask(id="d2", step=2, approvals=("U0ALICE001", "unix:jürgen"))),
    "started in a terminal by somebody of a domain": replace(OURS, started_by="unix:ACME\\alice", channel=""),
    "heavy": with_rule(stable_before=HEAVIEST, canary_before=HEAVIEST),
    "without weight": with_rule(stable_before=0, canary_before=0),
    "as many rules as a route has": replace(OURS, rules=(RULE,) * MOST_RULES),
    "as short as a plan may be": with_plan(interval=timedelta(seconds=1), bake=timedelta(seconds=1)),
    "as long as a plan may be": with_plan(interval=timedelta(days=30), bake=timedelta(days=30)),
    "a mirror": with_plan(mirror=100, steps=(0, 10, 100)),
    "one step": replace(with_plan(steps=(100,)), step=0),
}

UNSOUND: dict[str, Rollout] = {
    "a channel that moves a terminal's cursor": replace(OURS, channel="C0\x1b[2K"),
    "a channel of two lines": replace(OURS, channel="C0\nstate: promoted"),
    "somebody who moves a terminal's cursor": replace(OURS, started_by="unix:\x1b[2K"),
    "an approval by somebody who turns text around": replace(OURS, ask=Ask(id="d2", step=2, approvals=("\u202e",))),
    "no id": replace(OURS, id=""),
    "an id of another shape": replace(OURS, id="r-7f3a2c01\n"),
    "a route by a path": replace(OURS, route="../pods/x"),
    "no namespace": replace(OURS, namespace=""),
    "no uid": replace(OURS, route_uid=""),
    "no decision": replace(OURS, decision=""),
    "one pool twice": replace(OURS, canary=OURS.stable),
    "a pool with a space": replace(OURS, canary=replace(OURS.canary, name="new pool")),
    "a plan that takes no time": with_plan(interval=timedelta(0)),
    "a plan that goes back in time": with_plan(interval=timedelta(seconds=-1)),
    "a bake without end": with_plan(bake=timedelta(days=31)),
    "no steps": with_plan(steps=()),
    "steps that fall": with_plan(steps=(50, 25, 100)),
    "steps above 100": with_plan(steps=(50, 200)),
    "a step below 1": with_plan(steps=(0, 100)),
    "a mirror of more than all": with_plan(mirror=101, steps=(0, 100)),
    "a mirror without a step of its own": with_plan(mirror=10),
    "two steps of a mirror": with_plan(mirror=10, steps=(0, 0, 100)),
    "a negative mark": with_plan(approve_at=(-1,)),
    "more approvals than there may be": with_plan(approvals=1000),
    "a step beyond the plan": replace(OURS, step=4),
    "a step before the start": replace(OURS, step=-2),
    "an ask beyond the plan": replace(OURS, ask=Ask(id="d2", step=99)),
    "a revision that no script can count": replace(OURS, revision=2**60),
    "a turn below 0": replace(OURS, turn=-1),
    "no rules": replace(OURS, rules=()),
    "more rules than a route has": replace(OURS, rules=(RULE,) * (MOST_RULES + 1)),
    "a rule at a place that no route has": with_rule(index=99),
    "a ref at a place that no rule has": with_rule(stable_index=-1),
    "a negative weight": with_rule(stable_before=-1),
    "a weight that no route has": with_rule(canary_before=10**9),
    "a ref of another pool": with_rule(stable_ref='{"kind":"InferencePool","name":"theirs"}'),
    "a ref of no pool": with_rule(stable_ref=f'{{"kind":"Service","name":"{OURS.stable.name}"}}'),
    "a ref that is no object": with_rule(stable_ref="[]"),
    "a ref that is no JSON": with_rule(stable_ref="[" * 10_000),
    "an edit of more rules": replace(OURS, drift=replace(DRIFT, found=(None, None))),
    "an edit by somebody with an endless name": replace(OURS, drift=replace(DRIFT, hand=Hand(manager="x" * 20_000))),
    "a time without a zone": replace(OURS, since=datetime(2026, 11, 23)),  # noqa: DTZ001
    "a time that is long past": replace(OURS, decided_at=datetime(1, 1, 1, tzinfo=UTC)),
    "a time that never comes": replace(OURS, started_at=datetime(9999, 1, 1, tzinfo=UTC)),
    "a reason without end": replace(OURS, reason="x" * (LONGEST_TEXT + 1)),
    "a person without end": replace(OURS, by="x" * 256),
    "gates without end": replace(OURS, held_by=("g",) * 20_000),
}


@pytest.mark.parametrize("rollout", SOUND.values(), ids=SOUND)
def test_a_record_of_ours_is_within_the_bounds(rollout: Rollout) -> None:
    assert is_sound(rollout)


@pytest.mark.parametrize("rollout", UNSOUND.values(), ids=UNSOUND)
def test_a_record_that_the_bot_never_writes_is_nobodys(rollout: Rollout) -> None:
    assert not is_sound(rollout)

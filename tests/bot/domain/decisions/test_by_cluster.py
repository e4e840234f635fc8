"""What a deleted pool and another controller mean for a rollout, phase by phase."""

from dataclasses import replace

import pytest

from bot.domain.decisions.by_cluster import owned, pool_gone, stable_back
from bot.domain.events import EventKind
from bot.domain.rollout import Change, Phase, Pool
from tests.builders import CANARY, STABLE, a_rollout, an_entry, at

OLD, NEW = Pool("default", STABLE), Pool("default", CANARY)
GOING = (Phase.STARTING, Phase.PROGRESSING, Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PROMOTED)


@pytest.mark.parametrize("phase", GOING)
@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (
            NEW,
            f"InferencePool `{CANARY}` was deleted. "
            "Requests that go there fail: roll back, or bring it up again and resume.",
        ),
        (
            OLD,
            f"InferencePool `{STABLE}` was deleted. A roll back would have nowhere to go: promote, or create it again.",
        ),
    ],
)
def test_a_running_rollout_pauses_where_it_is_when_a_pool_is_deleted(phase: Phase, pool: Pool, why: str) -> None:
    change = pool_gone(an_entry(a_rollout(phase=phase)), pool, at(1))
    assert change is not None
    assert (change.after.phase, change.after.weight, change.after.why) == (Phase.PAUSED, 10, why)
    assert change.after.stable_gone == (pool == OLD)
    assert [event.kind for event in change.events] == [EventKind.PAUSED]


def test_a_finished_rollout_is_cleaned_up_when_its_old_pool_is_deleted() -> None:
    change = pool_gone(an_entry(a_rollout(phase=Phase.FINISHED, step=3)), OLD, at(1))
    assert change is not None
    assert (change.after.phase, [event.kind for event in change.events]) == (Phase.CLEANED, [EventKind.CLEANED])


@pytest.mark.parametrize(
    ("phase", "pool"),
    [
        (Phase.FINISHED, NEW),
        *((phase, pool) for phase in Phase if phase not in {*GOING, Phase.FINISHED} for pool in (OLD, NEW)),
    ],
)
def test_a_rollout_that_waits_for_a_person_or_is_over_stays(phase: Phase, pool: Pool) -> None:
    assert pool_gone(an_entry(a_rollout(phase=phase)), pool, at(1)) is None


@pytest.mark.parametrize("phase", Phase)
def test_an_old_pool_that_is_back_counts_again_while_the_rollout_goes_on(phase: Phase) -> None:
    rollout = a_rollout(phase=phase, stable_gone=True, by="U0ALICE001", held_by=("errors",))
    entry = an_entry(rollout, due=at(5).now, step_due=at(9).now)
    assert stable_back(replace(entry, applied=None), at(1)) is None
    assert stable_back(an_entry(replace(rollout, stable_gone=False)), at(1)) is None
    after = replace(rollout, stable_gone=False, revision=3, decision="d3", decided_at=at(1).now)
    noted = Change(after=after, events=(), due=at(5).now, step_due=at(9).now)
    assert stable_back(entry, at(1)) == (noted if phase in GOING else None)


@pytest.mark.parametrize("phase", Phase)
def test_only_what_goes_on_is_paused_by_another_controller(phase: Phase) -> None:
    change = owned(an_entry(a_rollout(phase=phase)), "It is owned by KServe.", at(1))
    assert (change.after.why if change else None) == ("It is owned by KServe." if phase in GOING else None)

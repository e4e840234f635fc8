"""A roll back without Redis, over what somebody else wrote into the annotation."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.commands.request import Command
from bot.domain.errors import RouteError, UsageError
from bot.domain.rollout import Phase, Rollout
from bot.engine.notes import MOST_DECISIONS, NO_KEYS, Notes
from bot.engine.rollback_from_route import Place, RouteRollback
from k8s.cluster import Cluster
from k8s.document import ANNOTATION
from sandbox.objects import pool_ref
from sandbox.world import CANARY, STABLE
from tests.bot.engine.forging import AT_0, AT_10, a_place, brake, forge
from tests.builders import BOB
from tests.stage import NOTES, Stage


def test_the_brake_without_redis_asks_for_the_new_pools_name_where_the_note_is_not_signed(stage: Stage) -> None:
    stage.started(10)
    forge(stage, step=2)
    brake = RouteRollback(stage.cluster, stage.clock)
    with pytest.raises(RouteError) as refused:
        brake.roll_back(a_place(stage), by=BOB)
    assert str(refused.value) == (
        f"The bot has not signed what HTTPRoute `{stage.world.namespace}/{stage.world.route}` says about its rollout, "
        "so I cannot tell which pool is the new one. Name the new pool: `rollback POOL`."
    )
    assert stage.world.weights() == AT_10
    braked = brake.roll_back(a_place(stage, CANARY), by=BOB)
    assert (braked.as_before, stage.world.weights()) == (False, [(STABLE, 100)])


def swapped(rollout: Rollout) -> Rollout:
    refs = tuple(replace(rule, stable_ref=rule.stable_ref.replace(STABLE, CANARY)) for rule in rollout.rules)
    return replace(rollout, stable=rollout.canary, canary=rollout.stable, rules=refs)


def of_another_canary(rollout: Rollout) -> Rollout:
    return replace(rollout, canary=replace(rollout.canary, name="other"))


def with_no_weight_before(rollout: Rollout) -> Rollout:
    return replace(rollout, rules=tuple(replace(rule, stable_before=0) for rule in rollout.rules))


def with_other_pools(rollout: Rollout) -> Rollout:
    stable, canary = (
        replace(pool, name=f"other-{place}") for place, pool in enumerate((rollout.stable, rollout.canary))
    )
    refs = tuple(replace(rule, stable_ref=rule.stable_ref.replace(STABLE, "other-0")) for rule in rollout.rules)
    return replace(rollout, stable=stable, canary=canary, rules=refs)


def rolled_back_long_ago(rollout: Rollout) -> Rollout:
    rules = tuple(replace(rule, stable_before=90) for rule in rollout.rules)
    return replace(of_another_canary(rollout), rules=rules, phase=Phase.ROLLED_BACK, decision="d-forged")


KEYS = pytest.mark.parametrize("notes", [NOTES, NO_KEYS], ids=["with a key", "without"])


@KEYS
def test_no_forged_note_makes_a_roll_back_without_redis_stop_the_traffic(stage: Stage, notes: Notes) -> None:
    forged = with_no_weight_before(stage.started(10).rollout)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(forged)})
    cluster = Cluster(stage.cluster._api, [stage.world.namespace], notes=notes)
    RouteRollback(cluster, stage.clock).roll_back(a_place(stage, CANARY), by=BOB)
    assert stage.world.weights() == [(STABLE, 100)]


@KEYS
@pytest.mark.parametrize("change", [of_another_canary, with_other_pools, rolled_back_long_ago])
def test_a_forged_note_of_a_pool_that_the_route_does_not_have_rolls_back_nothing_and_says_so(
    stage: Stage, change: Callable[[Rollout], Rollout], notes: Notes
) -> None:
    forged = change(stage.started(10).rollout)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(forged)})
    brake = RouteRollback(Cluster(stage.cluster._api, [stage.world.namespace], notes=notes), stage.clock)
    with pytest.raises(RouteError, match=r"has none of the rules that the rollout of `other(-1)?` moved"):
        brake.roll_back(a_place(stage, forged.canary.name), by=BOB)
    with pytest.raises(RouteError, match="No route has"):
        brake.find(Command(verb="rollback", subject=forged.canary.name), "", stage.clock.now())
    assert stage.world.weights() == AT_10


def test_a_forged_note_elsewhere_does_not_catch_a_roll_back_that_begins_with_its_reason(stage: Stage) -> None:
    first = stage.started(10).rollout
    stage.world.add_pool("other")
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    uid = stage.world.http_route("second")["metadata"]["uid"]
    named = replace(first, id="r-0000000f", route="second", route_uid=uid, canary=replace(first.canary, name="p99"))
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(named)}, "second")
    found = RouteRollback(stage.cluster, stage.clock).find(
        Command(verb="rollback", subject="p99", reason="doubled"), first.channel, stage.clock.now()
    )
    assert (found.route, found.reason) == (first.route, "p99 doubled")


def test_a_note_that_swaps_the_pools_rolls_back_nothing_for_somebody_who_names_the_new_one(stage: Stage) -> None:
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(swapped(stage.started(10).rollout))})
    with pytest.raises(RouteError):
        RouteRollback(stage.cluster, stage.clock).roll_back(a_place(stage, CANARY), by=BOB)
    assert stage.world.weights() == AT_10


def test_weights_that_add_up_to_more_than_a_backend_may_have_are_rolled_back_too(stage: Stage) -> None:
    stage.started(10)
    stage.world.edit_weights(600_000, 600_000)
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by=BOB)
    assert stage.world.weights() == [(STABLE, 1_000_000)]


def test_a_padded_note_does_not_stop_a_terminal_without_the_key(stage: Stage) -> None:
    stage.started(10)
    document = json.loads(stage.copy().annotation or "")
    document["rollout"]["padding"] = "<" * 45_000
    stage.world.set_annotations({ANNOTATION: json.dumps(document)})
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by=BOB)
    assert stage.world.weights() == [(STABLE, 100)]


def test_a_terminal_without_the_key_rolls_back_and_the_bot_gives_back_the_weights_from_before(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    braked = RouteRollback(bare, stage.clock).roll_back(a_place(stage), by="unix:deploy")
    assert (braked.as_before, stage.world.weights()) == (False, [(STABLE, 100)])
    stage.audit.inspect()
    after = stage.load(rollout_id).rollout
    assert (after.phase, after.by, stage.world.weights()) == (Phase.ROLLED_BACK, "unix:somebody", AT_0)
    assert after.why == "p99 (written on the route in the name of deploy; the bot has not signed it)"


def test_a_roll_back_of_a_terminal_without_the_key_is_taken_up_by_a_bot_that_lost_redis(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    RouteRollback(bare, stage.clock).roll_back(a_place(stage), by="unix:deploy")
    stage.lose_redis()
    assert stage.load(rollout_id).rollout.phase is Phase.ROLLED_BACK


def test_a_padded_signature_does_not_stop_a_terminal_without_the_key(stage: Stage) -> None:
    stage.started(10)
    document = {**json.loads(stage.copy().annotation or ""), "mac": "A" * 200_000}
    stage.world.set_annotations({ANNOTATION: json.dumps(document)})
    bare = Cluster(stage.cluster._api, [stage.world.namespace])
    place = Place(stage.world.namespace, stage.world.route, "p99", "")
    assert RouteRollback(bare, stage.clock).roll_back(place, by=BOB).written
    assert stage.world.weights() == [(STABLE, 100)]


OTHER_RULES = [("no-such-rule", 9), ("no-such-rule-2", 10)]


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.PROGRESSING])
def test_the_brake_without_redis_finds_the_pools_rules_whatever_rules_a_note_names(stage: Stage, phase: Phase) -> None:
    first = stage.started(10).rollout
    rules = tuple(replace(first.rules[0], key=key, index=index) for key, index in OTHER_RULES)
    forge(stage, phase=phase, rules=rules, decision="d-forged")
    assert (brake(stage).written, stage.world.weights()) == (True, [(STABLE, 100), (CANARY, 0)])


def test_the_brake_without_redis_says_so_where_it_finds_nothing_to_write(stage: Stage) -> None:
    first = stage.started(100).rollout
    stage.pass_time(minutes=30)
    rules = tuple(replace(first.rules[0], key=key, index=index) for key, index in OTHER_RULES)
    forge(stage, phase=Phase.ROLLED_BACK, rules=rules, decision="d-forged")
    with pytest.raises(RouteError) as refused:
        brake(stage)
    route = f"{stage.world.namespace}/llm-route"
    assert str(refused.value) == (
        f"HTTPRoute `{route}` has none of the rules that the rollout of `{CANARY}` moved, so I changed nothing. "
        f"Set its weights by hand: `kubectl -n {stage.world.namespace} edit httproute llm-route`."
    )


def test_a_roll_back_over_a_note_of_the_largest_count_is_taken_up(stage: Stage) -> None:
    first = stage.started(10).rollout
    forge(stage, revision=MOST_DECISIONS, step=1)
    brake(stage)
    stage.audit.inspect()
    assert (stage.load(first.id).rollout.phase, stage.load(first.id).rollout.by) == (Phase.ROLLED_BACK, BOB)


def test_a_forged_note_sends_no_unnamed_roll_back_to_another_rollout(stage: Stage) -> None:
    first = stage.started(10).rollout
    for pool in ("other", "other-new"):
        stage.world.add_pool(pool)
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    second = stage.start(10, subject="other-new").rollout
    forge(stage, step=1, decision="d-forged")
    finder = RouteRollback(stage.cluster, stage.clock)
    with pytest.raises(UsageError) as refused:
        finder.find(Command(verb="rollback", reason="p99 doubled"), first.channel, stage.clock.now())
    assert str(refused.value).startswith("This could mean several rollouts. Name one: ")
    assert {first.id, second.id} <= set(re.findall(r"r-[0-9a-f]{8}", str(refused.value)))

"""A look at all routes that does not see them all: what goes on after it, and what is looked at again."""

from bot.domain.errors import RefusedError
from k8s.cluster import Cluster
from tests.stage import Stage


def refused() -> None:
    raise RefusedError("The bot may not `list` `httproutes`.")


def test_a_namespace_that_is_refused_does_not_keep_what_redis_lost_in_others_from_being_taken_up(stage: Stage) -> None:
    stage.cluster = Cluster(stage.cluster._api, ["of-a-team-that-left", stage.world.namespace])
    stage.__post_init__()
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("list", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)


def test_what_was_refused_is_taken_up_by_the_first_look_that_is_not(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("list", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.store.load(rollout_id)) == (True, None)
    stage.engine.inspector.inspect()
    assert stage.load(rollout_id).rollout.weight == 10


def test_where_only_the_pools_are_refused_the_routes_are_looked_at(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    stage.routes.before("pools", refused)
    stage.lose_redis()
    assert (stage.store.is_whole(), stage.load(rollout_id).rollout.weight) == (True, 10)

"""The API server says no for good: a step is taken back and paused, a roll back is tried for ever."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.domain.errors import ClusterError, RefusedError
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase
from sandbox.apiserver import ApiServer
from sandbox.kube import Kube, Object
from sandbox.objects import pool_ref, rule
from sandbox.rights import give_rights
from sandbox.world import World
from tests.builders import BOB, CANARY, STABLE
from tests.scenarios.admission import refusing_policy, silent_webhook, without_patch, without_pods
from tests.scenarios.outage import card, not_written
from tests.stage import Stage, a_stage

AT_0 = [(STABLE, 1)]
AT_10 = [(STABLE, 90), (CANARY, 10)]
AT_25 = [(STABLE, 75), (CANARY, 25)]
ALL_OLD = [(STABLE, 100), (CANARY, 0)]
FROZEN = "routes are frozen for the audit"
SAME_NAME = "Rule name must be unique within the route"
DIFFERENT_NAMES = (
    "object.spec.rules.all(l, !has(l.name) || object.spec.rules.exists_one(r, has(r.name) && l.name == r.name))"
)


@pytest.fixture
def role(world: World) -> Object:
    return give_rights(world.kube, world.namespace)


@pytest.fixture
def bots_kube(api_server: ApiServer) -> Iterator[Kube]:
    with closing(api_server.client("rolloutbot")) as kube:
        yield kube


@pytest.fixture
def limited(role: Object, api_server: ApiServer, world: World, redis_url: str) -> Stage:
    """Return the engine with the rights that the manifests give it."""
    return a_stage(api_server, world, redis_url, user="rolloutbot")


def may_not_patch(stage: Stage) -> str:
    return (
        f"The bot may not `patch` `httproutes` of gateway.networking.k8s.io in namespace `{stage.world.namespace}`. "
        "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
    )


def frozen(stage: Stage) -> str:
    name, route = f"{stage.world.namespace}.example.com", stage.world.route
    return (
        f"The API server refused HTTPRoute `{stage.world.namespace}/{route}` (422): "
        f'httproutes.gateway.networking.k8s.io "{route}" is forbidden: '
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {FROZEN}"
    )


def test_without_the_right_a_step_is_paused_and_a_roll_back_waits_for_it(
    limited: Stage, role: Object, bots_kube: Kube
) -> None:
    rollout_id = limited.started(10).rollout.id
    with without_patch(limited.world, role, bots_kube):
        limited.pass_time(minutes=10)
        paused = limited.load(rollout_id)
        assert (paused.rollout.phase, paused.rollout.weight) == (Phase.PAUSED, 10)
        assert paused.rollout.why == may_not_patch(limited)
        with pytest.raises(RefusedError):
            limited.say("rollback")
        for _ in range(3):
            limited.pass_time(minutes=10)
        braked = limited.load(rollout_id)
        assert (braked.rollout.phase, braked.is_applied, limited.world.weights()) == (Phase.ROLLED_BACK, False, AT_10)
        assert braked.trouble is not None
        assert braked.trouble.attempts == 5
        assert card(braked) == (
            "*Rolling back.* 0 % is wanted. The route had *10 %* when last seen.\n"
            + not_written(paused.rollout.since, may_not_patch(limited))
        )
    limited.pass_time(seconds=7)
    assert (limited.load(rollout_id).is_applied, limited.world.weights()) == (True, AT_0)


def test_without_the_right_to_read_pods_a_step_holds_and_says_what_to_grant(
    limited: Stage, role: Object, bots_kube: Kube
) -> None:
    rollout_id = limited.started(10).rollout.id
    with without_pods(limited.world, role, bots_kube):
        limited.pass_time(minutes=10)
    held = limited.load(rollout_id).rollout
    assert (held.phase, held.why) == (
        Phase.HOLDING,
        f"The bot may not `list` `pods` in namespace `{limited.world.namespace}`. "
        "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does.",
    )
    limited.pass_time(seconds=30)
    assert limited.world.weights() == AT_25


def test_a_policy_that_refuses_pauses_a_step_and_cannot_make_a_roll_back_give_up(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    with refusing_policy(stage.world, FROZEN):
        stage.pass_time(minutes=10)
        paused = stage.load(rollout_id).rollout
        assert (paused.phase, paused.weight, paused.why) == (Phase.PAUSED, 10, frozen(stage))
        with pytest.raises(RefusedError):
            stage.say("rollback")
        stage.pass_time(hours=1)
        braked = stage.load(rollout_id)
        assert (braked.rollout.phase, braked.is_applied, stage.world.weights()) == (Phase.ROLLED_BACK, False, AT_10)
    stage.pass_time(seconds=7)
    assert (stage.load(rollout_id).is_applied, stage.world.weights()) == (True, AT_0)


def test_a_first_weight_that_is_refused_after_the_wait_for_approval_leaves_no_old_note_behind(
    limited: Stage, role: Object, bots_kube: Kube
) -> None:
    rollout_id = limited.start(50, wishes=Wishes(approve_at=(50,))).rollout.id
    with without_patch(limited.world, role, bots_kube), pytest.raises(RefusedError):
        limited.say("approve", by=BOB)
    assert (limited.load(rollout_id).rollout.phase, limited.note_phase()) == (Phase.REFUSED, Phase.AWAITING_APPROVAL)
    limited.pass_time(seconds=7)
    assert (limited.load(rollout_id).is_applied, limited.note_phase()) == (True, Phase.REFUSED)
    assert limited.world.weights() == AT_0


def test_a_webhook_that_cannot_be_called_is_trouble_and_no_refusal(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    with silent_webhook(stage.world) as name:
        with pytest.raises(ClusterError) as failed:
            stage.say("advance")
        entry = stage.load(rollout_id)
        assert (entry.rollout.phase, entry.rollout.weight, entry.is_applied) == (Phase.PROGRESSING, 25, False)
    assert str(failed.value) == (
        f"The API server answered 500 because it failed to call the webhook `{name}` "
        f"(asked for HTTPRoute `{stage.world.namespace}/{stage.world.route}`)."
    )
    stage.pass_time(seconds=7)
    assert stage.world.weights() == AT_25


def test_a_roll_back_that_is_refused_for_two_rules_of_one_name_lands_once_they_are_renamed(stage: Stage) -> None:
    chat, completions = (rule([pool_ref(STABLE, 1)], path) for path in ("/v1/chat", "/v1/completions"))
    stage.world.set_rules([{**chat, "name": "chat"}, {**completions, "name": "chat"}])
    rollout_id = stage.started(10).rollout.id
    assert both(stage) == [AT_10, AT_10]
    with refusing_policy(stage.world, SAME_NAME, unless=DIFFERENT_NAMES):
        with pytest.raises(RefusedError, match=SAME_NAME):
            stage.say("rollback")
        stage.pass_time(minutes=1)
        assert SAME_NAME in card(stage.load(rollout_id))
        assert both(stage) == [AT_10, AT_10]
        rules = stage.world.http_route()["spec"]["rules"]
        stage.world.set_rules([{**each, "name": name} for each, name in zip(rules, ("chat-1", "chat-2"), strict=True)])
        stage.pass_time(seconds=31)
        assert (stage.load(rollout_id).is_applied, both(stage)) == (True, [ALL_OLD, ALL_OLD])


def both(stage: Stage) -> list[list[tuple[str, int]]]:
    """Return the weights of both rules."""
    rules = stage.world.http_route()["spec"]["rules"]
    return [[(ref["name"], ref["weight"]) for ref in each["backendRefs"]] for each in rules]

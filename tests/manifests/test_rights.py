"""The rights that the manifests give are enough for a whole rollout, and the bot asks for nothing beyond them."""

from contextlib import closing

import pytest
import yaml
from typer.testing import CliRunner

from bot.__main__ import app
from bot.domain.errors import RouteError
from bot.domain.rollout import Phase
from k8s.cluster import Cluster
from k8s.connection import connect
from k8s.rights import DONE_WITHOUT, GRANT, GRANT_OWN_ROUTES, NEEDED, NEEDED_ONCE, group_of
from sandbox.apiserver import ApiServer
from sandbox.kube import Kube, Object, path_of
from sandbox.process import wait_until
from sandbox.rights import GATEWAYS as ROLE_FOR_GATEWAYS
from sandbox.rights import give_rights
from sandbox.world import World
from tests.builders import CANARY, STABLE
from tests.k8s.watching import ignore
from tests.scenarios.admission import without_patch
from tests.stage import NOTES, Stage


@pytest.fixture
def role(world: World) -> Object:
    """Give the bot's ServiceAccount in the test's namespace what the manifests give it."""
    return give_rights(world.kube, world.namespace)


@pytest.fixture
def as_the_bot(stage: Stage, api_server: ApiServer) -> Stage:
    """Return a stage whose cluster is seen with the bot's token."""
    stage.cluster = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, [stage.world.namespace], notes=NOTES)
    stage.__post_init__()
    return stage


def test_the_list_that_is_checked_is_what_the_manifests_grant(role: Object) -> None:
    granted = {
        (group, resource): rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert {(group_of(resource), resource.plural): [*verbs] for resource, verbs in (*NEEDED, *DONE_WITHOUT)} == granted


def test_the_list_of_what_is_read_of_gateways_is_what_the_manifests_grant() -> None:
    role, _ = yaml.safe_load_all(ROLE_FOR_GATEWAYS.read_text())
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {(group_of(resource), resource.plural, verb) for resource, verbs, _ in NEEDED_ONCE for verb in verbs}
    assert needed == granted


@pytest.mark.usefixtures("role")
def test_a_whole_rollout_needs_no_more(as_the_bot: Stage) -> None:
    stage = as_the_bot
    entry = stage.started(10)
    stage.say("advance")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say("promote")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    stage.say("finish")
    stage.audit.inspect()
    assert (stage.load(entry.rollout.id).rollout.phase, stage.world.weights()) == (Phase.FINISHED, [(CANARY, 100)])
    stage.say("rollback")
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_missing_right_is_named_and_nothing_is_started(
    role: Object, as_the_bot: Stage, api_server: ApiServer
) -> None:
    before = as_the_bot.world.http_route()
    with (
        closing(api_server.client("rolloutbot")) as bot,
        without_patch(as_the_bot.world, role, bot),
        pytest.raises(RouteError) as refused,
    ):
        as_the_bot.start(10)
    assert "patch" in str(refused.value)
    assert "httproutes" in str(refused.value)
    assert (as_the_bot.world.http_route(), as_the_bot.store.entries()) == (before, [])


# --- what is missing is said


def take_away(kube: Kube, namespace: str, role: Object, *verbs: str) -> None:
    for rule in role["rules"]:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb not in verbs]
    kube.merge(path_of("rbac.authorization.k8s.io/v1", "Role", namespace, "rolloutbot"), {"rules": role["rules"]})


BOT = "`system:serviceaccount:rolloutbot:rolloutbot`"


def check_cluster(api_server: ApiServer, *namespaces: str, more: str = "") -> tuple[int, list[str]]:
    """Run ``check-config --cluster`` as the bot, with ``more`` in its policy."""
    policy = api_server.folder / f"policy-{namespaces[0]}.yaml"
    policy.write_text(f"namespaces: [{', '.join(namespaces)}]\n{more}")
    env = {"KUBECONFIG": str(api_server.kubeconfig("rolloutbot"))}
    words = ["check-config", "--policy-only", "--cluster", str(policy)]
    result = CliRunner().invoke(app, words, env=env)
    return result.exit_code, result.output.splitlines()[1:]


@pytest.mark.usefixtures("role")
def test_check_config_says_who_may_do_all_that_is_needed(api_server: ApiServer, world: World) -> None:
    good = f"{BOT} has every right that the bot needs in `{world.namespace}`."
    assert check_cluster(api_server, world.namespace) == (0, [good])


@pytest.mark.usefixtures("role")
def test_check_config_names_the_rights_that_a_gate_of_the_policy_needs(api_server: ApiServer, world: World) -> None:
    refused = f"{BOT} may not `create`, `delete` `httproutes` of gateway.networking.k8s.io in namespace"
    assert check_cluster(api_server, world.namespace, more="gates: {warm_up: {}}\n") == (
        1,
        [f"{refused} `{world.namespace}`.", GRANT_OWN_ROUTES],
    )


def test_check_config_names_every_missing_verb_of_every_namespace(
    api_server: ApiServer, role: Object, world: World, kube: Kube
) -> None:
    take_away(kube, world.namespace, role, "watch", "patch")
    here, there, pools = world.namespace, "elsewhere", "inference.networking.k8s.io"
    assert check_cluster(api_server, here, there) == (
        1,
        [
            f"{BOT} may not `watch`, `patch` `httproutes` of gateway.networking.k8s.io in namespace `{here}`.",
            f"{BOT} may not `watch` `inferencepools` of {pools} in namespace `{here}`.",
            f"{BOT} may not `watch` `pods` in namespace `{here}`.",
            f"{BOT} may not `watch` `services` in namespace `{here}`.",
            f"{BOT} may not `watch` `endpointslices` of discovery.k8s.io in namespace `{here}`.",
            f"{BOT} may not `get`, `list`, `watch`, `patch` `httproutes` of gateway.networking.k8s.io in namespace "
            f"`{there}`.",
            f"{BOT} may not `get`, `list`, `watch` `inferencepools` of {pools} in namespace `{there}`.",
            f"{BOT} may not `list`, `watch` `pods` in namespace `{there}`.",
            f"{BOT} may not `get`, `list`, `watch` `services` in namespace `{there}`.",
            f"{BOT} may not `list`, `watch` `endpointslices` of discovery.k8s.io in namespace `{there}`.",
            f"{BOT} may not `list` `referencegrants` of gateway.networking.k8s.io in namespace `{there}`.",
            f"{BOT} may not `list` `inferencepools` of inference.networking.x-k8s.io in namespace `{there}`.",
            *(
                f"{BOT} may not `list` `{kind}` of {group} in namespace `{there}`."
                for group in ("inference.networking.x-k8s.io", "llm-d.ai")
                for kind in ("inferenceobjectives", "inferencemodelrewrites")
            ),
            GRANT,
        ],
    )


def test_a_role_without_watch_is_said_in_the_log_and_to_readyz(
    api_server: ApiServer,
    role: Object,
    world: World,
    kube: Kube,
    caplog: pytest.LogCaptureFixture,
) -> None:
    take_away(kube, world.namespace, role, "watch")
    cluster = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, [world.namespace])
    cluster.watch(route_changed=ignore, route_gone=ignore, pool_gone=ignore)
    wait_until("every refusal", lambda: len(cluster.refusals()) == 5, seconds=10)
    grant = "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
    resources = (
        "`httproutes` of gateway.networking.k8s.io",
        "`inferencepools` of inference.networking.k8s.io",
        "`pods`",
        "`services`",
        "`endpointslices` of discovery.k8s.io",
    )
    said = [f"The bot may not `watch` {each} in namespace `{world.namespace}`. {grant}" for each in resources]
    cluster.close()
    late = "Until then, I see other people's changes up to half a minute late."
    assert cluster.refusals() == said
    assert sorted(caplog.messages) == sorted(f"{sentence} {late}" for sentence in said)

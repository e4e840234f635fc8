"""The brake without the store, on a real API server; and how the store takes it up when it is asked again."""

import threading
from collections.abc import Sequence

import pytest

from bot.domain.commands.request import Command
from bot.domain.errors import ClusterError, RefusedError, RouteError, TransitionError, UsageError
from bot.domain.rollout import Phase
from bot.engine.rollback_from_route import Place, RouteRollback, RouteRolledBack
from bot.engine.route_port import RouteCopy
from k8s.cluster import Cluster
from k8s.connection import connect
from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy
from sandbox.objects import pool_ref, rule
from sandbox.rights import give_rights
from tests.builders import BOB, CANARY, STABLE
from tests.k8s.watching import deaf_cluster
from tests.stage import NOTES, Stage

ROOM = "C0INFER001"


def a_brake(stage: Stage) -> RouteRollback:
    return RouteRollback(stage.routes, stage.clock)


def pull(stage: Stage, reason: str = "p99 doubled") -> RouteRolledBack:
    return a_brake(stage).roll_back(Place(stage.world.namespace, stage.world.route, reason, ""), by=BOB)


def test_it_puts_the_weights_back_without_asking_the_store(stage: Stage) -> None:
    stage.started(10)
    stage.memory.calls.clear()
    braked = pull(stage)
    assert (stage.world.weights(), stage.note_phase(), stage.memory.calls) == ([(STABLE, 1)], Phase.ROLLED_BACK, [])
    assert (braked.rollout.by, braked.rollout.why, braked.missing) == (BOB, "p99 doubled", ())


def test_the_store_takes_it_up_with_who_did_it_and_why(stage: Stage) -> None:
    rollout_id = stage.started(10).rollout.id
    pull(stage)
    stage.audit.inspect()
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.rollout.by, entry.rollout.why) == (Phase.ROLLED_BACK, BOB, "p99 doubled")
    assert (entry.is_applied, stage.events(rollout_id)) == (True, ["started", "rolled_back"])


def test_an_edit_of_somebody_else_in_between_does_not_make_it_lose(stage: Stage) -> None:
    stage.started(10)
    stage.routes.after("read", lambda: stage.world.set_annotations({"theirs": "1"}))
    pull(stage)
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_step_of_the_bot_in_between_is_read_and_rolled_back_too(stage: Stage) -> None:
    stage.started(10)
    stage.routes.after("read", lambda: stage.elsewhere("advance"))
    assert pull(stage).rollout.revision == 4
    assert (stage.world.weights(), stage.note_phase()) == ([(STABLE, 1)], Phase.ROLLED_BACK)


def test_pulled_twice_it_writes_once(stage: Stage) -> None:
    stage.started(10)
    assert pull(stage).written
    stage.routes.calls.clear()
    again = pull(stage, reason="again")
    assert (again.written, again.rollout.why, stage.routes.calls) == (
        False,
        "p99 doubled",
        ["read", "is_rewritten", "shows", "observe", "is_rewritten"],
    )


def test_rules_that_are_gone_are_not_written_for_ever(stage: Stage) -> None:
    stage.world.set_rules([rule([pool_ref(STABLE)], "/a"), rule([pool_ref(STABLE)], "/b")])
    stage.started(10)
    stage.world.set_rules([rule([pool_ref(STABLE, 90), pool_ref(CANARY, 10)], "/a")])
    assert [(braked.written, braked.missing) for braked in (pull(stage), pull(stage))] == [
        (True, ("rule 2",)),
        (False, ()),
    ]


def test_a_second_ref_to_the_new_pool_that_stays_at_0_is_not_written_for_ever(stage: Stage) -> None:
    stage.started(10)
    stage.world.set_rules([rule([pool_ref(STABLE, 90), pool_ref(CANARY, 10), pool_ref(CANARY, 0)])])
    assert [pull(stage).written for _ in range(2)] == [True, False]


def test_weights_that_drifted_after_a_roll_back_are_written_again(stage: Stage) -> None:
    stage.started(10)
    pull(stage)
    stage.world.set_weights({STABLE: 40, CANARY: 60})
    pull(stage)
    assert stage.world.weights() == [(STABLE, 1)]


def test_a_route_without_a_rollout_is_named(stage: Stage) -> None:
    with pytest.raises(RouteError) as refused:
        pull(stage)
    assert str(refused.value) == (
        f"HTTPRoute `{stage.world.namespace}/llm-route` has no rollout of this bot. "
        "See `kubectl get httproutes` for the route that you mean."
    )


def test_a_roll_back_of_nothing_is_refused_in_words(stage: Stage) -> None:
    stage.started(100)
    stage.pass_time(minutes=30)
    stage.world.delete_pool(STABLE)
    stage.audit.inspect()
    with pytest.raises(TransitionError) as refused:
        pull(stage)
    assert str(refused.value) == (
        f"You can't roll back now: `{CANARY}` is cleaned. "
        "The old pool is gone. To go back, deploy it again, and `start` a rollout to it."
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (Command(verb="rollback", subject=CANARY, reason="p99"), "p99"),
        (Command(verb="rollback", subject="p99", reason="doubled"), "p99 doubled"),
        (Command(verb="rollback"), ""),
    ],
)
def test_the_rollout_that_is_meant_is_found_on_the_routes(stage: Stage, words: Command, reason: str) -> None:
    stage.started(10)
    place = a_brake(stage).find(words, ROOM, stage.clock.now())
    assert (place.namespace, place.route, place.reason) == (stage.world.namespace, stage.world.route, reason)


def test_a_word_without_a_pool_means_only_the_channels_own_rollout(stage: Stage) -> None:
    stage.started(10)
    with pytest.raises(RouteError) as refused:
        a_brake(stage).find(Command(verb="rollback"), "C0ELSEW001", stage.clock.now())
    assert str(refused.value) == "No route has such a rollout. Name its new pool: `rollback POOL`."


def test_an_id_that_is_on_no_route_brakes_nothing_else(stage: Stage) -> None:
    stage.started(10)
    with pytest.raises(RouteError, match="No route has a rollout of `r-0123abcd`"):
        stage.engine.brake(stage.request("rollback", subject="r-0123abcd"))
    assert stage.note_phase() is Phase.PROGRESSING


SLIP = CANARY.replace("new", "nwe")


def test_a_slip_of_a_pools_name_means_the_channels_own_rollout(stage: Stage) -> None:
    stage.started(10)
    stage.engine.brake(stage.request("rollback", subject=SLIP, reason="p99"))
    note = stage.note()
    assert note is not None
    assert (note.phase, note.why) == (Phase.ROLLED_BACK, "p99")


def test_a_slip_of_a_pools_name_brakes_nothing_in_another_channel(stage: Stage) -> None:
    stage.started(10)
    with pytest.raises(RouteError) as refused:
        a_brake(stage).find(Command(verb="rollback", subject=SLIP), "C0ELSEW001", stage.clock.now())
    assert str(refused.value) == f"No route has a rollout of `{SLIP}`. Did you mean `{CANARY}`?"


def test_of_several_rollouts_one_has_to_be_named(stage: Stage) -> None:
    stage.started(10)
    stage.world.add_pool("other")
    stage.world.add_pool("other-new")
    stage.world.add_route("second", [pool_ref("other")], path="/other")
    stage.start(10, subject="other-new")
    with pytest.raises(UsageError, match=r"This could mean several rollouts\. Name one: "):
        a_brake(stage).find(Command(verb="rollback"), ROOM, stage.clock.now())


@pytest.mark.parametrize("subject", [CANARY, ""])
def test_a_change_that_a_half_open_watch_missed_is_found(stage: Stage, proxy: FaultProxy, subject: str) -> None:
    with deaf_cluster(proxy, stage.world) as cluster:
        rollout_id = stage.started(10).rollout.id
        assert [copy.note for copy in cluster.copies(stage.world.namespace)] == [None]
        brake, here = RouteRollback(cluster, stage.clock), (stage.world.namespace, stage.world.route)
        for word in (subject, rollout_id):
            place = brake.find(Command(verb="rollback", subject=word), ROOM, stage.clock.now())
            assert (place.namespace, place.route, place.reason) == (*here, "")


def a_limited_brake(stage: Stage, api_server: ApiServer) -> RouteRollback:
    """Return a brake whose policy still lists a namespace that the bot may not read, in front of the world's own."""
    give_rights(stage.world.kube, stage.world.namespace)
    namespaces = ["default", stage.world.namespace]
    cluster = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, namespaces, notes=NOTES)
    return RouteRollback(cluster, stage.clock)


@pytest.mark.parametrize(("subject", "reason"), [(CANARY, "p99"), ("", "p99"), ("errors", "errors p99")])
def test_a_refused_namespace_does_not_delay_a_roll_back_in_another(
    stage: Stage, api_server: ApiServer, subject: str, reason: str
) -> None:
    stage.started(10)
    words = Command(verb="rollback", subject=subject, reason="p99")
    place = a_limited_brake(stage, api_server).find(words, ROOM, stage.clock.now())
    assert (place.namespace, place.route, place.reason) == (stage.world.namespace, stage.world.route, reason)


@pytest.mark.parametrize("subject", ["", "errors"])
def test_where_nothing_is_found_the_namespace_that_is_refused_is_named(
    stage: Stage, api_server: ApiServer, subject: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        a_limited_brake(stage, api_server).find(Command(verb="rollback", subject=subject), ROOM, stage.clock.now())
    assert refused.value.message == (
        "The bot may not `list` `httproutes` of gateway.networking.k8s.io in namespace `default`."
    )


class OneHangs(Cluster):
    """A cluster whose lists of one namespace take too long."""

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        if namespace == "hangs":
            raise ClusterError("The API server did not answer in time.")
        return super().list(namespace)


@pytest.mark.parametrize(
    ("subject", "where"),
    [
        ("", "There may be rollouts on routes that I could not read."),
        ("theirs", "No route that I could read has a rollout of `theirs`."),
    ],
)
def test_while_a_namespace_hangs_a_rollout_has_to_be_named(stage: Stage, subject: str, where: str) -> None:
    stage.started(10)
    brake = RouteRollback(OneHangs(stage.cluster._api, ["hangs", stage.world.namespace], notes=NOTES), stage.clock)
    with pytest.raises(ClusterError) as unclear:
        brake.find(Command(verb="rollback", subject=subject), ROOM, stage.clock.now())
    assert str(unclear.value) == (
        f"{where} The API server did not answer in time. Name the new pool that you mean: `rollback POOL`."
    )
    named = brake.find(Command(verb="rollback", subject=CANARY), ROOM, stage.clock.now())
    assert named == Place(stage.world.namespace, stage.world.route, "", CANARY)


class OneNeverAnswers(Cluster):
    """A cluster whose lists of one namespace come when ``ended`` is set."""

    ended = threading.Event()

    def list(self, namespace: str) -> Sequence[RouteCopy]:
        if namespace == "hangs":
            self.ended.wait()
        return super().list(namespace)


def test_a_rollout_that_is_named_and_found_does_not_wait_for_a_namespace_that_hangs(stage: Stage) -> None:
    stage.started(10)
    cluster = OneNeverAnswers(stage.cluster._api, ["hangs", stage.world.namespace], notes=NOTES)
    try:
        named = RouteRollback(cluster, stage.clock).find(
            Command(verb="rollback", subject=CANARY), ROOM, stage.clock.now()
        )
        assert named == Place(stage.world.namespace, stage.world.route, "", CANARY)
    finally:
        cluster.ended.set()

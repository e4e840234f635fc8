"""One pool in rollouts of several routes: which one words mean, with the store and without it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from bot.config.policy import Policy
from bot.domain.choices import Choices
from bot.domain.commands.grammar import parse
from bot.domain.commands.origin import in_slack
from bot.domain.errors import NotHereError, RouteError, StoreError, UsageError, UserError
from bot.domain.rollout import Phase
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verbs
from bot.engine.rollback_from_route import RouteRollback
from k8s.cluster import Cluster
from k8s.connection import connect
from sandbox.apiserver import ApiServer
from sandbox.objects import pool_ref
from sandbox.world import create_world
from tests.builders import CANARY, STABLE
from tests.stage import NOTES, Stage

ROOM, ELSEWHERE = "C0INFER001", "C0ELSEW001"
OUTER, INNER = "llm-route", "chat-batch-route"


@dataclass
class Two:
    """A rollout of one pool on each of two routes."""

    stage: Stage
    outer: str
    inner: str

    def id_of(self, route: str) -> str:
        return {OUTER: self.outer, INNER: self.inner}[route]

    def with_store(self, text: str, channel: str = ROOM) -> tuple[str, str]:
        """Return the route that a line means, and its reason."""
        entry, meant = self.stage.lookup.meant_by(parse(text), channel, self.stage.clock.now())
        return entry.rollout.route, meant.reason

    def without_store(self, text: str, channel: str = ROOM) -> tuple[str, str]:
        """Return the same from the notes on the routes."""
        place = RouteRollback(self.stage.cluster, self.stage.clock).find(parse(text), channel, self.stage.clock.now())
        return place.route, place.reason

    def listed(self, *routes: str) -> str:
        """Return how a sentence lists the rollouts of these routes."""
        here = self.stage.world.namespace
        return ", ".join(f"`{CANARY} route={at}` (10 % on `{here}/{at}`, {self.id_of(at)})" for at in routes)


Finds = Callable[[Two], Callable[..., tuple[str, str]]]
BOTH_WAYS = pytest.mark.parametrize(
    "finds", [lambda two: two.with_store, lambda two: two.without_store], ids=["with the store", "without it"]
)


@pytest.fixture
def two(stage: Stage) -> Two:
    stage.world.add_route(INNER, [pool_ref(STABLE)], path="/internal")
    outer = stage.start(10, route=OUTER).rollout.id
    stage.clock.forward(seconds=1)
    inner = stage.start(10, route=INNER).rollout.id
    for route in (OUTER, INNER):
        stage.world.wait_observed(route)
    stage.pass_time(seconds=1)
    return Two(stage, outer, inner)


MEANS = {
    f"rollback {CANARY} route={INNER}": (INNER, ""),
    f"rollback {CANARY} p99 route={INNER} doubled": (INNER, "p99 doubled"),
    f"rollback {CANARY} --route {OUTER} p99": (OUTER, "p99"),
    f"Rollback {CANARY.title()}: p99 route={INNER.title()}": (INNER, "p99"),
    f"rollback route={INNER}": (INNER, ""),
    f"rollback route={INNER} p99 doubled": (INNER, "p99 doubled"),
    f"rollback {CANARY} route=chat-bacth-route p99": (INNER, "route=chat-bacth-route p99"),
    f"rollback {CANARY} namespace=models route={INNER}": (INNER, f"route={INNER} namespace=models"),
}


@BOTH_WAYS
def test_a_roll_back_names_one_of_them_by_its_route(two: Two, finds: Finds) -> None:
    assert {text: finds(two)(text) for text in MEANS} == MEANS
    assert {text: finds(two)(text, ELSEWHERE) for text in MEANS} == MEANS


@BOTH_WAYS
def test_the_namespace_stands_before_the_route_or_in_a_word_of_its_own(two: Two, finds: Finds) -> None:
    here = two.stage.world.namespace
    for place in (f"route={here}/{INNER}", f"route={INNER} namespace={here}", f"namespace={here} route={INNER}"):
        assert finds(two)(f"rollback {CANARY} {place} p99") == (INNER, "p99")


@BOTH_WAYS
def test_an_id_in_the_reason_names_one_of_them(two: Two, finds: Finds) -> None:
    assert finds(two)(f"rollback {CANARY} {two.inner}") == (INNER, two.inner)


@BOTH_WAYS
def test_what_names_none_of_them_is_asked_back_with_both(two: Two, finds: Finds) -> None:
    texts = (f"rollback {CANARY}", f"rollback {CANARY} p99", "rollback", "rollback p99 doubled")
    for words in (*texts, *(f"{text} namespace={two.stage.world.namespace}" for text in texts)):
        with pytest.raises(UsageError) as refused:
            finds(two)(words)
        assert str(refused.value).split("Name one: ")[1] in (
            f"{two.listed(INNER, OUTER)}.",
            f"{two.listed(OUTER, INNER)}.",
        )
        choices = refused.value.choices
        assert choices is not None
        assert (choices.verb, {entry.rollout.id for entry in choices.entries}) == ("rollback", {two.inner, two.outer})


@BOTH_WAYS
def test_a_route_without_a_rollout_rolls_back_no_other_one(two: Two, finds: Finds) -> None:
    for pool, of in ((f"{CANARY} ", f" of `{CANARY}`"), ("", "")):
        with pytest.raises(RouteError) as refused:
            finds(two)(f"rollback {pool}route=public p99")
        assert str(refused.value).startswith(f"There is no rollout{of} at `route=public`. Name one: `{CANARY} route=")
        assert refused.value.choices is not None


@BOTH_WAYS
def test_a_route_of_another_pools_rollout_is_no_slip(two: Two, finds: Finds) -> None:
    two.stage.world.add_pool("other")
    two.stage.world.add_pool("other-new")
    two.stage.world.add_route("chat-batch-routes", [pool_ref("other")], path="/other")
    two.stage.start(10, subject="other-new", route="chat-batch-routes")
    with pytest.raises(RouteError):
        finds(two)(f"rollback {CANARY} route=chat-batch-routes")


@BOTH_WAYS
def test_a_namespace_alone_keeps_no_roll_back_from_the_only_rollout_of_a_pool(two: Two, finds: Finds) -> None:
    two.stage.say("rollback", subject=two.inner)
    text = f"rollback {CANARY} namespace=models p99"
    assert finds(two)(text) == (OUTER, "namespace=models p99")


def test_while_a_lost_rollout_may_be_in_that_namespace_it_does(two: Two) -> None:
    two.stage.say("rollback", subject=two.inner)
    two.stage.redis.hdel(*two.stage.redis.keys("*:store"), "epoch")
    with pytest.raises(StoreError, match="Redis has lost data"):
        two.with_store(f"rollback {CANARY} namespace=models")


@BOTH_WAYS
def test_a_roll_back_of_one_that_comes_again_means_that_one(two: Two, finds: Finds) -> None:
    two.stage.say("rollback", subject=two.inner)
    assert finds(two)(f"rollback {CANARY} route={INNER}") == (INNER, "")
    assert finds(two)(f"rollback route={INNER}") == (INNER, "")
    assert finds(two)(f"rollback {CANARY}") == (OUTER, "")


ORDERS = [verb.name for verb in verbs() if verb.kind is Kind.ORDER]


def test_every_order_means_the_rollout_of_the_route_that_it_names(two: Two) -> None:
    for verb in ORDERS:
        for text in (f"{verb} {CANARY} route={INNER} reason=p99", f"{verb} route={INNER} reason=p99"):
            assert two.with_store(text) == (INNER, "p99")
        with pytest.raises(UsageError) as refused:
            two.with_store(f"{verb} {CANARY} reason=p99")
        assert refused.value.choices is not None
        assert refused.value.choices.verb == verb


@pytest.mark.parametrize("where", ["route=public", "namespace=models", f"route={INNER} namespace=models"])
def test_an_order_that_is_no_brake_is_refused_where_no_rollout_is(two: Two, where: str) -> None:
    for verb in set(ORDERS) - {"rollback", "pause"}:
        with pytest.raises(RouteError) as refused:
            two.with_store(f"{verb} {CANARY} {where} reason=p99")
        said = f"There is no rollout of `{CANARY}` at `{where}`. Name one: {two.listed(INNER, OUTER)}."
        assert str(refused.value) == said


def test_an_id_and_another_route_do_not_agree(two: Two) -> None:
    assert two.with_store(f"rollback {two.outer} route={INNER}") == (OUTER, f"route={INNER}")
    assert two.without_store(f"rollback {two.outer} route={INNER}") == (OUTER, f"route={INNER}")
    with pytest.raises(RouteError, match="There is no rollout of"):
        two.with_store(f"advance {two.outer} route={INNER}")


def test_questions_name_one_by_its_route_and_status_tells_of_both(two: Two) -> None:
    def asked(text: str) -> list[str]:
        request = replace(two.stage.request("status"), command=parse(text), origin=in_slack(ROOM))
        reply = two.stage.engine.answer(request, "/rollout")
        return [str(reply.said), *(entry.rollout.route for entry in reply.rollouts)]

    hint = f"Name one of several, as in `{CANARY} route={INNER}`."
    assert asked(f"status {CANARY} route={INNER}") == ["", INNER]
    assert asked(f"status route={INNER}") == ["", INNER]
    assert asked(f"status {CANARY}") == asked("status") == [hint, INNER, OUTER]
    assert asked(f"why {CANARY} route={OUTER}") == ["", OUTER]
    with pytest.raises(UsageError) as refused:
        asked(f"why {CANARY}")
    assert isinstance(refused.value.choices, Choices)
    assert refused.value.choices.verb == "why"


def test_the_button_of_a_list_rolls_back_its_own_rollout_alone_also_without_the_store(two: Two) -> None:
    two.stage.engine.brake(two.stage.request("rollback", subject=two.inner, turn=1))
    assert [two.stage.world.weights(route) for route in (OUTER, INNER)] == [[(STABLE, 90), (CANARY, 10)], [(STABLE, 1)]]


def test_a_button_of_an_unknown_rollout_rolls_back_nothing(two: Two) -> None:
    press = two.stage.request("rollback", subject="r-0123abcd", turn=1)
    for roll_back in (two.stage.engine.brake, two.stage.ask):
        with pytest.raises(UserError, match="rollout of `r-0123abcd`"):
            roll_back(press)
    assert {entry.rollout.phase for entry in two.stage.store.entries()} == {Phase.PROGRESSING}


@BOTH_WAYS
def test_a_route_that_nobody_here_knows_may_be_of_another_install(two: Two, finds: Finds) -> None:
    for text in ("rollback route=public", f"rollback {CANARY} route=public", "rollback nope route=x"):
        with pytest.raises(NotHereError):
            finds(two)(text)


def test_the_same_route_in_two_namespaces_is_told_apart_by_the_namespace(api_server: ApiServer, stage: Stage) -> None:
    here, there = stage.world.namespace, f"{stage.world.namespace}-b"
    create_world(stage.world.kube, there)
    cluster = Cluster(connect(api_server.kubeconfig("admin")).api, [here, there], notes=NOTES, now=stage.clock.now)
    both = Stage(stage.world, stage.redis, cluster, stage.clock, Policy(namespaces=(here, there)))
    for namespace in (here, there):
        both.start(10, namespace=namespace)
        both.clock.forward(seconds=1)
    for text in (f"rollback {CANARY} namespace={there} p99", f"rollback {CANARY} p99 route={there}/{OUTER}"):
        entry, meant = both.lookup.meant_by(parse(text), ROOM, both.clock.now())
        place = RouteRollback(cluster, both.clock).find(parse(text), ROOM, both.clock.now())
        assert (entry.rollout.namespace, meant.reason) == (place.namespace, place.reason) == (there, "p99")
    with pytest.raises(UsageError) as refused:
        both.lookup.meant_by(parse(f"rollback {CANARY} route={OUTER}"), ROOM, both.clock.now())
    assert f"`{CANARY} route={OUTER} namespace={there}` (10 % on `{there}/{OUTER}`, r-" in str(refused.value)
    request = replace(both.request("status"), command=parse("status"), origin=in_slack(ROOM))
    said = str(both.engine.answer(request, "/rollout").said)
    assert said == f"Name one of several, as in `{CANARY} route={OUTER} namespace={there}`."

"""What `check` says of the gateways of a route: whether their kind splits traffic between two pools."""

import pytest

from bot.domain.check import Grade
from bot.engine.gateway_word import GatewaySays
from k8s.checks.gateway import KNOWN, lines
from k8s.route_status import GatewayFacts, Parent
from tests.k8s.build import OLD, Json, a_ref, a_route, a_rule
from tests.k8s.scenes import a_scene

UNREAD = (
    Grade.WARN,
    "I do not know which controller speaks for the Gateway: the Gateway or its GatewayClass could not be read.",
)
ACCEPTED = (Grade.PASS, "The gateway accepts the route as it is.")


def said(*parents: tuple[str, Json]) -> list[tuple[Grade, str]]:
    """Return the lines for parents, each with its controller and parentRef, that accept the route."""
    route = a_route(a_rule(a_ref(OLD)))
    facts = [Parent(ref=ref, facts=GatewayFacts(controller=controller)) for controller, ref in parents]
    scene = a_scene(route, says=GatewaySays.ACCEPTED, parents=facts)
    return [(line.grade, line.said) for line in lines(scene)]


EDGE: Json = {"name": "edge"}


@pytest.mark.parametrize(
    ("controller", "ref", "line"),
    [
        ("agentgateway.dev/agentgateway", EDGE, (Grade.PASS, "agentgateway honours weights between InferencePools.")),
        (
            "gateway.envoyproxy.io/gatewayclass-controller",
            EDGE,
            (Grade.STOP, "Envoy Gateway takes only one InferencePool in a rule."),
        ),
        (
            "kgateway.dev/kgateway",
            EDGE,
            (Grade.STOP, "kgateway answers 503 where two InferencePools share a rule."),
        ),
        (
            "volcano.sh/kthena-router",
            EDGE,
            (Grade.STOP, "Kthena sends everything to the first pool of a rule, whatever the weights say."),
        ),
        (
            "example.com/own",
            EDGE,
            (Grade.WARN, "I do not know whether `example.com/own` honours weights between InferencePools."),
        ),
        ("", EDGE, UNREAD),
        ("", {"group": None, "kind": None, "name": "edge"}, UNREAD),
        (
            "",
            {"kind": "ListenerSet", "name": "team-a"},
            (
                Grade.WARN,
                "ListenerSet `team-a` is a parent of the route and no Gateway: I do not know which controller speaks "
                "for it, and take the word of any that accepts the route.",
            ),
        ),
    ],
)
def test_each_kind_of_gateway_is_known_warned_of_or_refused(
    controller: str, ref: Json, line: tuple[Grade, str]
) -> None:
    assert said((controller, ref)) == [line, ACCEPTED]


def test_a_kind_that_has_several_parents_is_named_once_and_each_other_kind_too() -> None:
    own = "agentgateway.dev/agentgateway"
    found = said((own, EDGE), (own, {"name": "edge", "sectionName": "https"}), ("istio.io/gateway-controller", EDGE))
    assert [grade for grade, _ in found] == [Grade.PASS, Grade.WARN, Grade.PASS]


def test_what_does_not_pass_says_what_is_wrong_with_it() -> None:
    assert [name for name, known in KNOWN.items() if (known.grade is Grade.PASS) is bool(known.said)] == []

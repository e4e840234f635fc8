"""The gateway: what it says about the route now, and whether its kind honours weights between pools."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.domain.check import Grade, Line, fine, stop, warn
from bot.engine.gateway_word import GatewaySays
from k8s.checks.scene import Scene
from k8s.route_status import Parent

TOPIC: Final = "Gateway"
BEFORE: Final = "It was so before this rollout."


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    grade: Grade
    said: str = ""
    hint: str = ""


_ONE_PICKER: Final = "asks one endpoint picker for the whole rule in versions before the fix of September 2026"
KNOWN: Final = {
    "agentgateway.dev/agentgateway": _Known("agentgateway", Grade.PASS),
    "gateway.nginx.org/nginx-gateway-controller": _Known("NGINX Gateway Fabric", Grade.PASS),
    "networking.gke.io/gateway": _Known("GKE", Grade.PASS),
    "istio.io/gateway-controller": _Known(
        "Istio", Grade.WARN, _ONE_PICKER, "There, keep both pools ready until the old one is off the route."
    ),
    "higress.io/gateway-controller": _Known(
        "Higress", Grade.WARN, "asks the last pool's endpoint picker for the whole rule", "Look at who answers."
    ),
    "gateway.envoyproxy.io/gatewayclass-controller": _Known(
        "Envoy Gateway",
        Grade.STOP,
        "takes only one InferencePool in a rule",
        "Use a gateway that splits between pools.",
    ),
    "volcano.sh/kthena-router": _Known(
        "Kthena",
        Grade.STOP,
        "sends everything to the first pool of a rule, whatever the weights say",
        "Use a gateway that splits between pools.",
    ),
    "kgateway.dev/kgateway": _Known(
        "kgateway", Grade.STOP, "answers 503 where two InferencePools share a rule", "Use its successor, agentgateway."
    ),
}
"""By the controllerName of the GatewayClass; docs/gateways.md says where each is from."""


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    yield from dict.fromkeys(_kind(parent) for parent in scene.parents)
    for said in dict.fromkeys(each.said for each in scene.word.objections):
        yield warn(TOPIC, f"{said}{'' if said.endswith('.') else '.'} {BEFORE}")
    for note in scene.word.notes:
        yield warn(TOPIC, note)
    if not scene.word.objections:
        yield _accepts(scene)


def _kind(parent: Parent) -> Line:
    controller, kind = parent.facts.controller, parent.ref.get("kind") or "Gateway"
    known = KNOWN.get(controller)
    if kind != "Gateway":
        return warn(
            TOPIC,
            f"{kind} `{parent.ref.get('name')}` is a parent of the route and no Gateway: I do not know which "
            "controller speaks for it, and take the word of any that accepts the route.",
        )
    if not controller:
        return warn(
            TOPIC,
            "I do not know which controller speaks for the Gateway: the Gateway or its GatewayClass could not be read.",
            "See `check-config --cluster` for a missing right.",
        )
    if known is None:
        return warn(
            TOPIC,
            f"I do not know whether `{controller}` honours weights between InferencePools.",
            "Try the first step on a quiet route, and look at who answers.",
        )
    if known.grade is Grade.PASS:
        return fine(TOPIC, f"{known.name} honours weights between InferencePools.")
    return (stop if known.grade is Grade.STOP else warn)(TOPIC, f"{known.name} {known.said}.", known.hint)


def _accepts(scene: Scene) -> Line:
    if scene.says is GatewaySays.ACCEPTED:
        return fine(TOPIC, "The gateway accepts the route as it is.")
    if scene.is_new:
        return fine(TOPIC, "The route is new: the gateway has yet to say whether it accepts it.")
    return warn(
        TOPIC,
        "The gateway does not say whether it accepts the route as it is.",
        "Each step waits a minute for its word, and goes on without it.",
    )

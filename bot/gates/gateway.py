"""The gateway has the route in its data plane, as far as its status says so. No policy switches this off."""

from bot.domain.errors import ClusterError
from bot.domain.gate import GateAnswer
from bot.engine.gateway_word import Bars
from bot.gates.gate import Asked, Found, Gate, Keys


def check(asked: Asked, keys: Keys) -> Found:
    """Hold while a gateway says that the data plane does not have the route. What it said before the start is known."""
    rollout, routes = asked.rollout, asked.sources.routes
    try:
        copy = routes.kept(rollout.namespace, rollout.route) or routes.read(rollout.namespace, rollout.route)
    except ClusterError:  # then no step can be written either
        return Found(answer=GateAnswer.PASS)
    why = routes.gateway_word(copy, rollout, copy.generation).why(rollout.known, Bars.PROGRAM)
    return Found(answer=GateAnswer.HOLD if why else GateAnswer.PASS, reason=why)


GATE = Gate(
    name="gateway",
    about="the gateway does not say that its data plane lacks the route",
    check=check,
    required=True,
)

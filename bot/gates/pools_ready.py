"""The new pool can serve: it is there, its picker and a model server are ready. No policy switches this off."""

from bot.domain.errors import ClusterError
from bot.domain.gate import POOLS_READY, GateAnswer
from bot.gates.gate import Asked, Found, Gate, Keys


def check(asked: Asked, keys: Keys) -> Found:
    """Hold if something is missing, or if the API server does not say."""
    rollout = asked.rollout
    try:
        health = asked.sources.pools.health(rollout.stable, rollout.canary)
    except ClusterError as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error))
    lack = health.lack
    if rollout.base < 0 and health.is_stable_gone:
        lack = f"InferencePool `{rollout.stable.name}` does not exist any more: there would be nothing to roll back to."
    answer = GateAnswer.HOLD if lack else GateAnswer.PASS
    return Found(answer=answer, reason=lack, readiness=health.readiness)


GATE = Gate(
    name=POOLS_READY,
    about="the new pool is there, and its endpoint picker and a model server are ready",
    check=check,
    required=True,
)

"""The new pool can serve: it is there, its picker and a model server are ready. No policy switches this off."""

from bot.domain.errors import ClusterError
from bot.domain.gate import GateAnswer
from bot.gates.gate import Asked, Found, Gate, Keys


def check(asked: Asked, keys: Keys) -> Found:
    """Hold if something is missing, or if the API server does not say."""
    try:
        health = asked.sources.pools.health(asked.rollout.stable, asked.rollout.canary)
    except ClusterError as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error))
    answer = GateAnswer.HOLD if health.lack else GateAnswer.PASS
    return Found(answer=answer, reason=health.lack, readiness=health.readiness)


GATE = Gate(
    name="pools_ready",
    about="the new pool is there, and its endpoint picker and a model server are ready",
    check=check,
    required=True,
)

"""The new pool is warm: a warm-up has seen its time to the first token become flat, on every server that it has now."""

from bot.domain.errors import ClusterError, StoreError, UnreadableError
from bot.domain.gate import GateAnswer
from bot.domain.operation import Operation, OperationPhase
from bot.domain.rollout import Phase
from bot.domain.warm_up import slot_of
from bot.gates.gate import Asked, Found, Gate, Keys

NAME = "warm_up"


def check(asked: Asked, keys: Keys) -> Found:
    """Hold until the last warm-up is done and no model server has come since."""
    canary = asked.rollout.canary
    if asked.rollout.weight == 100:
        return Found(answer=GateAnswer.PASS, evidence="warm: it has all the traffic")
    try:
        ready = asked.sources.pools.members(canary).ready
        last = asked.sources.operations.last(slot_of(canary))
    except (ClusterError, StoreError, UnreadableError) as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error))
    return _judge(last, frozenset(ready), asked.rollout.phase)


def _judge(last: Operation | None, ready: frozenset[str], phase: Phase) -> Found:
    next_one = "a warm-up" if last is None else "another one"
    begins = "type `warm` to begin one" if phase is Phase.PAUSED else f"{next_one} begins by itself"
    if last is None:
        return _hold(f"The new pool has not been warmed up yet; {begins}.", "cold")
    if last.phase is OperationPhase.RUNNING:
        return _hold(f"The new pool is being warmed up: {_so_far(last)}.", "being warmed up")
    if last.phase is OperationPhase.CANCELLING:
        return _hold("The warm-up of the new pool is being cancelled.", "not warm")
    if last.phase is not OperationPhase.DONE:
        return _hold(f"The last warm-up of the new pool {_ended(last)} Type `warm` to try again.", "not warm")
    if not last.state["ready"]:
        return _hold(f"The last warm-up of the new pool ended with its rollout; {begins}.", "cold")
    if new := ready - frozenset(last.state["ready"]):
        since = f"{len(new)} of the new pool's {len(ready)} ready model servers started after its last warm-up"
        return _hold(f"{since}; {begins}.", f"{len(new)} of {len(ready)} servers are cold")
    return Found(answer=GateAnswer.PASS, evidence=f"warm, first token p90 {last.state['rounds'][-1]} ms")


def _ended(last: Operation) -> str:
    if last.phase is OperationPhase.CANCELLED:  # the reason is somebody's own words
        return f"was cancelled: “{last.why}”." if last.why else "was cancelled."
    return f"failed: {last.why}" if last.why else "failed."


def _so_far(operation: Operation) -> str:
    rounds = operation.state["rounds"]
    return f"its time to the first token (p90) is {rounds[-1]} ms" if rounds else "no prompt has come back yet"


def _hold(reason: str, evidence: str) -> Found:
    return Found(answer=GateAnswer.HOLD, reason=reason, evidence=evidence)


GATE = Gate(name=NAME, about="a warm-up has made the new pool warm", check=check)

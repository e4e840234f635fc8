"""The gate that wants a warm new pool."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from bot.domain.errors import ClusterError
from bot.domain.gate import GateAnswer
from bot.domain.operation import Operation, OperationPhase
from bot.domain.rollout import Phase, Pool
from bot.engine.route_port import PoolMembers
from bot.gates.gate import Asked, Found, GateSources, Keys
from bot.gates.warm_up import check
from tests.bot.gates.test_quality import Kept
from tests.builders import CANARY, NOON, a_rollout, an_entry
from tests.operations import an_operation


@dataclass
class Pods:
    """The ready pods of every pool."""

    ready: tuple[str, ...]
    error: ClusterError | None = None

    def members(self, pool: Pool) -> PoolMembers:
        if self.error:
            raise self.error
        return PoolMembers(pool=pool, pods=(), ready=self.ready)


def warmed(*ready: str, rounds: tuple[int, ...] = (900, 80, 80), **changes: Any) -> Operation:
    state = {"do": "tell", "rounds": list(rounds), "ready": list(ready)}
    return an_operation(**{"kind": "warm", "phase": OperationPhase.DONE, "state": state} | changes)


def found(kept: Kept, *ready: str, error: ClusterError | None = None, phase: Phase = Phase.PROGRESSING) -> Found:
    pools = cast(Any, Pods(ready, error))
    return check(
        Asked(an_entry(a_rollout(phase=phase)), NOON, GateSources(pools, cast(Any, None), operations=kept)), Keys()
    )


def test_a_pool_passes_whose_servers_a_warm_up_has_reached() -> None:
    kept = Kept(warmed("a/0", "b/0"))
    assert found(kept, "a/0") == Found(answer=GateAnswer.PASS, evidence="warm, first token p90 80 ms")
    assert kept.asked_for == f"warm:default/{CANARY}"


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (None, "The new pool has not been warmed up yet; a warm-up begins by itself."),
        (
            warmed("a/0", rounds=(), phase=OperationPhase.RUNNING),
            "The new pool is being warmed up: no prompt has come back yet.",
        ),
        (
            warmed("a/0", phase=OperationPhase.RUNNING),
            "The new pool is being warmed up: its time to the first token (p90) is 80 ms.",
        ),
        (
            warmed("a/0", phase=OperationPhase.FAILED, why="After 400 prompts it is not flat."),
            "The last warm-up of the new pool failed: After 400 prompts it is not flat. Type `warm` to try again.",
        ),
        (
            warmed("a/0", phase=OperationPhase.CANCELLED),
            "The last warm-up of the new pool was cancelled. Type `warm` to try again.",
        ),
        (
            warmed(rounds=()),
            "The last warm-up of the new pool ended with its rollout; another one begins by itself.",
        ),
        (
            warmed("a/0"),
            "2 of the new pool's 3 ready model servers started after its last warm-up; another one begins by itself.",
        ),
    ],
)
def test_it_holds_while_the_pool_is_cold(operation: Operation | None, reason: str) -> None:
    said = found(Kept(operation), "a/0", "a/1", "b/0")
    assert (said.answer, said.reason) == (GateAnswer.HOLD, reason)


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (None, "The new pool has not been warmed up yet; type `warm` to begin one."),
        (
            warmed("a/0"),
            "1 of the new pool's 2 ready model servers started after its last warm-up; type `warm` to begin one.",
        ),
    ],
)
def test_while_a_rollout_is_paused_no_warm_up_begins_by_itself(operation: Operation | None, reason: str) -> None:
    assert found(Kept(operation), "a/0", "a/1", phase=Phase.PAUSED).reason == reason


def test_without_the_api_server_it_holds() -> None:
    said = found(Kept(), error=ClusterError("The API server did not answer."))
    assert (said.answer, said.reason) == (GateAnswer.HOLD, "The API server did not answer.")

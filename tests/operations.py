"""Operations for tests: say only what the test is about."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.operation import Operation, OperationPhase
from tests.builders import ALICE, NOON

RUNNING = Operation(
    id="o-7f3a2c01",
    kind="copy",
    subject="models",
    parameters={"count": "3"},
    reason="",
    channel="C0INFER001",
    started_by=ALICE,
    started_at=NOON,
    phase=OperationPhase.RUNNING,
    since=NOON,
    deadline=NOON + timedelta(minutes=30),
    state={"next": 1},
    revision=2,
    decision="d2",
    decided_at=NOON,
    turn=1,
)
"""Takes its first step."""


def an_operation(**changes: Any) -> Operation:
    """Return an operation that is running, but for the changes."""
    return replace(RUNNING, **changes)

"""The trail in the log: a line for each decision and each write, in words and as fields, and none for nothing."""

import json
import logging

import pytest

from bot.domain.errors import ClusterError
from bot.service.logs import JsonLines
from tests.builders import ALICE, BOB, CANARY
from tests.stage import Stage

USUAL = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}


@pytest.fixture(autouse=True)
def _hear_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bot.engine.trail")


def trail(caplog: pytest.LogCaptureFixture, kind: str) -> list[dict[str, object]]:
    records = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "bot.engine.trail"]
    return [
        {key: value for key, value in one.items() if key not in ("time", "level", "logger")}
        for one in records
        if one["trail"] == kind
    ]


def test_every_decision_is_a_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.started(10)
    stage.pass_time(minutes=10)
    stage.say("rollback", reason="errors")
    decided = trail(caplog, "decision")
    short = [(line["who"], line["what"], line["phase"], line["from"], line["to"], line["revision"]) for line in decided]
    assert short == [
        (ALICE, "started", "starting", 0, 10, 1),
        ("rolloutbot", "progressing", "progressing", 10, 10, 2),
        ("rolloutbot", "stepped", "progressing", 10, 25, 3),
        (BOB, "rolled_back", "rolled_back", 25, 0, 4),
    ]


def test_a_line_says_the_same_in_words_and_as_fields_and_quotes_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    entry = stage.started(10)
    caplog.clear()
    back = stage.say("rollback", reason="xoxb-123-secret")
    rollout, route = back.rollout, f"{stage.world.namespace}/{stage.world.route}"
    which = {"rollout": rollout.id, "route": route, "pool": CANARY, "revision": 3, "decision": rollout.decision}
    assert trail(caplog, "decision") == [
        {
            "message": f"rollout {rollout.id}: {BOB} decided rolled_back, from 10 % to 0 %, revision 3",
            "trail": "decision",
            **which,
            "who": BOB,
            "unix_user": "",
            "what": "rolled_back",
            "phase": "rolled_back",
            "from": 10,
            "to": 0,
        }
    ]
    assert entry.applied is not None
    generation = entry.applied.generation + 1
    assert trail(caplog, "write") == [
        {
            "message": f"rollout {rollout.id}: wrote the weights of {route} (old/new) from 90/10 to 1/–, "
            f"generation {generation}, revision 3, in 0 ms",
            "trail": "write",
            **which,
            "who": BOB,
            "what": "weights",
            "from": "90/10",
            "to": "1/–",
            "generation": generation,
            "took_ms": 0,
        }
    ]


def test_what_changes_nothing_leaves_no_line(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    rollout_id = stage.started(10).rollout.id
    caplog.clear()
    stage.applier.apply(rollout_id)
    stage.audit.sweep()
    stage.pass_time(seconds=30)
    assert [trail(caplog, "decision"), trail(caplog, "write")] == [[], []]


def test_a_write_that_fails_is_no_write(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.started(10)
    caplog.clear()

    def fail() -> None:
        raise ClusterError("No.")

    stage.routes.before("write", fail)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    assert (len(trail(caplog, "decision")), trail(caplog, "write")) == (1, [])


def test_a_write_whose_answer_is_lost_is_told_as_one_that_may_be_there(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.started(10)
    caplog.clear()

    def lose() -> None:
        raise ClusterError("The API server did not answer.")

    stage.routes.after("write", lose)
    with pytest.raises(ClusterError):
        stage.say("rollback")
    assert trail(caplog, "write") == []
    (line,) = trail(caplog, "unclear_write")
    assert (line["who"], line["what"], line["from"], line["to"]) == (BOB, "weights", "90/10", "1/–")
    assert stage.world.weights()[0][1] == 1


def test_a_roll_back_without_redis_is_a_write_too(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.started(10)
    caplog.clear()
    request = stage.request("rollback")
    stage.engine.brake(request)
    assert [(line["who"], line["from"], line["to"]) for line in trail(caplog, "write")] == [(BOB, "90/10", "1/–")]

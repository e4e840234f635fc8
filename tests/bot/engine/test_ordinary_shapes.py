"""Ordinary routes as people keep them in Git: nothing stops a start, and a roll back gives back what was there."""

from typing import Any

import pytest

from bot.domain.check import Grade
from bot.domain.commands.request import StartWords
from bot.domain.rollout import Phase
from sandbox.objects import pool_ref, rule
from tests.builders import ALICE, CANARY, STABLE
from tests.stage import Stage

Json = dict[str, Any]
WEB: Json = {"kind": "Service", "name": "web", "port": 80, "weight": 1}


def a_model(name: str, pool: str) -> Json:
    """Return a rule for the requests of one model, with timeouts."""
    header = {"name": "x-gateway-model-name", "value": name}
    matches = [{"path": {"type": "PathPrefix", "value": "/v1"}, "headers": [header]}]
    return {
        "matches": matches,
        "timeouts": {"request": "3600s", "backendRequest": "3600s"},
        "backendRefs": [pool_ref(pool)],
    }


SHAPES: dict[str, Json] = {
    "a sum that is not 100, and the new pool at 0": {"rules": [rule([pool_ref(STABLE, 7), pool_ref(CANARY, 0)])]},
    "no matches at all": {"rules": [{"backendRefs": [pool_ref(STABLE)]}]},
    "the largest weight": {"rules": [rule([pool_ref(STABLE, 1_000_000)])]},
    "another pool at 0, a rule for the web, and hosts": {
        "hostnames": ["a.example.com", "b.example.com", "*.c.example.com"],
        "rules": [
            {**rule([pool_ref(STABLE, 1), pool_ref("chat-v0", 0)]), "name": "main"},
            {**rule([WEB], "/ui")},
        ],
    },
    "a port, and a parent with a section": {
        "parentRefs": [{"name": "inference-gateway", "sectionName": "http"}],
        "rules": [rule([{**pool_ref(STABLE, 1), "port": 8000}], "/v1/chat/completions")],
    },
    "a rule for each model, all to the same pool": {
        "rules": [a_model("chat", STABLE), a_model("chat-lora-a", STABLE)],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_ordinary_route_moves_and_comes_back_as_it_was(stage: Stage, shape: str) -> None:
    stage.world.add_pool("chat-v0")
    stage.world.edit({"spec": SHAPES[shape]})
    stage.world.wait_observed()
    before = stage.world.http_route()["spec"]
    words = StartWords(weight=0)
    report = stage.engine.answer(stage.request("check", by=ALICE, start=words), "/rollout").report
    assert report is not None
    assert [line.text for line in report.of(Grade.STOP)] == []
    stage.started(10)
    stage.say("advance")
    assert stage.say("rollback").rollout.phase is Phase.ROLLED_BACK
    assert stage.world.http_route()["spec"] == before


def test_a_route_to_two_old_pools_asks_which_of_them(stage: Stage) -> None:
    stage.world.add_pool("code-v1")
    stage.world.set_rules([a_model("chat", STABLE), a_model("code", "code-v1")])
    with pytest.raises(Exception, match=rf"(?s)More than one pool .*from={STABLE} .*from=code-v1 "):
        stage.start(10)
    stage.start(10, stable=STABLE)
    rules = stage.world.http_route()["spec"]["rules"]
    shares = [[(ref["name"], ref["weight"]) for ref in each["backendRefs"]] for each in rules]
    assert shares == [[(STABLE, 90), (CANARY, 10)], [("code-v1", 1)]]

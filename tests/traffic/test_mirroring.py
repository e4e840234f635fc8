"""A mirror on real traffic: the new pool gets copies of requests, and users notice nothing of it."""

from collections.abc import Callable
from typing import Any

import pytest

from k8s.connection import connect
from k8s.pod_load import load_of
from sandbox.dataplane.plane import NAMESPACE, Plane
from sandbox.kube import path_of
from sandbox.load.ledger import failures, shares
from sandbox.load.running import Load
from sandbox.objects import POOL_API
from sandbox.world import CANARY, STABLE
from tests.builders import CAROL
from tests.scenarios.play import Play
from tests.traffic.asking import who_answers

POLICY: dict[str, Any] = {"plan": {"steps": [50, 100], "every": "6s", "bake": "1h"}, "approvals": {"at": []}}


@pytest.fixture
def served(plane: Plane) -> Callable[[], int]:
    """Return how to count the requests that the new pool's model servers have finished."""
    api = connect(plane.server.kubeconfig("admin")).api

    def count() -> int:
        finished = load_of(
            api, plane.kube.get(path_of(POOL_API, "InferencePool", NAMESPACE, CANARY)), plane.pods(CANARY)
        )
        assert finished.finished is not None
        return finished.finished

    return count


def test_the_new_pool_gets_copies_before_any_user_gets_its_answer_and_none_after_the_first_weight(
    play: Play, plane: Plane, users: Load, served: Callable[[], int]
) -> None:
    play.bot(**POLICY)
    before = served()
    play.start(f"{CANARY} 50 mirror=50")
    play.see("mirrors 50 %")
    play.until("copies", lambda: served() >= before + 5)
    assert set(shares(users.records())) == {STABLE}
    play.see("50 %")
    plane.world.wait_observed()
    assert "filters" not in plane.world.http_route()["spec"]["rules"][0]
    play.press("rollback", CAROL)
    play.see("rolled back")
    plane.world.wait_observed()
    assert who_answers(plane.url, 10) == {STABLE: 10}
    assert failures(users.stop()) == {}

"""Somebody who may edit the route, and no more."""

from dataclasses import replace
from typing import Any

from bot.domain.rollout import Rollout
from bot.engine.notes import NO_KEYS
from bot.engine.rollback_from_route import Place, RouteRollback, RouteRolledBack
from k8s.document import ANNOTATION
from sandbox.world import CANARY, STABLE
from tests.builders import BOB
from tests.stage import Stage

AT_0, AT_10 = [(STABLE, 1)], [(STABLE, 90), (CANARY, 10)]


def forge(stage: Stage, **changes: Any) -> Rollout:
    """Write a note with other values over the present one, without its key."""
    note = stage.note()
    assert note is not None
    forged = replace(note, **changes)
    stage.world.set_annotations({ANNOTATION: NO_KEYS.write(forged)})
    return forged


def a_place(stage: Stage, named: str = "") -> Place:
    return Place(stage.world.namespace, stage.world.route, "p99", named)


def brake(stage: Stage, named: str = CANARY) -> RouteRolledBack:
    place = Place(stage.world.namespace, stage.world.route, "p99", named)
    return RouteRollback(stage.cluster, stage.clock).roll_back(place, by=BOB)

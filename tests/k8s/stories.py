"""Short ways to start and move a rollout on a real route, as the engine does."""

from dataclasses import replace
from typing import Any

from bot.domain.commands.request import StartWords
from bot.domain.rollout import Phase, Rollout
from bot.engine.route_port import Routes, Survey
from sandbox.world import CANARY
from tests.k8s.build import a_rollout


def started(scene: Survey, **fields: Any) -> Rollout:
    """Make the first record of a rollout from what the start found."""
    record = a_rollout(dict(scene.copy.document), *scene.rules, stable=scene.stable, canary=scene.canary)
    return replace(record, **fields)


def start(cluster: Routes, **fields: Any) -> Rollout:
    """Find the route, write the first step, and return its record."""
    scene = cluster.survey(CANARY, StartWords(weight=10))
    rollout = started(scene, **fields)
    cluster.write(scene.copy, rollout, weights=True)
    return rollout


def write(cluster: Routes, rollout: Rollout, *, weights: bool = True, rehearse: bool = False) -> int:
    """Read and write once; return the generation after it."""
    copy = cluster.read(rollout.namespace, rollout.route)
    return cluster.write(copy, rollout, weights=weights, rehearse=rehearse).generation


def back(rollout: Rollout) -> Rollout:
    """Return the record of a roll back."""
    return replace(rollout, phase=Phase.ROLLED_BACK, decision="back", revision=rollout.revision + 1)

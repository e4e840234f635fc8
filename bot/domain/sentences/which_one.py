"""Which of several rollouts: what people type to name each, and a sentence that lists them with their routes."""

from collections.abc import Sequence
from typing import Final

from bot.domain.commands.request import ANYWHERE, Where
from bot.domain.rollout import Rollout

MOST: Final = 10
"""How many rollouts a sentence lists; it counts the others."""


def naming(rollout: Rollout, among: Sequence[Rollout]) -> str:
    """Return the words that mean this rollout alone: its pool, with its route if others have that pool too, else its
    id.
    """
    name = rollout.canary.name
    others = [each for each in among if each.canary.name == name and each.id != rollout.id]
    route = Where(route=rollout.route)
    for where in (ANYWHERE, route, Where(route=rollout.route, namespace=rollout.namespace)):
        if not any(where.fits(each) for each in others):
            return f"{name} {where}".strip()
    return rollout.id


def listed(rollouts: Sequence[Rollout], among: Sequence[Rollout] = ()) -> str:
    """List rollouts: the words that name each of them, ``among`` others too, and where it stands."""
    told = [
        f"`{naming(each, [*rollouts, *among])}` ({_stands(each)}on `{each.namespace}/{each.route}`, {each.id})"
        for each in rollouts[:MOST]
    ]
    more = [f"and {len(rollouts) - MOST} more"] if len(rollouts) > MOST else []
    return ", ".join([*told, *more])


def _stands(rollout: Rollout) -> str:
    return "" if rollout.is_over or rollout.drifted else f"{rollout.weight} % "

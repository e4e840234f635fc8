"""What the checks look at, with nothing in it that speaks against a start."""

from typing import Any

from bot.engine.gateway_word import GatewaySays, GatewayWord
from bot.engine.notes import NO_KEYS
from k8s.checks.scene import Scene
from k8s.httproute import copy_of
from k8s.pool_health import PoolParts
from k8s.served_models import ServedModels
from tests.k8s.build import CANARY, STABLE, Json, a_moving

NOBODY = PoolParts(pool={}, pods=())


def a_scene(route: Json, *others: Json, moving: int = 0, **parts: Any) -> Scene:
    """Return the scene of a route, of which one rule moves, beside others."""
    nothing: dict[str, Any] = {
        "old": NOBODY,
        "new": NOBODY,
        "old_models": ServedModels(None),
        "new_models": ServedModels(None),
        "word": GatewayWord(),
        "says": GatewaySays.NOTHING,
        "parents": (),
        "companions": (),
        "grants": (),
        "unread": (),
        "is_new": False,
        "mirror": 0,
    }
    return Scene(
        copy=copy_of(route, NO_KEYS),
        stable=STABLE,
        canary=CANARY,
        rules=(a_moving(route, moving),),
        routes=(route, *others),
        **{**nothing, **parts},
    )

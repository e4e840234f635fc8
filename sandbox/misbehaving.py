"""What the gates are for: a new pool that serves, but worse than the old one, and a gateway that ignores weights."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from sandbox.dataplane.live_world import LiveWorld, behave
from sandbox.dataplane.route_table import FAULT, IGNORES_WEIGHTS, ONE_PICKER
from sandbox.errors import SandboxError
from sandbox.kube import path_of
from sandbox.model_server.behaviour import Behaviour
from sandbox.objects import GATEWAY_API
from sandbox.world import CANARY, GATEWAY, STABLE, World

FAULTS: Final = {
    "well": "",
    "ignores-weights": IGNORES_WEIGHTS,
    "one-picker": ONE_PICKER,
}
"""Ways of a gateway, by name."""

USUAL: Final = Behaviour()


def worse(*, fails: float, cuts: float, first_token: float, token: float, slots: int | None) -> Behaviour:
    """Return how a pool behaves that fails and cuts such shares, and takes so many times as long."""
    return replace(
        USUAL,
        fails=fails,
        cuts=cuts,
        first_token_ms=USUAL.first_token_ms * first_token,
        prompt_token_ms=USUAL.prompt_token_ms * first_token,
        token_ms=USUAL.token_ms * token,
        slots=slots or USUAL.slots,
    )


def change(world: World, pool: str, behaviour: Behaviour) -> None:
    """Make all model servers of a pool behave so, except for their health. Raises SandboxError without servers."""
    servers = _live(world).servers(pool)
    if not servers:
        raise SandboxError(f"{pool} has no model servers here.")
    for pod in servers:
        behave(pod, **_values(behaviour))


def misbehave(world: World, fault: str) -> None:
    """Make the gateway misbehave, or work well again."""
    path = path_of(GATEWAY_API, "Gateway", world.namespace, GATEWAY)
    world.kube.merge(path, {"metadata": {"annotations": {FAULT: FAULTS[fault] or None}}})


def behave_well(world: World) -> None:
    """Take all of it back."""
    if not isinstance(world, LiveWorld):
        return
    for pool in filter(world.has_pool, (STABLE, CANARY)):
        change(world, pool, USUAL)
    misbehave(world, "well")


def _live(world: World) -> LiveWorld:
    if not isinstance(world, LiveWorld):
        raise SandboxError("This sandbox has no traffic; `make demo` has, where its programs can be built.")
    return world


def _values(behaviour: Behaviour) -> Mapping[str, Any]:
    return {field.name: getattr(behaviour, field.name) for field in fields(behaviour) if field.name != "healthy"}

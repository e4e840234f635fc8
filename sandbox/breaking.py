"""Ways to break the new pool or the route of a sandbox, to see what `check` says; `mend` takes all of them back."""

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.errors import ApiError, SandboxError
from sandbox.kube import path_of
from sandbox.model_servers import MODEL
from sandbox.objects import POOL_API, pool_ref
from sandbox.world import CANARY, STABLE, World

SECOND: Final = "second-route"
_ROLE: Final = "llm-d.ai/role"
_OWNED: Final = "rollouts.argoproj.io/gatewayapi-canary"


def _servers(world: World) -> None:
    world.set_servers_ready(CANARY, 0)


def _picker(world: World) -> None:
    world.set_picker_ready(CANARY, False)


def _port(world: World) -> None:
    _set_picker(world, {"port": {"number": 8000}})


def _roles(world: World) -> None:
    """Make one pod prefill and ready, the other one decode and not ready."""
    for number, role in enumerate(("prefill", "decode")):
        _label(world, number, role)
    world.set_servers_ready(CANARY, 1)


def _owner(world: World) -> None:
    world.edit({"metadata": {"labels": {_OWNED: "in-progress"}}})


def _second(world: World) -> None:
    world.add_route(SECOND, [pool_ref(STABLE)], path="/second")


def _models(world: World) -> None:
    world.serve(CANARY, "Qwen/Qwen3-8B")


def _old(world: World) -> None:
    world.set_picker_ready(STABLE, False)


WAYS: Final[Mapping[str, tuple[Callable[[World], None], str]]] = {
    "servers": (_servers, "no model server of the new pool is ready"),
    "picker": (_picker, "the new pool's endpoint picker is not ready"),
    "port": (_port, "the new pool names a port that its picker's Service does not have"),
    "roles": (_roles, "the new pool has no ready decode pod"),
    "owner": (_owner, "Argo Rollouts manages the route"),
    "second": (_second, "another route sends to the old pool too"),
    "models": (_models, "the new pool serves another model"),
    "old": (_old, "the old pool's endpoint picker is not ready"),
}
"""What each does, by name."""


def break_world(world: World, way: str) -> str:
    """Break a world, and return what is broken now."""
    run, told = WAYS[way]
    try:
        run(world)
    except ApiError as error:
        if error.status != 404:
            raise
        raise SandboxError("What that would break has been deleted. A new `make demo` has it again.") from None
    return told


def mend(world: World) -> None:
    """Take back everything that may have been broken, of what is still there."""
    for pool in filter(world.has_pool, (STABLE, CANARY)):
        world.set_servers_ready(pool, 2)
        world.set_picker_ready(pool, True)
    world.edit({"metadata": {"labels": {_OWNED: None}}})
    world.delete_route(SECOND)
    if not world.has_pool(CANARY):
        return
    for number in range(2):
        _label(world, number, None)
    _set_picker(world, {"port": {"number": 9002}})
    world.serve(CANARY, MODEL)


def _set_picker(world: World, change: Mapping[str, object]) -> None:
    path = path_of(POOL_API, "InferencePool", world.namespace, CANARY)
    world.kube.merge(path, {"spec": {"endpointPickerRef": dict(change)}})


def _label(world: World, number: int, role: str | None) -> None:
    pod = world.servers(CANARY)[number]["metadata"]["name"]
    path = path_of("v1", "Pod", world.namespace, pod)
    world.kube.merge(path, {"metadata": {"labels": {_ROLE: role}}})

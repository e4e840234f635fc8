"""The API group of InferencePool before v1; its CustomResourceDefinition is not installed since v1.5.0. Pure."""

from typing import Final

from bot.domain.errors import RouteError

OLD_GROUP: Final = "inference.networking.x-k8s.io"


def of_old_group(name: str) -> RouteError:
    """Say that a pool is of that group, and what to do."""
    return RouteError(
        f"InferencePool `{name}` is of the old API group `{OLD_GROUP}`, and this bot works with "
        "`inference.networking.k8s.io/v1`.",
        hint="Create it there too, and point the route at that one first: `targetPortNumber` is `targetPorts` now, and "
        "`extensionRef` is `endpointPickerRef`.",
    )

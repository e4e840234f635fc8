"""The CustomResourceDefinitions that a rollout depends on: which versions are installed, and whether they stay."""

from collections.abc import Iterator, Sequence
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.check import Line, fine, stop
from bot.domain.errors import GoneError, RefusedError
from k8s import client
from k8s.document import Document
from k8s.messages import redacted
from k8s.route_status import conditions_in

TOPIC: Final = "Access"
DEFINITIONS: Final = client.Resource(
    "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition"
)
_NAMES: Final = ("httproutes.gateway.networking.k8s.io", "inferencepools.inference.networking.k8s.io")
_BUNDLES: Final = {
    "gateway.networking.k8s.io": "Gateway API",
    "inference.networking.k8s.io": "Gateway API Inference Extension",
}


def list_definitions(api: ApiClient) -> Sequence[Document]:
    """Read the definitions of HTTPRoute and InferencePool; those that we may not read are left out."""
    found: list[Document] = []
    for name in _NAMES:
        try:
            found.append(client.get(api, DEFINITIONS, "", name))
        except (GoneError, RefusedError):
            continue
    return found


def lines(definitions: Sequence[Document]) -> Iterator[Line]:
    """Yield which versions are installed, and definitions that do not stay: all their objects go with them."""
    for each in definitions:
        name, meta = each["metadata"]["name"], each["metadata"]
        if meta.get("deletionTimestamp"):
            yield stop(
                TOPIC,
                f"CustomResourceDefinition `{name}` is being deleted, and all its objects with it.",
                "Install it again first.",
            )
        elif refused := [one for one in conditions_in(each.get("status") or {}) if _is_no(one)]:
            said = redacted(refused[0].get("message"))
            yield stop(TOPIC, f"CustomResourceDefinition `{name}` is not served as it is: {said}.", "Mend it first.")
    if versions := [said for each in definitions if (said := _version(each))]:
        yield fine(TOPIC, f"Installed: {', '.join(versions)}.")


def _is_no(condition: Document) -> bool:
    """Say whether a condition is a refusal. A definition that is only just being installed is none."""
    is_of_names = condition.get("type") in ("Established", "NamesAccepted")
    return is_of_names and condition.get("status") == "False" and condition.get("reason") != "Installing"


def _version(definition: Document) -> str:
    """Name the bundle that a definition came with, its version, and its channel if that is not the standard one."""
    group = definition["spec"]["group"]
    annotations = definition["metadata"].get("annotations") or {}
    version, channel = annotations.get(f"{group}/bundle-version"), annotations.get(f"{group}/channel", "standard")
    if not version:
        return ""
    return f"{_BUNDLES[group]} {version}" + ("" if channel == "standard" else f" ({channel} channel)")

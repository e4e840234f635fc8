"""HTTPRoutes: read and list them, patch one under guards, and read what the gateway says about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.engine.notes import Notes
from bot.engine.route_port import GatewaySays, GatewayWord, RouteCopy, Written
from k8s import client
from k8s.document import FIELD_MANAGER, Document, annotation_of, namespace_of
from k8s.messages import redacted
from k8s.split import Patch

HTTPROUTES: Final = client.Resource("/apis/gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")

_NOTHING: Final = GatewayWord(says=GatewaySays.NOTHING)
_ACCEPTED: Final = GatewayWord(says=GatewaySays.ACCEPTED)


def copy_of(document: Document, notes: Notes) -> RouteCopy:
    """Wrap a document; an annotation that this program cannot read is kept as text, without a note."""
    meta = document["metadata"]
    annotation = annotation_of(document)
    return RouteCopy(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        annotation=annotation,
        note=None if annotation is None else notes.read(annotation),
        document=document,
    )


def read(api: ApiClient, namespace: str, name: str, notes: Notes) -> RouteCopy:
    """Read one route."""
    return copy_of(client.get(api, HTTPROUTES, namespace, name), notes)


def list_routes(api: ApiClient, namespace: str, notes: Notes) -> Sequence[RouteCopy]:
    """List the routes of a namespace, in one call."""
    return [copy_of(document, notes) for document in client.list_all(api, HTTPROUTES, namespace)]


def write(api: ApiClient, copy: RouteCopy, patch: Patch, *, rehearse: bool = False) -> tuple[Written, Document]:
    """Send a patch from split.py, and return the patched route; ``rehearse`` stores nothing."""
    query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
    if rehearse:
        query.append(("dryRun", "All"))
    after = client.patch(api, HTTPROUTES, copy.namespace, copy.name, patch.operations, query)
    return Written(generation=after["metadata"]["generation"], missing=patch.missing, taken=patch.taken), after


def gateway_says(copy: RouteCopy, generation: int) -> GatewayWord:
    """Read the acceptance of ``generation`` by every parent: one refusal is a refusal, one silence is silence."""
    parents = copy.document.get("spec", {}).get("parentRefs") or ()
    words = [_word(copy.document, parent, generation) for parent in parents]
    refused = [word for word in words if word.says is GatewaySays.REJECTED]
    if refused:
        return refused[0]
    return _ACCEPTED if words and all(word is _ACCEPTED for word in words) else _NOTHING


def _word(document: Document, parent: Mapping[str, Any], generation: int) -> GatewayWord:
    """Read what one parent says; several controllers may speak for it, and an old one may have left its words."""
    namespace = namespace_of(document)
    accepted = False
    for conditions in _conditions(document, parent):
        fresh = {each["type"]: each for each in conditions if each.get("observedGeneration", 0) >= generation}
        for kind in ("Accepted", "ResolvedRefs"):
            if fresh.get(kind, {}).get("status") == "False":
                return _refusal(parent, fresh[kind], namespace)
        accepted = accepted or all(fresh.get(kind, {}).get("status") == "True" for kind in ("Accepted", "ResolvedRefs"))
    return _ACCEPTED if accepted else _NOTHING


def _conditions(document: Document, parent: Mapping[str, Any]) -> Iterator[Sequence[Mapping[str, Any]]]:
    namespace = namespace_of(document)
    for status in document.get("status", {}).get("parents") or ():
        if _parent(status["parentRef"], namespace) == _parent(parent, namespace):
            yield status.get("conditions") or ()


def _parent(ref: Mapping[str, Any], namespace: str) -> tuple[object, ...]:
    return (
        ref.get("group", "gateway.networking.k8s.io"),
        ref.get("kind", "Gateway"),
        ref.get("namespace") or namespace,
        ref["name"],
        ref.get("sectionName"),
        ref.get("port"),
    )


def _refusal(parent: Mapping[str, Any], condition: Mapping[str, Any], namespace: str) -> GatewayWord:
    name = f"{parent.get('kind', 'Gateway')} `{parent.get('namespace') or namespace}/{parent['name']}`"
    text = redacted(condition.get("message")) or "no message"
    reason = condition.get("reason", "no reason")
    return GatewayWord(says=GatewaySays.REJECTED, message=f"{name}: {condition['type']} is False ({reason}): {text}")

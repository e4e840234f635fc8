"""HTTPRoutes: read and list them, and patch one under guards."""

from collections.abc import Iterable, Sequence
from typing import Final

from kubernetes.client import ApiClient

from bot.engine.notes import Notes
from bot.engine.route_port import RouteCopy, Written
from k8s import client
from k8s.document import FIELD_MANAGER, Document, annotation_of
from k8s.split import Patch
from k8s.trial_route import is_trial

HTTPROUTES: Final = client.Resource("/apis/gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")


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
    """List the routes of a namespace, in one call, without those of trials."""
    return copies_of(client.list_all(api, HTTPROUTES, namespace), notes)


def copies_of(documents: Iterable[Document], notes: Notes) -> Sequence[RouteCopy]:
    """Return routes, without those of trials."""
    return [copy_of(document, notes) for document in documents if not is_trial(document)]


def write(api: ApiClient, copy: RouteCopy, patch: Patch, *, rehearse: bool = False) -> tuple[Written, Document]:
    """Send a patch from split.py, and return the patched route; ``rehearse`` stores nothing."""
    query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
    if rehearse:
        query.append(("dryRun", "All"))
    after = client.patch(api, HTTPROUTES, copy.namespace, copy.name, patch.operations, query)
    return Written(generation=after["metadata"]["generation"], missing=patch.missing, taken=patch.taken), after

"""All watches: of each resource that a rollout depends on, in each namespace."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from kubernetes.client import ApiClient

from k8s.client import Resource
from k8s.connection import client_of
from k8s.document import Document
from k8s.watch import Once, Seen, Watch

CLOSE_SECONDS: Final = 1.0

Told = Callable[[Seen, Document], None]


def _whole(document: Document) -> Document:
    return document


def _without_managers(document: Document) -> Document:
    meta = {key: value for key, value in document["metadata"].items() if key != "managedFields"}
    return {**document, "metadata": meta}


class Watches:
    """Copies of objects by resource and namespace; none before ``start``, and none of what may not be watched.

    Some resources are watched in all namespaces at once.
    """

    def __init__(self) -> None:
        self._watches: dict[tuple[Resource, str], Watch] = {}

    def start(
        self,
        api: ApiClient,
        namespaces: Sequence[str],
        told: Mapping[Resource, Told],
        everywhere: Mapping[Resource, Told],
        whole: Collection[Resource],
    ) -> None:
        """Watch resources in these namespaces, and others in all; changes are told in the watches' own threads.

        Of resources that are not kept ``whole`` nobody asks who wrote what.
        """
        own, once = client_of(api.configuration), Once()
        places = [(resource, namespace, tell) for namespace in namespaces for resource, tell in told.items()]
        for resource, namespace, tell in [*places, *((one, "", tell) for one, tell in everywhere.items())]:
            keep = _whole if resource in whole else _without_managers
            self._watches[resource, namespace] = Watch(own, resource, namespace, tell, keep=keep, warn=once)
        for watch in self._watches.values():
            watch.start()

    def objects(self, resource: Resource, namespace: str) -> Sequence[Document] | None:
        """Return the copies; None if there are none that may be used. The empty namespace is all of them."""
        watch = self._watches.get((resource, namespace))
        return watch.objects() if watch else None

    def everywhere(self, resource: Resource) -> Sequence[Document]:
        """Return the copies of all namespaces that may be used."""
        watches = [watch for (watched, _), watch in self._watches.items() if watched == resource]
        return [document for watch in watches for document in watch.objects() or ()]

    def object(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return the copy of one object; None if none is kept."""
        watch = self._watches.get((resource, namespace)) or self._watches.get((resource, ""))
        return watch.object(namespace, name) if watch else None

    def keep(self, resource: Resource, document: Document) -> None:
        """Keep an object from the answer to our own write."""
        if watch := self._watches.get((resource, document["metadata"]["namespace"])):
            watch.keep(document)

    def refusals(self) -> Sequence[str]:
        """Say why watches of namespaces do not work, and what to do; nothing if all of them work."""
        refusals = [watch.refusal for (_, namespace), watch in self._watches.items() if namespace]
        return [*dict.fromkeys(filter(None, refusals))]

    def close(self) -> None:
        """Stop; a watch that hangs in the network ends with the process."""
        for watch in self._watches.values():
            watch.stop()
        deadline = time.monotonic() + CLOSE_SECONDS
        for watch in self._watches.values():
            watch.join(max(0.0, deadline - time.monotonic()))

"""A watch: the objects of one resource in one namespace, kept as the API server tells their changes.

It lists once and then follows. The server is asked to end each answer after half a minute, and one that stays silent
longer than that is half open and given up; both go on from the newest resourceVersion seen, without another list.
Where that version is too old (410), it lists again and says what is different.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.errors import ClusterError, RefusedError
from k8s import client
from k8s.document import Document

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 30
SILENCE_SECONDS: Final = ANSWER_SECONDS + 3.0
LONGEST_REST: Final = 2.0
REFUSED_REST: Final = 30.0
"""Somebody has to grant a right, or to install a resource, before it can work."""

WATCH: Final = {"watch": "true", "allowWatchBookmarks": "true"}
_OWNERS: Final = ("ownerReferences", "deletionTimestamp")


class Seen(StrEnum):
    """What happened to an object."""

    THERE = "there"  # new, or not as it was
    GONE = "gone"


Changed = Callable[[Seen, Document], None]


class ExpiredError(Exception):
    """The version to go on from is too old: list again."""


class Watch:
    """Keeps the objects of one resource in one namespace; ``changed`` is called in the watch's own thread."""

    def __init__(self, api: ApiClient, resource: client.Resource, namespace: str, changed: Changed) -> None:
        self._api, self._resource, self._namespace = api, resource, namespace
        self._changed = changed
        self._objects: dict[str, Document] = {}
        self._version = ""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stream: client.Stream | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {namespace} {resource.plural}", daemon=True)
        self.is_live = False

    def start(self) -> None:
        """Begin; what is kept may be used once ``is_live``."""
        self._thread.start()

    def stop(self) -> None:
        """End, at once where the server is silent."""
        self._stopping.set()
        if (stream := self._stream) is not None:
            stream.cut()
        if self._thread.is_alive():
            self._thread.join(client.CONNECT_SECONDS + 1)

    def objects(self) -> Sequence[Document] | None:
        """Return what is kept; None while the watch is not live."""
        with self._lock:
            return tuple(self._objects.values()) if self.is_live else None

    def object(self, name: str) -> Document | None:
        """Return one object; None where it is not kept."""
        with self._lock:
            return self._objects.get(name) if self.is_live else None

    def keep(self, document: Document) -> None:
        """Take up an object as the API server has answered our write of it, unless a newer one is kept."""
        with self._lock:
            old = self._objects.get(document["metadata"]["name"])
            if old is not None and _uid(old) == _uid(document):
                self._put(document)

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._follow()
                failures = 0
            except ExpiredError:
                self._version = ""
            except RefusedError as error:
                self._version = ""
                self._lose(error)
                self._stopping.wait(REFUSED_REST)
            except ClusterError as error:
                failures += 1
                if failures > 1:  # else an answer was cut: it goes on at once, and what is kept stays in use
                    self._lose(error)
                    self._rest(failures)
            except Exception:
                log.exception("the watch of the %s of namespace %s broke", self._resource.plural, self._namespace)
                failures, self._version, self.is_live = failures + 1, "", False
                self._rest(failures)

    def _lose(self, error: ClusterError) -> None:
        if self.is_live and not self._stopping.is_set():
            log.warning("%s Until it works again, the %s are asked for.", error.message, self._resource.plural)
        self.is_live = False

    def _rest(self, failures: int) -> None:
        self._stopping.wait(min(LONGEST_REST, 0.1 * 2 ** min(failures, 10)) * random.uniform(0.5, 1))

    def _follow(self) -> None:
        """Follow the changes until the server ends its answer; list first where there is nothing to go on from."""
        news = [] if self._version else self._list()
        query = {"resourceVersion": self._version, "timeoutSeconds": str(ANSWER_SECONDS), **WATCH}
        with client.stream(
            self._api, self._resource, self._namespace, [*query.items()], silence=SILENCE_SECONDS
        ) as stream:
            self._stream = stream
            if self._stopping.is_set():
                return
            self.is_live = True
            for seen, document in news:
                self._changed(seen, document)
            for event in stream.documents():
                self._take(str(event.get("type")), event.get("object") or {})

    def _list(self) -> list[tuple[Seen, Document]]:
        """List, and return what is different from what was kept."""
        listed, self._version = client.list_at(self._api, self._resource, self._namespace)
        found: dict[str, Document] = {each["metadata"]["name"]: each for each in listed}
        with self._lock:
            before, self._objects = self._objects, found
        gone = [old for name, old in before.items() if name not in found or _uid(found[name]) != _uid(old)]
        news = [new for name, new in found.items() if name not in before or _is_news(before[name], new)]
        return [*((Seen.GONE, old) for old in gone), *((Seen.THERE, new) for new in news)]

    def _take(self, kind: str, document: dict[str, Any]) -> None:
        if kind == "ERROR":
            raise ExpiredError if document.get("code") == 410 else ClusterError("The API server ended the watch.")
        self._version = document["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._forget(document)
            self._changed(Seen.GONE, document)
        elif kind != "BOOKMARK" and self._is_put(document):
            self._changed(Seen.THERE, document)

    def _is_put(self, document: Document) -> bool:
        """Keep an object, and say whether that was news."""
        with self._lock:
            old = self._objects.get(document["metadata"]["name"])
            return self._put(document) and (old is None or _is_news(old, document))

    def _put(self, document: Document) -> bool:
        name = document["metadata"]["name"]
        old = self._objects.get(name)
        if old is not None and _uid(old) == _uid(document) and _version(old) >= _version(document):
            return False
        self._objects[name] = document
        return True

    def _forget(self, document: Document) -> None:
        with self._lock:
            kept = self._objects.get(document["metadata"]["name"])
            if kept is not None and _uid(kept) == _uid(document):
                del self._objects[document["metadata"]["name"]]


def _is_news(old: Document, new: Document) -> bool:
    """Say whether more than a status is different."""
    before, now = old["metadata"], new["metadata"]
    return any(before.get(key) != now.get(key) for key in ("uid", "generation", "annotations", "labels", *_OWNERS))


def _uid(document: Document) -> str:
    return str(document["metadata"]["uid"])


def _version(document: Document) -> int:
    """Return the order of a resourceVersion; Kubernetes has declared them to be numbers that rise (1.35)."""
    text = str(document["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0

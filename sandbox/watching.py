"""List and watch for ever: the newest state of a kind of object, whatever the API server does."""

import logging
import threading
from collections.abc import Callable, Iterator

import urllib3

from sandbox.errors import ApiError
from sandbox.kube import Kube, Object

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.2

Key = tuple[str, str]


def key_of(obj: Object) -> Key:
    """Return the namespace and the name."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Watch:
    """Keeps ``objects`` equal to a collection of the API server, in a thread, and calls ``changed`` for each change."""

    def __init__(self, kube: Kube, path: str, changed: Callable[[], None]) -> None:
        self.objects: dict[Key, Object] = {}
        self.synced = threading.Event()
        self._kube = kube
        self._path = path
        self._changed = changed
        self._stopping = threading.Event()
        self._interrupt: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, also where it waits for the next event."""
        self._stopping.set()
        while self._thread.is_alive():
            # It may be between two watches: ask again until it has seen the event.
            try:
                self._interrupt()
            except (OSError, ValueError, RuntimeError):
                log.debug("%s: nothing to interrupt", self._path)
            self._thread.join(0.05)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow(self._list())
            except (ApiError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                # 410 (the version is too old), a restart, a refusal: the next list starts afresh.
                log.debug("%s: %s", self._path, error)
                self._stopping.wait(RETRY_SECONDS)

    def _list(self) -> str:
        """Take in the whole collection and return its version; the items of a list do not say their kind."""
        answer = self._kube.get(self._path)
        self.objects = {key_of(item): item for item in answer.get("items") or []}
        self.synced.set()
        self._changed()
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        with self._kube.watching(self._path, version) as (events, self._interrupt):
            for event in self._until_stopped(events):
                self._take(event)

    def _until_stopped(self, events: Iterator[Object]) -> Iterator[Object]:
        if not self._stopping.is_set():
            for event in events:
                if self._stopping.is_set():
                    return
                yield event

    def _take(self, event: Object) -> None:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(obj.get("code", 0)), str(obj.get("message", "")))
        if event["type"] == "BOOKMARK":
            return
        # A new dictionary each time: readers in other threads never see one that changes under them.
        others = {key: value for key, value in self.objects.items() if key != key_of(obj)}
        self.objects = others if event["type"] == "DELETED" else {**others, key_of(obj): obj}
        self._changed()

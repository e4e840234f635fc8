"""List and watch without end: the newest state of a kind of object, whatever the API server does."""

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


class Follower:
    """A thread that follows watches; ``stop`` ends it even while it waits for an event."""

    def __init__(self, name: str, run: Callable[["Follower"], None]) -> None:
        self.stopping = threading.Event()
        self._interrupt: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=run, args=(self,), name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self.stopping.set()
        while self._thread.is_alive():
            # It may be between two watches: ask again until it has seen that it should stop.
            try:
                self._interrupt()
            except (OSError, ValueError, RuntimeError):
                log.debug("%s: nothing to interrupt", self._thread.name)
            self._thread.join(0.05)

    def events(self, kube: Kube, path: str, version: str) -> Iterator[Object]:
        """Yield the events after ``version`` until the watch ends. Raises ApiError for an error among them."""
        with kube.watching(path, version) as (events, self._interrupt):
            if self.stopping.is_set():
                return
            for event in events:
                if self.stopping.is_set():
                    return
                if event["type"] == "ERROR":
                    raise ApiError(int(event["object"].get("code", 0)), str(event["object"].get("message", "")))
                yield event


class Watch:
    """Keeps ``objects`` equal to a collection of the API server, in a thread, and calls ``changed`` for each change."""

    def __init__(self, kube: Kube, path: str, changed: Callable[[], None]) -> None:
        self.objects: dict[Key, Object] = {}
        self.synced = threading.Event()
        self._kube = kube
        self._path = path
        self._changed = changed
        self._lock = threading.Lock()
        self._follower = Follower(f"watch {path}", self._run)

    def start(self) -> None:
        """Start watching."""
        self._follower.start()

    def stop(self) -> None:
        """End the thread."""
        self._follower.stop()

    def take_in(self, obj: Object) -> None:
        """Take in an object that the caller has just created, before the watch tells of it."""
        with self._lock:
            self.objects = {key_of(obj): obj, **self.objects}

    def _run(self, follower: Follower) -> None:
        while not follower.stopping.is_set():
            try:
                for event in follower.events(self._kube, self._path, self._list()):
                    self._take(event)
            except (ApiError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                # 410 (the version is too old), a restart, a refusal: the next list starts afresh.
                log.debug("%s: %s", self._path, error)
                follower.stopping.wait(RETRY_SECONDS)

    def _list(self) -> str:
        """Take in the whole collection and return its version; the items of a list do not name their kind."""
        answer = self._kube.get(self._path)
        with self._lock:
            self.objects = {key_of(item): item for item in answer.get("items") or []}
        self.synced.set()
        self._changed()
        return str(answer["metadata"]["resourceVersion"])

    def _take(self, event: Object) -> None:
        obj = event["object"]
        if event["type"] == "BOOKMARK":
            return
        # A new dictionary each time, so that no dictionary changes while another thread reads it.
        with self._lock:
            others = {key: value for key, value in self.objects.items() if key != key_of(obj)}
            self.objects = others if event["type"] == "DELETED" else {**others, key_of(obj): obj}
        self._changed()

"""A tape of every version of every route, as the API server itself tells them; nothing in between is missed."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3

from bot.domain.rollout import SLOTLESS, Rollout
from bot.engine.encoding import read_rollout
from k8s.document import annotation_of
from sandbox.errors import ApiError, SandboxError
from sandbox.kube import Kube, Object, path_of
from sandbox.objects import GATEWAY_API

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A route as it was for a while. ``kind`` is ADDED, MODIFIED or DELETED."""

    at: float
    kind: str
    document: Object

    @property
    def number(self) -> str:
        """Return the resourceVersion."""
        return str(self.document["metadata"]["resourceVersion"])

    @property
    def uid(self) -> str:
        """Return which route this is: one made anew has another."""
        return str(self.document["metadata"]["uid"])

    @property
    def note(self) -> Rollout | None:
        """Return the record in our annotation."""
        text = annotation_of(self.document)
        return read_rollout(text) if text else None


class Tape:
    """Records the routes of some namespaces, each in a thread of its own."""

    def __init__(self, kube: Kube, namespaces: Sequence[str]) -> None:
        self._kube = kube
        self._versions: dict[Key, list[Version]] = defaultdict(list)
        self._stopping = threading.Event()
        self._interrupts: dict[str, Callable[[], None]] = {}
        self._torn: list[str] = []
        self._threads = [threading.Thread(target=self._record, args=(name,), daemon=True) for name in namespaces]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End. Raises SandboxError where the tape has a hole."""
        self._stopping.set()
        for thread in self._threads:
            while thread.is_alive():
                for interrupt in list(self._interrupts.values()):
                    interrupt()
                thread.join(0.05)
        if self._torn:
            raise SandboxError(f"The tape of the routes is torn: {self._torn[0]}")

    def routes(self) -> Sequence[Key]:
        """Return every route that was ever there."""
        return sorted(self._versions)

    def of(self, key: Key) -> Sequence[Version]:
        """Return the versions of a route, oldest first."""
        return tuple(self._versions.get(key, ()))

    def newest(self, key: Key) -> Version | None:
        """Return a route as it is now; None where it is not there."""
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].kind != "DELETED" else None

    def is_busy(self, key: Key) -> bool:
        """Say whether a rollout is under way on a route, by our annotation."""
        newest = self.newest(key)
        note = newest.note if newest else None
        return note is not None and note.phase not in SLOTLESS

    def _record(self, namespace: str) -> None:
        path = path_of(GATEWAY_API, "HTTPRoute", namespace)
        listed = self._kube.get(path)
        version = str(listed["metadata"]["resourceVersion"])
        for item in listed.get("items") or []:
            self._put("ADDED", item)
        while not self._stopping.is_set():
            try:
                with self._kube.watching(path, version) as (events, interrupt):
                    self._interrupts[namespace] = _quiet(interrupt)
                    for event in events:
                        version = self._take(event) or version
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                continue  # it was cut: the next watch goes on from the last version
            except ApiError as error:
                self._torn.append(f"{namespace}: {error}")
                return

    def _take(self, event: Object) -> str:
        if event["type"] == "ERROR":
            raise ApiError(int(event["object"].get("code", 0)), str(event["object"].get("message", "")))
        if event["type"] != "BOOKMARK":
            self._put(event["type"], event["object"])
        return str(event["object"]["metadata"]["resourceVersion"])

    def _put(self, kind: str, document: Object) -> None:
        meta = document["metadata"]
        self._versions[meta["namespace"], meta["name"]].append(Version(time.time(), kind, document))


def _quiet(interrupt: Callable[[], None]) -> Callable[[], None]:
    def cut() -> None:
        try:
            interrupt()
        except (OSError, ValueError, RuntimeError):
            return

    return cut


@contextmanager
def tape(kube: Kube, namespaces: Sequence[str]) -> Iterator[Tape]:
    """Record routes within the block; what was recorded stays."""
    running = Tape(kube, namespaces)
    running.start()
    try:
        yield running
    finally:
        running.stop()

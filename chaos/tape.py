"""A tape of every version of every route, from the API server's own watch, so that none is missed."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import urllib3

from bot.domain.rollout import SLOTLESS, Rollout
from bot.engine.notes import Notes
from bot.engine.route_port import Note, Proof
from k8s.document import annotation_of
from sandbox.bot_process import NOTE_KEY
from sandbox.errors import ApiError, SandboxError
from sandbox.kube import Kube, Object, path_of
from sandbox.objects import GATEWAY_API
from sandbox.watching import Follower, Key, key_of

NOTES = Notes((NOTE_KEY.encode(),))


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a route. ``kind`` is ADDED, MODIFIED or DELETED."""

    at: float
    kind: str
    document: Object

    @property
    def number(self) -> str:
        return str(self.document["metadata"]["resourceVersion"])

    @property
    def uid(self) -> str:
        """Return which route this is: one that is created again has another uid."""
        return str(self.document["metadata"]["uid"])

    @property
    def note(self) -> Rollout | None:
        """Return the record in our annotation, if a bot has signed it."""
        note = self._read()
        return note.rollout if note and note.proof is Proof.SIGNED else None

    @property
    def claim(self) -> Rollout | None:
        """Return the record in our annotation, if no bot has signed it."""
        note = self._read()
        return note.rollout if note and note.proof is not Proof.SIGNED else None

    def _read(self) -> Note | None:
        text = annotation_of(self.document)
        return NOTES.read(text) if text else None


class Tape:
    """Every version of the routes of some namespaces."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._versions: dict[Key, list[Version]] = defaultdict(list)
        self._rollouts: set[str] = set()
        self._torn: list[str] = []

    def record(self, namespace: str, follower: Follower) -> None:
        """Record until the follower is stopped, or the API server no longer has the versions that come next."""
        path = path_of(GATEWAY_API, "HTTPRoute", namespace)
        listed = self._kube.get(path)
        version = str(listed["metadata"]["resourceVersion"])
        for item in listed.get("items") or []:
            self._put("ADDED", item)
        while not follower.stopping.is_set():
            try:
                for event in follower.events(self._kube, path, version):
                    version = self._take(event)
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                continue  # the watch was cut: the next one goes on from the last version
            except ApiError as error:
                self._torn.append(f"{namespace}: {error}")
                return

    def require_whole(self) -> None:
        """Raise SandboxError if versions are missing."""
        if self._torn:
            raise SandboxError(f"The tape of the routes is torn: {self._torn[0]}")

    def rollouts(self) -> int:
        """Return how many rollouts were on a route so far."""
        return len(self._rollouts)

    def routes(self) -> Sequence[Key]:
        return sorted(self._versions)

    def of(self, key: Key) -> Sequence[Version]:
        """Return the versions of a route, oldest first."""
        return tuple(self._versions.get(key, ()))

    def newest(self, key: Key) -> Version | None:
        """Return a route as it is now; None if it does not exist."""
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].kind != "DELETED" else None

    def note(self, key: Key) -> Rollout | None:
        """Return the record in the annotation that a route has now."""
        newest = self.newest(key)
        return newest.note if newest else None

    def running(self, key: Key) -> Rollout | None:
        """Return the rollout that has a route now, by our annotation."""
        note = self.note(key)
        return note if note and note.phase not in SLOTLESS else None

    def _take(self, event: Object) -> str:
        if event["type"] != "BOOKMARK":
            self._put(event["type"], event["object"])
        return str(event["object"]["metadata"]["resourceVersion"])

    def _put(self, kind: str, document: Object) -> None:
        version = Version(time.time(), kind, document)
        self._versions[key_of(document)].append(version)
        if version.note is not None:
            self._rollouts.add(version.note.id)


@contextmanager
def tape(kube: Kube, namespaces: Sequence[str]) -> Iterator[Tape]:
    """Record routes during the block, each namespace in its own thread. Raises SandboxError if versions are missing."""
    made = Tape(kube)
    followers = [Follower(f"tape {name}", partial(made.record, name)) for name in namespaces]
    for follower in followers:
        follower.start()
    try:
        yield made
    finally:
        for follower in followers:
            follower.stop()
        made.require_whole()

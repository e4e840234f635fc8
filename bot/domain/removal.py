"""What a removal of an old pool would take away, what it leaves, and what forbids it. Pure.

A removal is carried on over several steps, so the things that it takes away are kept as JSON in between.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from bot.domain.rollout import Pool

CLEAN: Final = "clean"
"""The word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRules:
    """What the policy says of removals.

    ``model_servers``: whether the Deployments of the pool's model servers go too. ``drained_for``: how long a pool must
    be idle if its route has no timeout. ``keep_for``: how long after the finish people are asked whether to delete the
    old pool; None: never.
    """

    allowed: bool = False
    model_servers: bool = False
    drained_for: timedelta = timedelta(minutes=5)
    keep_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object of the cluster. ``root`` and ``plural`` are of its path; an empty namespace: of the whole cluster."""

    root: str
    plural: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of Helm, and the revision that is installed."""

    namespace: str
    name: str
    chart: str  # its name and version
    revision: int

    @property
    def undo(self) -> str:
        """Return the command that puts it back after it was uninstalled with its history kept."""
        return f"helm rollback {self.name} {self.revision} -n {self.namespace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What removing a pool means now.

    ``release`` is None if Helm did not make the pool. ``servers`` are the Deployments of its model servers that go too.

    ``stays`` and ``stops`` are sentences: what is left where it is, and what forbids the removal.
    """

    pool: Pool
    release: Release | None
    things: tuple[Thing, ...]
    servers: tuple[Thing, ...] = ()
    stays: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    idle_for: timedelta = timedelta(minutes=5)
    has_timeout: bool = False  # whether ``idle_for`` is the route's longest timeout

    @property
    def digest(self) -> str:
        """Stand for exactly what would be taken away, for people to agree to."""
        said = [self.release and [self.release.namespace, self.release.name, self.release.revision]]
        return _hash(
            [
                said,
                sorted([thing.kind, thing.namespace, thing.name, thing.uid] for thing in (*self.things, *self.servers)),
            ]
        )

    @property
    def undrained(self) -> str:
        """Stand for the same, taken away although nobody can see whether it is idle."""
        return _hash([self.digest, "undrained"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the model servers of a pool say: requests that run or wait, and how many they have finished in all.

    ``finished`` is None where they do not say. ``unknown`` says why nobody knows; then the rest means nothing.
    """

    requests: int = 0
    finished: int | None = None
    unknown: str = ""


def dump_things(things: Sequence[Thing]) -> list[list[str]]:
    """Return things as JSON."""
    return [[each.root, each.plural, each.kind, each.namespace, each.name, each.uid] for each in things]


def load_things(dumped: Sequence[Sequence[str]]) -> tuple[Thing, ...]:
    """Read what ``dump_things`` returned."""
    names = ("root", "plural", "kind", "namespace", "name", "uid")
    return tuple(Thing(**dict(zip(names, each, strict=True))) for each in dumped)


def dump_release(release: Release | None) -> Mapping[str, Any] | None:
    """Return a release as JSON."""
    return asdict(release) if release else None


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]

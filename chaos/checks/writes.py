"""The tape as a list of writes: each version of a route, the one before it, and who wrote it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from bot.domain.rollout import Rollout
from chaos.evidence import Evidence
from chaos.schedule import Kind
from chaos.tape import Version
from k8s.document import ANNOTATION
from sandbox.kube import Object
from sandbox.watching import Key

OURS, RIVAL, GATEWAY = "bot", "rival", "gateway"


@dataclass(frozen=True)
class Write:
    """One change of a route. ``kind`` is set for the rival's edits."""

    route: Key
    before: Version
    after: Version
    by: str
    kind: Kind | None = None

    @cached_property
    def note(self) -> Rollout | None:
        return self.after.note

    @cached_property
    def note_before(self) -> Rollout | None:
        return self.before.note


def writes(evidence: Evidence, key: Key) -> Iterator[Write]:
    """Yield the writes to a route, oldest first. Creating a route is not a write."""
    kinds = {(edit.route, edit.version): edit.kind for edit in evidence.edits}
    before: Version | None = None
    for version in evidence.routes[key]:
        if version.kind == "DELETED":
            before = None
            continue
        if before is not None:
            kind = kinds.get((key, version.number))
            same = _told(before.document) == _told(version.document)
            yield Write(key, before, version, RIVAL if kind else GATEWAY if same else OURS, kind)
        before = version


@cache
def ours(evidence: Evidence) -> Sequence[Write]:
    """Return every write of the bots."""
    return tuple(write for key in evidence.routes for write in writes(evidence, key) if write.by == OURS)


@cache
def written(evidence: Evidence) -> Mapping[str, Sequence[tuple[Version, Rollout]]]:
    """Return what the bots wrote of each rollout: versions of its route, with the record in their annotation."""
    found: dict[str, list[tuple[Version, Rollout]]] = {}
    for write in ours(evidence):
        if write.note is not None:
            found.setdefault(write.note.id, []).append((write.after, write.note))
    return found


def standing(evidence: Evidence) -> Mapping[str, Version]:
    """Return the routes that exist at the end, by uid."""
    newest = (versions[-1] for versions in evidence.routes.values())
    return {version.uid: version for version in newest if version.kind != "DELETED"}


def lives(evidence: Evidence) -> Iterator[Sequence[Write]]:
    """Yield the writes to each route, from its creation to its deletion."""
    for key in evidence.routes:
        life: list[Write] = []
        for write in writes(evidence, key):
            if life and life[-1].after.uid != write.after.uid:
                yield life
                life = []
            life.append(write)
        yield life


def _told(document: Object) -> tuple[object, object, object]:
    meta = document["metadata"]
    return document.get("spec"), meta.get("annotations"), meta.get("labels")


def foreign_meta(document: Object) -> Object:
    """Return the metadata that the bot must not change."""
    own = {"resourceVersion", "generation", "managedFields"}
    meta = {key: value for key, value in document["metadata"].items() if key not in own}
    meta["annotations"] = {key: text for key, text in (meta.get("annotations") or {}).items() if key != ANNOTATION}
    return meta

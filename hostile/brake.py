"""What stands on the route when somebody rolls back: full annotations, forged notes, junk."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.domain.rollout import Phase
from bot.engine.notes import NO_KEYS
from hostile.records import JUNK
from hostile.stand import BACK, Stand
from hostile.tried import Tried
from k8s.document import ANNOTATION, annotation_of

Annotations = dict[str, str | None]

LIMIT, OTHERS = 256 * 1024, "example.com/notes"
"""Bytes that the API server takes of an object's annotations, and the name of somebody else's."""


def brake(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Roll backs by a command, over annotations that make each write fail, or that say something else."""
    found = Tried()
    for _ in range(count):
        name = dice.choice(list(PLANTED))
        stand.world.set_annotations(PLANTED[name](stand, dice))
        stand.say("rollback")
        found.tried += 1
        if not stand.comes_back():
            found.through.append(f"{name}: {stand.world.weights()} is not {BACK}")
            break
        found.harmless += 1
        stand.world.set_annotations({OTHERS: None})
        stand.begin()
    return found


def _full(stand: Stand, dice: random.Random) -> Annotations:
    """Leave no room beside our note, or beside what replaces it."""
    there = {**stand.world.http_route()["metadata"]["annotations"]}
    changed = {ANNOTATION: dice.choice((there[ANNOTATION], "x", "{}"))}
    used = sum(len(name.encode()) + len(text.encode()) for name, text in {**there, **changed}.items())
    return {**changed, OTHERS: "x" * (LIMIT - used - len(OTHERS))}


def _forged(stand: Stand, dice: random.Random) -> Annotations:
    """Say that it is rolled back already, on rules that are not there, or in words without end."""
    record = stand.record()
    other_rules = tuple(replace(record.rules[0], key=f"none-{place}", index=9) for place in range(2))
    changes = dice.choice(({"rules": other_rules}, {"why": "x" * 16_000}, {"revision": 2**50}))
    return {ANNOTATION: NO_KEYS.write(replace(record, decision="d-forged", phase=Phase.ROLLED_BACK, **changes))}


def _padded(stand: Stand, dice: random.Random) -> Annotations:
    """Put more beside our signed record, of any kind."""
    document: dict[str, Any] = json.loads(annotation_of(stand.world.http_route()) or "{}")
    odd: object = dice.choice(
        ("A" * 200_000, "\ud800", [[]] * 900, {"decision": "d", "at": "never", "by": 7, "why": None})
    )
    return {ANNOTATION: json.dumps({**document, dice.choice(("mac", "rolled_back", "rollout", "v")): odd})}


def _junk(stand: Stand, dice: random.Random) -> Annotations:
    return {ANNOTATION: dice.choice(JUNK)}


PLANTED: Mapping[str, Callable[[Stand, random.Random], Annotations]] = {
    "full annotations": _full,
    "a forged roll back": _forged,
    "a padded note": _padded,
    "junk": _junk,
}

"""Both pools: whether they can serve, whether they are told apart, and what belongs to the old one alone."""

from collections.abc import Iterator, Sequence
from typing import Final

from bot.domain.check import Line, fine, stop, warn
from k8s.checks.scene import Scene
from k8s.document import Document
from k8s.inferencepool import picker_of, selector_of
from k8s.pool_health import PoolParts, health_of
from k8s.search import listed

TOPIC: Final = "Pools"
MOST_NAMES: Final = 3
_DEFAULT_MODE: Final = "FailClose"


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    new, old = health_of(scene.new), health_of(scene.old)
    if new.lack:
        yield stop(TOPIC, new.lack, "Start it again when it is ready.")
    if old.lack:
        yield warn(TOPIC, f"A roll back would not help now: {old.lack}")
    if not new.lack and not old.lack:
        yield fine(TOPIC, f"Both can serve: new {new.ready}/{new.of} Ready, old {old.ready}/{old.of}.")
    yield from _overlap(scene.new, scene.old)
    yield from _failure_modes(scene)
    yield from _companions(scene)


def _overlap(new: PoolParts, old: PoolParts) -> Iterator[Line]:
    both = sorted(_names(new.pods) & _names(old.pods))
    if both:
        more = f" and {len(both) - MOST_NAMES} more" if len(both) > MOST_NAMES else ""
        yield warn(
            TOPIC,
            f"Both pools select the pods {listed(both[:MOST_NAMES])}{more}: the split is not what the weights say "
            f"(selectors `{selector_of(new.pool)}` and `{selector_of(old.pool)}`).",
        )


def _names(documents: Sequence[Document]) -> set[str]:
    return {str(each["metadata"]["name"]) for each in documents}


def _failure_modes(scene: Scene) -> Iterator[Line]:
    new, old = ((picker_of(each.pool) or {}).get("failureMode") or _DEFAULT_MODE for each in (scene.new, scene.old))
    if new != old:
        yield warn(
            TOPIC,
            f"Without its endpoint picker, `{scene.canary.name}` acts as `{new}` and `{scene.stable.name}` as `{old}`.",
            "Set the same `failureMode`.",
        )


def _companions(scene: Scene) -> Iterator[Line]:
    """Yield objectives and rewrites of the old pool that the new one lacks: they count for one pool only."""
    for document in scene.companions:
        if _pool_of(document) != scene.stable.name:
            continue
        twins = [each for each in scene.companions if _pool_of(each) == scene.canary.name and _is_twin(each, document)]
        if not twins:
            name, kind = document["metadata"]["name"], document["kind"]
            yield warn(
                TOPIC,
                f"{kind} `{name}` counts for `{scene.stable.name}` only: `{scene.canary.name}` has none like it.",
                f"Copy it with `poolRef.name: {scene.canary.name}`.",
            )


def _pool_of(document: Document) -> str:
    return str((document.get("spec", {}).get("poolRef") or {}).get("name") or "")


def _is_twin(one: Document, other: Document) -> bool:
    """Say whether two of them say the same, each for its pool."""
    return one["kind"] == other["kind"] and _said(one) == _said(other)


def _said(document: Document) -> dict[str, object]:
    return {key: value for key, value in document.get("spec", {}).items() if key != "poolRef"}

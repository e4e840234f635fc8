"""Both pools: whether they can serve, whether they are told apart, and what belongs to the old one alone."""

from collections.abc import Iterator, Sequence
from typing import Final

from bot.domain.check import Line, fine, stop, warn
from bot.domain.deadlines import HOLD_AT_MOST, MINUTE
from k8s.checks.scene import Scene
from k8s.document import Document
from k8s.inferencepool import is_ending, picker_of, selector_of
from k8s.pool_health import PoolParts, health_of
from k8s.search import some

TOPIC: Final = "Pools"
_DEFAULT_MODE: Final = "FailClose"


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    new, old = health_of(scene.new), health_of(scene.old)
    if is_ending(scene.new.pool):
        yield stop(TOPIC, new.lack, "Deploy it again first.")
    elif new.lack:
        yield warn(TOPIC, new.lack, f"A start waits until that is mended, {HOLD_AT_MOST // MINUTE} minutes at most.")
    if old.lack:
        yield warn(TOPIC, f"A roll back would not help now: {old.lack}")
    if not new.lack and not old.lack:
        yield fine(TOPIC, f"Both can serve: new {new.ready}/{new.of} Ready, old {old.ready}/{old.of}.")
    yield from _overlap(scene.new, scene.old)
    yield from _failure_modes(scene)
    yield from _models(scene)
    yield from _companions(scene)


def _overlap(new: PoolParts, old: PoolParts) -> Iterator[Line]:
    both = sorted(_names(new.pods) & _names(old.pods))
    if both:
        yield warn(
            TOPIC,
            f"Both pools select the pods {some(both, 3)}: the split is not what the weights say "
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


def _models(scene: Scene) -> Iterator[Line]:
    """Yield which models of the old pool the new one lacks: requests for them would fail there."""
    old, new = scene.old_models.names, scene.new_models.names
    if old is None or new is None:
        if why := scene.new_models.why_not or scene.old_models.why_not:
            yield fine(TOPIC, f"I could not compare which models the pools serve: {why}.")
        return
    lacking = sorted(name for name in old - new if not _is_rewritten(scene, name))
    if lacking:
        yield warn(
            TOPIC,
            f"`{scene.canary.name}` does not serve {some(lacking, 3)}, which `{scene.stable.name}` serves: requests "
            "for that would fail there.",
            "Serve it too, or map the name by an InferenceModelRewrite.",
        )
    else:
        yield fine(TOPIC, f"`{scene.canary.name}` serves {some(sorted(old), 3) or 'no model, as the old pool'}.")


def _is_rewritten(scene: Scene, model: str) -> bool:
    """Say whether a rewrite of the new pool maps the name of a model, or all names."""
    rules = [
        rule
        for each in scene.companions
        if each["kind"] == "InferenceModelRewrite" and _pool_of(each) == scene.canary.name
        for rule in each["spec"].get("rules") or ()
    ]
    named = {match.get("model", {}).get("value") for rule in rules for match in rule.get("matches") or ()}
    return model in named or any(not rule.get("matches") for rule in rules)


def _companions(scene: Scene) -> Iterator[Line]:
    """Yield objectives and rewrites of the old pool that the new one lacks: they count for one pool only."""
    theirs = [each for each in scene.companions if _pool_of(each) == scene.canary.name]
    lacking: dict[str, list[str]] = {}
    for each in scene.companions:
        if _pool_of(each) == scene.stable.name and not any(_is_twin(twin, each) for twin in theirs):
            lacking.setdefault(each["kind"], []).append(each["metadata"]["name"])
    for kind, names in lacking.items():
        one = len(names) == 1
        what = f"{kind} `{names[0]}` counts" if one else f"{len(names)} {kind}s count"
        which = "" if one else f" ({some(names)})"
        yield warn(
            TOPIC,
            f"{what} for `{scene.stable.name}` only{which}: `{scene.canary.name}` has none like "
            f"{'it' if one else 'them'}.",
            f"Copy {'it' if one else 'them'} with `poolRef.name: {scene.canary.name}`.",
        )


def _pool_of(document: Document) -> str:
    return str((document.get("spec", {}).get("poolRef") or {}).get("name") or "")


def _is_twin(one: Document, other: Document) -> bool:
    """Say whether two of them say the same, each for its pool."""
    return one["kind"] == other["kind"] and _said(one) == _said(other)


def _said(document: Document) -> dict[str, object]:
    return {key: value for key, value in document.get("spec", {}).items() if key != "poolRef"}

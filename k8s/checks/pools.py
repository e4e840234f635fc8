"""Both pools: whether they can serve, whether they are told apart, and what belongs to the old one alone."""

from collections.abc import Iterator, Sequence
from typing import Final

from bot.domain.check import Line, fine, hold, stop, warn
from k8s.checks.scene import Scene
from k8s.document import Document
from k8s.inferencepool import is_ending, picker_of, selector_of
from k8s.pool_health import PoolParts, deaf_pods, health_of, ready_count
from k8s.search import some

TOPIC: Final = "Pools"
_DEFAULT_MODE: Final = "FailClose"


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found."""
    new, old = health_of(scene.new), health_of(scene.old)
    if is_ending(scene.new.pool):
        yield stop(TOPIC, new.lack, "Deploy it again first.")
    elif new.lack:
        yield hold(TOPIC, new.lack)
    if old.lack:
        yield warn(TOPIC, f"A roll back would not help now: {old.lack}", is_watched=True)
    if not new.lack and not old.lack:
        yield fine(TOPIC, f"Both can serve: new {new.ready}/{new.of} Ready, old {old.ready}/{old.of}.")
    yield from _deaf(scene.new)
    yield from _overlap(scene.new, scene.old)
    yield from _failure_modes(scene)
    yield from _models(scene)
    yield from _companions(scene)


def _deaf(new: PoolParts) -> Iterator[Line]:
    """Yield a part of the new pool's pods that does not listen where the pool sends; all of them are a lack."""
    deaf, ready = deaf_pods(new), ready_count(new.pods)
    if 0 < len(deaf) < ready:
        pool, names = new.pool["metadata"]["name"], some([str(pod["metadata"]["name"]) for pod in deaf], 3)
        yield warn(
            TOPIC,
            f"{len(deaf)} of {ready} ready pods of `{pool}` declare no port that it names ({names}): requests that go "
            "there fail.",
        )


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
    without = sorted(name for name in old - new if not _is_rewritten(scene, name))
    adapters = [name for name in without if name in scene.old_models.adapters]
    lacking = [name for name in without if name not in adapters]
    if adapters:
        yield stop(
            TOPIC,
            f"`{scene.canary.name}` lacks the LoRA adapter{'s' if len(adapters) > 1 else ''} {some(adapters, 3)} of "
            f"`{scene.stable.name}`: requests for {'them' if len(adapters) > 1 else 'it'} would fail there.",
            "Load it there too, map its name with an InferenceModelRewrite, or take it off the old pool first.",
        )
    if lacking:
        yield warn(
            TOPIC,
            f"`{scene.canary.name}` does not serve {some(lacking, 3)}, which `{scene.stable.name}` serves: such "
            "requests would fail there.",
            "Serve the same models, or map their names with an InferenceModelRewrite.",
        )
    elif not adapters:
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
        yield _counts_for_old(scene, kind, names)


def _counts_for_old(scene: Scene, kind: str, names: Sequence[str]) -> Line:
    old, new = scene.stable.name, scene.canary.name
    if len(names) == 1:
        said = f"{kind} `{names[0]}` counts for `{old}` only: `{new}` has none like it."
        return warn(TOPIC, said, f"Copy it with `poolRef.name: {new}`.")
    said = f"{len(names)} {kind}s count for `{old}` only ({some(names)}): `{new}` has none like them."
    return warn(TOPIC, said, f"Copy them with `poolRef.name: {new}`.")


def _pool_of(document: Document) -> str:
    return str((document.get("spec", {}).get("poolRef") or {}).get("name") or "")


def _is_twin(one: Document, other: Document) -> bool:
    """Say whether two of them say the same, each for its pool."""
    return one["kind"] == other["kind"] and _said(one) == _said(other)


def _said(document: Document) -> dict[str, object]:
    return {key: value for key, value in document.get("spec", {}).items() if key != "poolRef"}

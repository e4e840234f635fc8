"""The mirror of a first step: whether the gateway can copy requests, and whether the rules leave room for it."""

from collections.abc import Iterator
from typing import Final

from bot.domain.check import Line, fine, stop
from k8s.checks.scene import Scene
from k8s.document import mirrors_of, pool_of, rule_label, rules_of

TOPIC: Final = "Mirror"
WITHOUT: Final = "Start without `mirror=`."

ANY_SHARE: Final = "HTTPRouteRequestMirror"
A_SHARE: Final = "HTTPRouteRequestPercentageMirror"
"""Names of Gateway API's features, as a GatewayClass lists them in ``status.supportedFeatures``."""


def lines(scene: Scene) -> Iterator[Line]:
    """Yield what was found, if the start asks for a mirror."""
    if not scene.mirror:
        return
    stops = [*_unsupported(scene), *_in_the_way(scene)]
    yield from stops
    if not stops:
        yield fine(TOPIC, f"The gateway can copy {scene.mirror} % of the requests to `{scene.canary.name}`.")


def _unsupported(scene: Scene) -> Iterator[Line]:
    needed = {ANY_SHARE} if scene.mirror == 100 else {ANY_SHARE, A_SHARE}
    for parent in scene.parents:
        if not parent.facts.controller:
            yield stop(
                TOPIC,
                f"I could not read the GatewayClass of `{parent.ref.get('name')}`, so I do not know whether it can "
                "mirror requests.",
                f"See `check-config --cluster` for the missing right. {WITHOUT}",
            )
        elif missing := sorted(needed - parent.facts.features):
            yield stop(
                TOPIC,
                f"The GatewayClass of Gateway `{parent.ref.get('name')}` does not say that it can mirror requests: its "
                f"`status.supportedFeatures` lacks {' and '.join(f'`{each}`' for each in missing)}.",
                WITHOUT,
            )


def _in_the_way(scene: Scene) -> Iterator[Line]:
    """Yield the rules in which the canary has traffic, or copies of it, already."""
    rules, canary = rules_of(scene.copy.document), scene.canary
    for known in scene.rules:
        rule, label = rules[known.index], rule_label(rules[known.index], known.index)
        if canary in [pool_of(each["backendRef"], scene.copy.namespace) for each in mirrors_of(rule)]:
            hint = "Remove that filter first, or start without `mirror=`."
            yield stop(TOPIC, f"`{label}` mirrors to `{canary.name}` already.", hint)
        if known.canary_before:
            yield stop(TOPIC, f"`{label}` sends requests to `{canary.name}` already.", WITHOUT)

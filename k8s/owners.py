"""Who else writes to a route: controllers that would fight us, and tools that put fields back. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from bot.domain.check import Line, fine, stop, warn
from k8s.document import FIELD_MANAGER, Document, full_name, namespace_of

TOPIC: Final = "Owners"

_CONTROLLERS: Final = {
    "LLMInferenceService": "KServe",
    "InferenceService": "KServe",
    "Canary": "Flagger",
    "AIGatewayRoute": "Envoy AI Gateway",
}
"""By the kind of the owner."""
_HAVE_WEIGHTS: Final = frozenset({"LLMInferenceService", "AIGatewayRoute"})
"""Kinds in which people write the weights themselves."""
_ARGO_ROLLOUTS: Final = "rollouts.argoproj.io/gatewayapi-canary"
_FLUX: Final = "kustomize.toolkit.fluxcd.io/"
_FLUX_HELM: Final = "helm.toolkit.fluxcd.io/"
_FLUX_OFF: Final = f"{_FLUX}reconcile"
_CONFIG_SYNC: Final = ("configsync.gke.io/", "configmanagement.gke.io/")
_CONFIG_SYNC_OFF: Final = "client.lifecycle.config.k8s.io/mutation"

_FLUX_ASIDE: Final = ((_FLUX_OFF, "disabled"), (f"{_FLUX}ssa", "ignore"), (f"{_FLUX}ssa", "ifnotpresent"))
_CONFIG_SYNC_ASIDE: Final = ((_CONFIG_SYNC_OFF, "ignore"), ("configmanagement.gke.io/managed", "disabled"))
"""The marks on an object, and their values in small letters, by which a tool is told to leave it alone."""


def lines(route: Document) -> Iterator[Line]:
    """Yield who else writes to a route, with the exact rule that keeps a tool away from the weights."""
    found = [*_rivals(route), *_tools(route)]
    yield from found or [fine(TOPIC, f"Nobody else is known to write to HTTPRoute `{full_name(route)}`.")]


def owner_of(route: Document) -> str:
    """Say which other controller moves the weights of a route; empty if none does."""
    return next((line.said for line in _rivals(route)), "")


def _rivals(route: Document) -> Iterator[Line]:
    """Yield the controllers that move weights themselves."""
    for owner in _owners(route):
        kind = owner.get("kind", "")
        if tool := _CONTROLLERS.get(kind):
            of = f"{kind} `{namespace_of(route)}/{owner.get('name', '?')}`"
            yield stop(
                TOPIC,
                f"HTTPRoute `{full_name(route)}` is owned by {tool} ({of}), which writes its weights.",
                f"{'Set the weights there' if kind in _HAVE_WEIGHTS else f'Roll out with {tool}'}, or give the bot a "
                f"route that {tool} does not own.",
            )
    if _ARGO_ROLLOUTS in _labels(route):
        yield stop(
            TOPIC,
            f"HTTPRoute `{full_name(route)}` is managed by Argo Rollouts (label `{_ARGO_ROLLOUTS}`).",
            "Wait for its rollout to end, or take the route out of it.",
        )


def _tools(route: Document) -> Iterator[Line]:
    annotations, labels, name = _annotations(route), _labels(route), route["metadata"]["name"]
    yield from _unknown_controller(route)
    if _is_argo_cd(route):
        yield warn(TOPIC, f"Argo CD manages HTTPRoute `{name}` and may put its weights back; {_argo_cd(name)}")
    if _any_key(_FLUX, annotations, labels) or _is_manager(route, "kustomize-controller"):
        yield _flux_line(name, is_off=_is_told(route, _FLUX_ASIDE))
    if _any_key(_FLUX_HELM, annotations, labels) or _is_manager(route, "helm-controller"):
        yield warn(
            TOPIC, f"A Flux HelmRelease manages HTTPRoute `{name}` and may put its weights back; {_flux_helm(name)}"
        )
    if any(_any_key(prefix, annotations, labels) for prefix in _CONFIG_SYNC):
        yield _config_sync_line(name, is_off=_is_told(route, _CONFIG_SYNC_ASIDE))
    if release := annotations.get("meta.helm.sh/release-name"):
        yield warn(
            TOPIC,
            f"HTTPRoute `{name}` belongs to the Helm release `{release}`: `helm uninstall {release}` deletes it, "
            "and a `helm upgrade` may put the weights back (Helm 3) or fails with a conflict (Helm 4).",
        )


def _is_argo_cd(route: Document) -> bool:
    """Argo CD tracks by annotation since version 3, by a label before, and may be told to use a label of its own."""
    marks = {**_labels(route), **_annotations(route)}
    return any(key.startswith("argocd.argoproj.io/") for key in marks) or _is_manager(route, "argocd")


def _flux_line(name: str, *, is_off: bool) -> Line:
    if is_off:
        return fine(TOPIC, f"Flux is told to leave HTTPRoute `{name}` alone.")
    return warn(TOPIC, f"Flux manages HTTPRoute `{name}` and puts its weights back; {_flux(name)}")


def _config_sync_line(name: str, *, is_off: bool) -> Line:
    if is_off:
        return fine(TOPIC, f"Config Sync is told to leave HTTPRoute `{name}` alone.")
    return warn(
        TOPIC,
        f"Config Sync manages HTTPRoute `{name}` and puts its weights back; set `{_CONFIG_SYNC_OFF}: ignore` on the "
        "route, in its source.",
    )


def ignore_rule(route: Document, manager: str) -> str:
    """Return a sentence that says how to keep a field manager away from our weights; empty if we do not know."""
    rule = next((rule for sign, rule in _RULES.items() if manager.startswith(sign)), None)
    if rule is None:
        return ""
    text = rule(str(route["metadata"]["name"]))
    return text[:1].upper() + text[1:]


def _argo_cd(name: str) -> str:
    return (
        "add to the Application `ignoreDifferences: [{group: gateway.networking.k8s.io, kind: HTTPRoute, "
        f"name: {name}, "
        "jqPathExpressions: ['.spec.rules[].backendRefs']}]` and `syncOptions: [RespectIgnoreDifferences=true]`."
    )


def _flux(name: str) -> str:
    return f"set `{_FLUX_OFF}: disabled` on the route until the rollout is over."


def _flux_helm(name: str) -> str:
    return (
        f"add to the HelmRelease `driftDetection: {{ignore: [{{paths: [/spec/rules], target: {{kind: HTTPRoute, "
        f"name: {name}}}}}]}}`, and do not upgrade the release before the rollout is over."
    )


_RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "argocd": _argo_cd,
    "kustomize-controller": _flux,
    "helm-controller": _flux_helm,
}
"""By how the field manager begins."""


def _unknown_controller(route: Document) -> Iterator[Line]:
    for owner in _owners(route):
        if owner.get("controller") and owner.get("kind") not in _CONTROLLERS:
            yield warn(
                TOPIC,
                f"HTTPRoute `{route['metadata']['name']}` is made by {owner.get('kind')} `{owner.get('name')}`, "
                "whose controller may put the weights back.",
            )


def _is_told(route: Document, marks: Sequence[tuple[str, str]]) -> bool:
    """Say whether a route has one of these labels or annotations, whatever the case of its value."""
    values = [(key, value.lower()) for each in (_labels(route), _annotations(route)) for key, value in each.items()]
    return any(mark in values for mark in marks)


def _is_manager(route: Document, sign: str) -> bool:
    """Say whether a field manager whose name begins so has written the route, beside us."""
    managers = {str(each.get("manager") or "") for each in route["metadata"].get("managedFields") or ()}
    return any(manager.startswith(sign) for manager in managers - {FIELD_MANAGER})


def _owners(route: Document) -> Sequence[Mapping[str, Any]]:
    return route["metadata"].get("ownerReferences") or ()


def _annotations(route: Document) -> Mapping[str, str]:
    return route["metadata"].get("annotations") or {}


def _labels(route: Document) -> Mapping[str, str]:
    return route["metadata"].get("labels") or {}


def _any_key(prefix: str, *maps: Mapping[str, str]) -> bool:
    return any(key.startswith(prefix) for each in maps for key in each)

"""Who else writes to a route: refuses controllers that would fight us, and warns of deployment tools. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from bot.domain.errors import RouteError
from k8s.document import Document, full_name

_CONTROLLERS: Final = {
    "LLMInferenceService": "KServe",
    "InferenceService": "KServe",
    "Canary": "Flagger",
}
_ARGO_ROLLOUTS: Final = "rollouts.argoproj.io/gatewayapi-canary"


def refuse_owned(route: Document) -> None:
    """Raise RouteError if another controller moves the weights of a route."""
    for owner in _owners(route):
        if tool := _CONTROLLERS.get(owner.get("kind", "")):
            raise RouteError(
                f"HTTPRoute `{full_name(route)}` is owned by {tool} ({owner['kind']} `{owner.get('name', '?')}`), "
                "which writes its weights.",
                hint=f"Roll out with {tool}, or give the bot a route that {tool} does not own.",
            )
    if _ARGO_ROLLOUTS in _labels(route):
        raise RouteError(
            f"HTTPRoute `{full_name(route)}` is managed by Argo Rollouts (label `{_ARGO_ROLLOUTS}`).",
            hint="Wait for its rollout to end, or take the route out of it.",
        )


def warnings(route: Document) -> Iterator[str]:
    """Say which deployment tools may put the weights back, and the exact rule that stops them."""
    yield from _unknown_controller(route)
    annotations, labels = _annotations(route), _labels(route)
    name = route["metadata"]["name"]
    if "argocd.argoproj.io/tracking-id" in annotations:
        yield f"Argo CD manages HTTPRoute `{name}` and may put its weights back; {_argo_cd(name)}"
    if _any_key("kustomize.toolkit.fluxcd.io/", annotations, labels):
        yield f"Flux manages HTTPRoute `{name}` and puts its weights back; {_flux(name)}"
    if _any_key("helm.toolkit.fluxcd.io/", annotations, labels):
        yield f"A Flux HelmRelease manages HTTPRoute `{name}` and may put its weights back; {_flux_helm(name)}"
    if release := annotations.get("meta.helm.sh/release-name"):
        yield (
            f"HTTPRoute `{name}` belongs to the Helm release `{release}`: `helm uninstall {release}` deletes it, "
            "and a `helm upgrade` may put the weights back (Helm 3) or fails with a conflict (Helm 4)."
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
    return "set `kustomize.toolkit.fluxcd.io/reconcile: disabled` on the route until the rollout is over."


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


def _unknown_controller(route: Document) -> Iterator[str]:
    for owner in _owners(route):
        if owner.get("controller"):
            yield (
                f"HTTPRoute `{route['metadata']['name']}` is made by {owner.get('kind')} `{owner.get('name')}`, "
                "whose controller may put the weights back."
            )


def _owners(route: Document) -> Sequence[Mapping[str, Any]]:
    return route["metadata"].get("ownerReferences") or ()


def _annotations(route: Document) -> Mapping[str, str]:
    return route["metadata"].get("annotations") or {}


def _labels(route: Document) -> Mapping[str, str]:
    return route["metadata"].get("labels") or {}


def _any_key(prefix: str, *maps: Mapping[str, str]) -> bool:
    return any(key.startswith(prefix) for each in maps for key in each)

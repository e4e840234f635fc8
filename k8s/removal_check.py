"""What forbids the removal of a pool, and what it leaves. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.domain.removal import Thing
from bot.domain.rollout import Pool
from k8s.client import Resource
from k8s.document import Document, full_name, mirrors_of, namespace_of, pool_of, refs_of, rules_of
from k8s.helm_releases import HelmRelease, owner_of
from k8s.inferencepool import labels_of, picker_of
from k8s.inferencepool import pool_of as pool_itself

EXPORTED: Final = "inference.networking.x-k8s.io/export"
"""The annotation by which pools are offered to other clusters."""

_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "Gateway")
_TOO_MUCH: Final = ("Namespace", "CustomResourceDefinition", "PersistentVolumeClaim")


@dataclass(frozen=True, slots=True)
class Found:
    """An object that exists, and whether Helm would leave it."""

    thing: Thing
    document: Mapping[str, Any]
    is_kept: bool

    @classmethod
    def of(cls, resource: Resource, namespace: str, live: Document, *, is_kept: bool = False) -> "Found":
        """Return an object as it was read."""
        meta = live["metadata"]
        return cls(
            thing=Thing(
                root=resource.root,
                plural=resource.plural,
                kind=resource.kind,
                namespace=namespace,
                name=str(meta["name"]),
                uid=str(meta["uid"]),
            ),
            document=live,
            is_kept=is_kept,
        )


def stops(
    pool: Document,
    going: Sequence[Found],
    pools: Sequence[Document],
    routes: Sequence[Document],
    release: str,
    owner: tuple[str, str] | None,
) -> Iterator[str]:
    """Yield why a pool may not be removed. ``going`` is what would go, ``pools`` all pools of its namespace."""
    name = pool["metadata"]["name"]
    if users := [full_name(route) for route in routes if names_pool(route, pool_itself(pool))]:
        yield f"{_listed('HTTPRoute', users)} still names InferencePool `{name}`. Take it out of there first."
    if EXPORTED in (pool["metadata"].get("annotations") or {}):
        yield f"InferencePool `{name}` is exported to other clusters. Remove its annotation `{EXPORTED}` first."
    others = [other for other in pools if other["metadata"]["name"] != name]
    for each in going:
        yield from _stops_at(each, pool, others, release, owner)


def _stops_at(
    each: Found, pool: Document, others: Sequence[Document], release: str, owner: tuple[str, str] | None
) -> Iterator[str]:
    thing, what = each.thing, f"{each.thing.kind} `{each.thing.name}`"
    if thing.kind in _ROUTES:
        yield (
            f"Helm release `{release}` owns {what}, and would delete it. First let Helm leave it: "
            f"`kubectl annotate {thing.kind.lower()} {thing.name} -n {thing.namespace} helm.sh/resource-policy=keep`, "
            f"then upgrade the release without it (`--set experimentalHttpRoute.enabled=false`)."
        )
    if thing.kind in _TOO_MUCH:
        yield f"Helm release `{release}` would delete {what}. I do not delete that: do it yourself."
    if thing.kind == "InferencePool" and thing.uid != pool["metadata"]["uid"]:
        yield f"Helm release `{release}` also made {what}, and would delete it. Remove the old pool by hand."
    of_other = owner_of(each.document)
    if owner is not None and of_other not in (None, owner):
        yield f"{what} belongs to Helm release `{'/'.join(of_other or ())}` now, and `{release}` would delete it."
    for other in others:
        if thing.kind == "Service" and (picker_of(other) or {}).get("name") == thing.name:
            yield f"{what} is the endpoint picker of InferencePool `{other['metadata']['name']}` too."
        if (labels := _pod_labels(each.document)) and labels_of(other).items() <= labels.items():
            yield f"{what} runs pods of InferencePool `{other['metadata']['name']}`."


def stays(
    pool: Document, made: Sequence[Found], pods: Sequence[Document], companions: Sequence[Document], *, hooks: int
) -> Iterator[str]:
    """Yield what a removal leaves: what Helm keeps, the model servers, what names the pool, and hooks."""
    if hooks:
        yield f"{hooks} hook{'s' if hooks != 1 else ''} of the chart for its deletion, which I do not run"
    gone = {(each.thing.kind, each.thing.name) for each in made if not each.is_kept}
    for each in made:
        if each.is_kept:
            yield f"{each.thing.kind} `{each.thing.name}`, which Helm leaves"
    templates = [_pod_labels(each.document) for each in made if not each.is_kept]
    if pods and not any(labels_of(pool).items() <= labels.items() for labels in templates if labels):
        labels = ",".join(f"{key}={value}" for key, value in labels_of(pool).items())
        yield f"the model servers: {len(pods)} pod{'s' if len(pods) != 1 else ''} with `{labels}`"
    for companion in companions:
        kind, name = str(companion["kind"]), str(companion["metadata"]["name"])
        names_it = (companion["spec"].get("poolRef") or {}).get("name") == pool["metadata"]["name"]
        if names_it and (kind, name) not in gone:
            yield f"{kind} `{name}`, which names the pool"


def _pod_labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of the pods that a workload makes; empty if it makes none."""
    template = (document.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def names_pool(route: Document, pool: Pool) -> bool:
    """Say whether a route names a pool, whatever the weight, or mirrors to it."""
    namespace = namespace_of(route)
    refs = [ref for rule in rules_of(route) for ref in refs_of(rule)]
    refs += [mirror["backendRef"] for rule in rules_of(route) for mirror in mirrors_of(rule)]
    return any(pool_of(ref, namespace) == pool for ref in refs)


def lost_release(
    pool: Document, owner: tuple[str, str] | None, release: HelmRelease | None, going: Sequence[Found]
) -> Iterator[str]:
    """Yield why a pool's own word for its release is not to be believed."""
    if owner is None:
        return
    name, of = f"InferencePool `{pool['metadata']['name']}`", "/".join(owner)
    if release is None or release.is_uninstalled:
        yield f"{name} says that Helm release `{of}` made it, and I find no such release. Remove the pool by hand."
    elif pool["metadata"]["uid"] not in {each.thing.uid for each in going}:
        yield f"{name} says that Helm release `{of}` made it, and that release does not hold it. Remove it by hand."


def _listed(kind: str, names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{kind} {', '.join(f'`{name}`' for name in names[:most])}{more}"

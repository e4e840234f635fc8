"""The Deployment of a pool's model servers: a copy of it for a new pool, and those that belong to an old one.

What people may change in a copy has the keys ``image``, ``replicas``, ``nodeSelector.KEY``, ``limits.KEY`` and
``args.--FLAG``; image, limits and arguments are those of the first container.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from bot.domain.errors import UsageError
from k8s.document import Document
from k8s.inferencepool import labels_of

KEYS: Final = "image, replicas, nodeSelector.KEY, limits.KEY, args.--FLAG"
HELM: Final = "app.kubernetes.io/managed-by"

_LEFT_OUT: Final = ("deployment.kubernetes.io/", "kubectl.kubernetes.io/", "meta.helm.sh/")
"""How annotations begin that belong to one Deployment alone."""


def copied(
    deployment: Document, pool: Document, name: str, names: tuple[str, str], changes: Mapping[str, str]
) -> dict[str, Any]:
    """Return a Deployment like another, whose pods a new pool selects.

    ``names`` are the old and the new pool's; labels that have the old one's name get the new one's. Raises UsageError.
    """
    bare, labels = written(deployment), labels_of(pool)
    meta, spec = bare["metadata"], bare["spec"]
    template = spec["template"]
    template["metadata"] = {**template.get("metadata", {}), "labels": {**_renamed(_labels(template), names), **labels}}
    spec["selector"]["matchLabels"] = {**_renamed(spec["selector"].get("matchLabels") or {}, names), **labels}
    for key, value in changes.items():
        _change(spec, key, value)
    return {**bare, "metadata": {**meta, "name": name, "labels": _renamed(meta["labels"], names)}}


def written(deployment: Document) -> dict[str, Any]:
    """Return a Deployment as somebody would write it, without what the API server and Helm add."""
    meta, spec = deployment["metadata"], json.loads(json.dumps(deployment["spec"]))
    kept = {key: value for key, value in (meta.get("annotations") or {}).items() if not key.startswith(_LEFT_OUT)}
    own = {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "labels": {key: value for key, value in (meta.get("labels") or {}).items() if key != HELM},
        "annotations": kept,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": own, "spec": spec}


def takes(deployment: Document, copy: Document) -> bool:
    """Say whether a Deployment would take the pods of its copy for its own."""
    selector = deployment["spec"]["selector"].get("matchLabels") or {}
    return bool(selector.items() <= _labels(copy["spec"]["template"]).items())


def of_pool(pool: Document, pools: Sequence[Document], deployments: Sequence[Document]) -> Iterator[Document]:
    """Yield the Deployments whose pods a pool selects, and no other pool."""
    others = [labels_of(each) for each in pools if each["metadata"]["name"] != pool["metadata"]["name"]]
    for deployment in deployments:
        labels = _labels(deployment["spec"]["template"]).items()
        if labels_of(pool).items() <= labels and not any(other.items() <= labels for other in others):
            yield {"apiVersion": "apps/v1", "kind": "Deployment", **deployment}


def _labels(template: Document) -> Mapping[str, str]:
    return (template.get("metadata") or {}).get("labels") or {}


def _renamed(labels: Mapping[str, str], names: tuple[str, str]) -> dict[str, str]:
    old, new = names
    return {key: new if value == old else value for key, value in labels.items()}


def _change(spec: dict[str, Any], key: str, value: str) -> None:
    what, _, name = key.replace("\\.", "\0").partition(".")
    name, container = name.replace("\0", "."), spec["template"]["spec"]["containers"][0]
    change = _CHANGES.get(what)
    if change is None or bool(name) is (what in ("image", "replicas")):
        raise UsageError(
            f"`servers.{key}` is nothing that I can change.", hint=f"After `servers.` comes one of {KEYS}."
        )
    change(spec, container, name, value)


def _image(spec: dict[str, Any], container: dict[str, Any], name: str, value: str) -> None:
    container["image"] = value


def _replicas(spec: dict[str, Any], container: dict[str, Any], name: str, value: str) -> None:
    if not (value.isascii() and value.isdecimal() and len(value) < 5):
        raise UsageError(f"`servers.replicas` is a whole number, not `{value}`.")
    spec["replicas"] = int(value)


def _node(spec: dict[str, Any], container: dict[str, Any], name: str, value: str) -> None:
    pods = spec["template"]["spec"]
    pods["nodeSelector"] = {**(pods.get("nodeSelector") or {}), name: value}


def _limit(spec: dict[str, Any], container: dict[str, Any], name: str, value: str) -> None:
    resources = container.setdefault("resources", {})
    resources["limits"] = {**(resources.get("limits") or {}), name: value}
    if name in (resources.get("requests") or {}):
        resources["requests"] = {**resources["requests"], name: value}


def _argument(spec: dict[str, Any], container: dict[str, Any], name: str, value: str) -> None:
    """Set a flag, in the way in which it is written there; one that is not there is added."""
    args: list[str] = list(container.get("args") or ())
    joined = next((at for at, each in enumerate(args) if each.startswith(f"{name}=")), None)
    if joined is None and name in args[:-1]:
        args[args.index(name) + 1] = value
    elif joined is not None:
        args[joined] = f"{name}={value}"
    else:
        args.append(f"{name}={value}")
    container["args"] = args


_CHANGES: Final[Mapping[str, Callable[[dict[str, Any], dict[str, Any], str, str], None]]] = {
    "image": _image,
    "replicas": _replicas,
    "nodeSelector": _node,
    "limits": _limit,
    "args": _argument,
}

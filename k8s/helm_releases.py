"""What Helm knows of a release, read from its own Secret: the chart, the values, and the objects it made.

It also has Helm uninstall releases.

A release is `sh.helm.release.v1.NAME.vN`; the payload is JSON, zipped, and encoded twice (once by Kubernetes).
"""

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml
from kubernetes.client import ApiClient

from bot.domain.errors import ClusterError, RouteError
from k8s import client
from k8s.document import Document
from k8s.helm import Helm

SECRETS: Final = client.Resource("/api/v1", "secrets", "Secret")
RELEASE: Final = "meta.helm.sh/release-name"
RELEASE_NAMESPACE: Final = "meta.helm.sh/release-namespace"
KEEP: Final = "helm.sh/resource-policy"
LONGEST: Final = 16 * 1024 * 1024
"""So many bytes a release may have once it is unzipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """One revision of a release. ``objects`` are those of its manifest, in its order."""

    name: str
    namespace: str
    revision: int
    status: str  # `deployed`, `failed`, `uninstalling`, `uninstalled`, ...
    chart: Mapping[str, Any]
    values: Mapping[str, Any]
    objects: Sequence[Document]
    begun: datetime
    labels: Mapping[str, str]  # of its Secret
    said: str  # what Helm says of it
    hooks: int  # how many objects of the chart only run when it is deleted

    @property
    def is_uninstalled(self) -> bool:
        """Say whether only its history is left."""
        return self.status == "uninstalled"


def owner_of(document: Document) -> tuple[str, str] | None:
    """Return namespace and name of the release that made an object, as Helm notes it on each; None if none did."""
    marks: Mapping[str, str] = document["metadata"].get("annotations") or {}
    name = marks.get(RELEASE)
    return (marks.get(RELEASE_NAMESPACE) or str(document["metadata"].get("namespace")), name) if name else None


def newest(api: ApiClient, namespace: str, name: str) -> HelmRelease | None:
    """Read the newest revision of a release; None if there is none. Raises ClusterError, RefusedError, RouteError."""
    found = client.list_all(api, SECRETS, namespace, labels=f"owner=helm,name={name}")
    secret = max(found, key=_revision, default=None)
    try:
        return read_release(secret) if secret else None
    except ValueError as error:
        raise RouteError(f"I cannot read Helm release `{namespace}/{name}`: {error}.") from error


def retire(api: ApiClient, helm: Helm, namespace: str, name: str) -> None:
    """Uninstall a release and keep its history. It does not wait until everything is gone, and runs no hooks.

    Raises ClusterError if Helm was interrupted, so that it is worth another try, and RouteError with Helm's own words.
    """
    flags = ("--keep-history", "--no-hooks")
    _uninstall(api, helm, namespace, name, flags, lambda left: left is None or left.is_uninstalled)


def forget(api: ApiClient, helm: Helm, namespace: str, name: str) -> None:
    """Remove the history of a retired release; it may be gone. Raises as ``retire`` does."""
    _uninstall(api, helm, namespace, name, (), lambda left: left is None)


def _uninstall(
    api: ApiClient,
    helm: Helm,
    namespace: str,
    name: str,
    flags: Sequence[str],
    is_done: Callable[[HelmRelease | None], bool],
) -> None:
    try:
        helm.run("uninstall", name, "-n", namespace, *flags)
    except RouteError as error:
        left = newest(api, namespace, name)
        if is_done(left):
            return
        if left is not None and left.status in ("uninstalling", "uninstalled"):
            raise ClusterError(error.message) from error
        raise


def read_release(secret: Document) -> HelmRelease:
    """Read a release out of its Secret. Raises ValueError if it is none."""
    try:
        zipped = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        document = json.loads(_unzipped(zipped))
        return HelmRelease(
            name=str(document["name"]),
            namespace=str(document["namespace"]),
            revision=int(document["version"]),
            status=str(document["info"]["status"]),
            chart=document["chart"],
            values=document.get("config") or {},
            objects=tuple(_objects(str(document["manifest"]))),
            begun=datetime.fromisoformat(str(secret["metadata"]["creationTimestamp"])),
            labels=secret["metadata"].get("labels") or {},
            said=str(document["info"].get("description") or ""),
            hooks=sum(_is_of_deletion(hook) for hook in document.get("hooks") or ()),
        )
    except (KeyError, TypeError, EOFError, OSError, zlib.error, yaml.YAMLError) as error:
        raise ValueError(f"Secret `{secret['metadata']['name']}` holds no release of Helm") from error


def is_kept(document: Document) -> bool:
    """Say whether `helm uninstall` leaves an object."""
    return (document["metadata"].get("annotations") or {}).get(KEEP) == "keep"


def _unzipped(zipped: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(zipped)) as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError("a release that is too long")
    return data


def _objects(manifest: str) -> Iterator[Document]:
    yield from (each for each in yaml.safe_load_all(manifest) if isinstance(each, dict) and each.get("kind"))


def _is_of_deletion(hook: Mapping[str, Any]) -> bool:
    return any(str(event) in ("pre-delete", "post-delete") for event in hook.get("events") or ())


def _revision(secret: Document) -> int:
    version = str((secret["metadata"].get("labels") or {}).get("version") or "0")
    return int(version) if version.isdecimal() else 0

"""What the bot needs from a cluster, and what is missing: rights in each namespace, and served resources."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import RefusedError
from k8s import client
from k8s.autoscalers import AUTOSCALERS
from k8s.client import Resource
from k8s.companions import COMPANIONS
from k8s.gateways import CLASSES, GATEWAYS
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import OLD_POOLS, PODS, POOLS, SERVICES, SLICES
from k8s.installed import DEFINITIONS
from k8s.reference_grants import GRANTS

NEEDED: Final[Sequence[tuple[Resource, Sequence[str]]]] = (
    (HTTPROUTES, ("get", "list", "watch", "patch")),
    (POOLS, ("get", "list", "watch")),
    (PODS, ("list", "watch")),
    (SERVICES, ("get", "list", "watch")),
    (SLICES, ("list", "watch")),
    (GRANTS, ("list",)),
    (OLD_POOLS, ("list",)),
    *((resource, ("list",)) for resource in COMPANIONS),
)
"""Everything that the bot does in a namespace of pools, as ``manifests/kustomize/rights`` grants it."""

DONE_WITHOUT: Final[Sequence[tuple[Resource, Sequence[str]]]] = ((AUTOSCALERS, ("list",)),)
"""What the manifests grant there too, and nobody misses who has not applied them again."""

FOR_OWN_ROUTES: Final[Sequence[tuple[Resource, Sequence[str]]]] = ((HTTPROUTES, ("create", "delete")),)
"""What operations with a route of their own need there too, as ``manifests/kustomize/try`` grants it."""

_WHOSE_WORD: Final = (
    "the bot does not know whose word about a route counts, and takes that of any controller which accepts it"
)
_LATE: Final = "the bot asks for it again and again, and sees a change at the next step only"
NEEDED_ONCE: Final[Sequence[tuple[Resource, Sequence[str], str]]] = (
    (GATEWAYS, ("get",), _WHOSE_WORD),
    (GATEWAYS, ("list", "watch"), _LATE),
    (CLASSES, ("get",), _WHOSE_WORD),
    (CLASSES, ("list", "watch"), _LATE),
    (DEFINITIONS, ("get",), "`check` cannot say which versions are installed"),
)
"""What the bot reads in any namespace, or in none, as ``manifests/kustomize/gateways`` grants it, and what it cannot
tell without it.
"""

INSTALL: Final = {
    HTTPROUTES: "Install the CustomResourceDefinitions of the Gateway API.",
    POOLS: "Install the CustomResourceDefinition of InferencePool v1.",
}


GRANT: Final = "`manifests/kustomize/rights` has a Role with all that the bot needs in a namespace."
GRANT_OWN_ROUTES: Final = (
    "The policy's gates make HTTPRoutes of their own; `manifests/kustomize/try` has a Role for that."
)
GRANT_ONCE: Final = "`manifests/kustomize/gateways` has a ClusterRole for that."


@dataclass(frozen=True, slots=True)
class Rights:
    """Whose rights were checked, where, and what is missing: a sentence each, safe to show."""

    account: str
    namespaces: tuple[str, ...]
    missing: tuple[str, ...]


def rights_of(api: ApiClient, namespaces: Sequence[str], *, makes_routes: bool = False) -> Rights:
    """Ask the API server what this connection may do, and what it serves. Raises ClusterError.

    ``makes_routes``: the bot is to make routes of its own too.
    """
    account = _account(api)
    refused = tuple(_not_allowed(api, account, namespaces, NEEDED))
    own = tuple(_not_allowed(api, account, namespaces, FOR_OWN_ROUTES)) if makes_routes else ()
    once = tuple(_not_allowed_anywhere(api, account))
    asked = ((refused, GRANT), (own, GRANT_OWN_ROUTES), (once, GRANT_ONCE))
    grants = [grant for sentences, grant in asked if sentences]
    return Rights(account, tuple(namespaces), (*_not_served(api), *refused, *own, *once, *grants))


def group_of(resource: Resource) -> str:
    """Return the API group of a resource; empty for the core group."""
    root = resource.root.split("/")
    return root[2] if root[1] == "apis" else ""


def _account(api: ApiClient) -> str:
    try:
        status = client.review(api, "authentication.k8s.io", "SelfSubjectReview", {})
    except RefusedError:  # older than Kubernetes 1.28
        return "The account of this kubeconfig"
    return f"`{status['userInfo']['username']}`"


def _not_served(api: ApiClient) -> Iterator[str]:
    """Name the custom resources that are not served. It asks only for listed groups, because a 404 says little."""
    groups = client.fetch(api, "/apis", what="the list of API groups")["groups"]
    served = {version["groupVersion"] for group in groups for version in group["versions"]}
    for resource, install in INSTALL.items():
        version = resource.root.removeprefix("/apis/")
        if version not in served or resource.plural not in _plurals(api, resource.root):
            yield f"The cluster does not serve `{resource.plural}` of {version}. {install}"


def _plurals(api: ApiClient, root: str) -> Iterable[str]:
    return {each["name"] for each in client.fetch(api, root, what="the resources of a group")["resources"]}


def _not_allowed(
    api: ApiClient, account: str, namespaces: Iterable[str], needed: Sequence[tuple[Resource, Sequence[str]]]
) -> Iterator[str]:
    for namespace in namespaces:
        for resource, verbs in needed:
            if refused := _refused(api, namespace, resource, verbs):
                yield f"{account} may not {refused} in namespace `{namespace}`."


def _not_allowed_anywhere(api: ApiClient, account: str) -> Iterator[str]:
    for resource, verbs, without in NEEDED_ONCE:
        if refused := _refused(api, "", resource, verbs):
            yield f"{account} may not {refused}: {without}."


def _refused(api: ApiClient, namespace: str, resource: Resource, verbs: Iterable[str]) -> str:
    """Say which of the verbs are not allowed, and on what; empty if all are."""
    missing = [f"`{verb}`" for verb in verbs if not _may(api, namespace, resource, verb)]
    group = f" of {group_of(resource)}" if group_of(resource) else ""
    return f"{', '.join(missing)} `{resource.plural}`{group}" if missing else ""


def _may(api: ApiClient, namespace: str, resource: Resource, verb: str) -> bool:
    attributes = {"namespace": namespace, "verb": verb, "group": group_of(resource), "resource": resource.plural}
    answer = client.review(api, "authorization.k8s.io", "SelfSubjectAccessReview", {"resourceAttributes": attributes})
    return bool(answer.get("allowed"))

"""Drafts a new pool's release from the old one's, and has Helm install it: see ``bot.engine.deployment_port``."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml
from kubernetes.client import ApiClient

from bot.domain.deployment import DeployRules, Draft, apart, changed_values, renamed
from bot.domain.errors import GoneError, RaceError, RefusedError, RouteError, UsageError
from bot.domain.masking import masked
from bot.domain.rollout import Pool
from bot.engine.deployment_port import Standing
from k8s import client, helm_releases
from k8s.deployment_check import bounded, differences, elsewhere, stops
from k8s.document import Document, full_name
from k8s.helm import Helm
from k8s.helm_releases import HelmRelease
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import PODS, POOLS, selector_of
from k8s.kinds import Kinds
from k8s.model_servers import copied, takes, written
from k8s.pool_health import is_ready
from k8s.removal_check import names_pool
from k8s.removal_parts import DEPLOYMENTS
from k8s.trial_route import is_trial

MARK: Final = "rolloutbot"
"""The label of a release's Secret that carries the id of the deployment."""

GRANT: Final = "It needs rights of its own: apply `manifests/kustomize/deploy`."


@dataclass(frozen=True)
class ClusterDeployments:
    """Everything is read from the API server: a deployment is rare."""

    api: ApiClient
    namespaces: Sequence[str]
    rules: DeployRules
    helm: Helm

    def draft(self, old: Pool, name: str, changes: Mapping[str, str], mark: str) -> Draft:
        """Draft a release like that of an old pool, with another name and some values changed."""
        try:
            return self._draft(old, name, changes, mark)
        except GoneError as error:
            raise RouteError(error.message, hint=error.hint) from error
        except RefusedError as error:
            raise RouteError(error.message, hint=GRANT) from error

    def install(self, draft: Draft, mark: str) -> None:
        """Make the model servers, if there are none, and install what was drafted, all marked with an id."""
        if draft.servers is not None and not self.servers(draft.pool, mark):
            meta = {**draft.servers["metadata"], "labels": {**draft.servers["metadata"]["labels"], MARK: mark}}
            client.create(self.api, DEPLOYMENTS, draft.pool.namespace, {**draft.servers, "metadata": meta})
        self.helm.run("install", *_chart(draft), "--labels", f"{MARK}={mark}", values=draft.values)

    def standing(self, pool: Pool, mark: str) -> Standing | None:
        """Say where the release of a new pool stands; None if there is none."""
        release = helm_releases.newest(self.api, pool.namespace, pool.name)
        if release is None:
            return None
        is_ours, said = release.labels.get(MARK) == mark, masked(release.said)
        return Standing(status=release.status, begun=release.begun, is_ours=is_ours, said=said)

    def servers(self, pool: Pool, mark: str) -> Sequence[str]:
        """Return the names of the Deployments that carry the id."""
        return [str(each["metadata"]["name"]) for each in self._marked(pool, mark)]

    def _marked(self, pool: Pool, mark: str) -> Sequence[Document]:
        return client.list_all(self.api, DEPLOYMENTS, pool.namespace, labels=f"{MARK}={mark}") if mark else ()

    def remove(self, pool: Pool, mark: str) -> None:
        """Uninstall a release and delete model servers that carry the id. Raises RouteError if a route names it."""
        standing, servers = self.standing(pool, mark), self._marked(pool, mark)
        is_ours = standing is not None and standing.is_ours
        if not is_ours and not servers:
            return
        routes = [route for name in self.namespaces for route in client.list_all(self.api, HTTPROUTES, name)]
        if users := [full_name(route) for route in routes if names_pool(route, pool) and not is_trial(route)]:
            raise RouteError(f"HTTPRoute `{users[0]}` names `{pool.name}` now, so I leave it.")
        if is_ours:
            self._uninstall(pool)
        for each in servers:
            meta = each["metadata"]
            with suppress(GoneError, RaceError):
                client.delete(self.api, DEPLOYMENTS, pool.namespace, str(meta["name"]), str(meta["uid"]))

    def _uninstall(self, pool: Pool) -> None:
        """Uninstall a release, delete what of it Helm has left, and only then let Helm forget it.

        Helm leaves what it could not read, and says nothing.
        """
        release = helm_releases.newest(self.api, pool.namespace, pool.name)
        if release is None:
            return
        if not release.is_uninstalled:
            helm_releases.retire(self.api, self.helm, pool.namespace, pool.name)
        for resource, live in self._left(release):
            meta = live["metadata"]
            with suppress(GoneError, RaceError):
                client.delete(self.api, resource, str(meta["namespace"]), str(meta["name"]), str(meta["uid"]))
        helm_releases.forget(self.api, self.helm, pool.namespace, pool.name)

    def _left(self, release: HelmRelease) -> Iterator[tuple[client.Resource, Document]]:
        """Yield the objects of a release that are still there, and its own."""
        kinds = Kinds(self.api)
        for each in release.objects:
            if (place := kinds.place(each, release.namespace)) is None or helm_releases.is_kept(each):
                continue
            with suppress(GoneError):
                live = client.get(self.api, place[0], place[1], str(each["metadata"]["name"]))
                if helm_releases.owner_of(live) == (release.namespace, release.name):
                    yield place[0], live

    def _draft(self, old: Pool, name: str, changes: Mapping[str, str], mark: str) -> Draft:
        of_chart, of_servers = apart(changes)
        release = self._release_of(old)
        chart = release.chart["metadata"]
        where = self.rules.charts.get(str(chart["name"]))
        if where is None:
            raise RouteError(
                f"`{old.name}` was installed from chart `{chart['name']}`, which the policy does not allow.",
                hint="Name it below `deploy.charts`.",
            )
        values = changed_values(_without_route(renamed(release.values, old.name, name)), of_chart)
        draft = Draft(
            pool=Pool(old.namespace, name),
            old_release=release.name,
            chart=where,
            version=str(chart["version"]),
            values=values,
            makes=(),
        )
        taken = helm_releases.newest(self.api, old.namespace, name)
        made = self._rendered(draft) if taken is None else ()
        pools = client.list_all(self.api, POOLS, old.namespace)
        if taken is not None:
            return replace(draft, stops=(f"Helm release `{name}` ({taken.status}) exists already.",))
        servers = self._servers(old, name, made, of_servers)
        all_of_it = [*made, *([servers.copy] if servers else ())]
        before = [*release.objects, *([servers.model] if servers else ())]
        there = [*self._there(made, old.namespace), *(self._taken(servers, mark) if servers else ())]
        return replace(
            draft,
            makes=tuple((str(each["kind"]), str(each["metadata"]["name"])) for each in all_of_it),
            manifest=hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest(),
            differs=bounded(differences(before, all_of_it, old.name, name)),
            stops=(
                *elsewhere(self._places(made, old.namespace), old.namespace),
                *stops(name, made, there, pools),
                *(servers.stops() if servers else ()),
            ),
            serves=servers.said() if servers else self._served(made, old.namespace),
            servers=servers.copy if servers else None,
        )

    def _servers(self, old: Pool, name: str, made: Sequence[Document], changes: Mapping[str, str]) -> "_Servers | None":
        """Copy the old pool's model servers, if the policy says which those are."""
        template = self.rules.model_servers
        if not template:
            if changes:
                raise UsageError(
                    "The policy names no model servers to copy.", hint="Name a Deployment with `deploy.model_servers`."
                )
            return None
        pool = next((each for each in made if each["kind"] == "InferencePool"), None)
        if pool is None:
            return None
        model = client.get(self.api, DEPLOYMENTS, old.namespace, template.replace("{pool}", old.name))
        own = template.replace("{pool}", name)
        return _Servers(written(model), copied(model, pool, own, (old.name, name), changes))

    def _taken(self, servers: "_Servers", mark: str) -> Iterator[str]:
        """Yield a Deployment of that name which somebody else has made."""
        namespace, name = servers.copy["metadata"]["namespace"], servers.copy["metadata"]["name"]
        with suppress(GoneError):
            there = client.get(self.api, DEPLOYMENTS, namespace, name)
            if not mark or (there["metadata"].get("labels") or {}).get(MARK) != mark:
                yield f"Deployment `{name}`"

    def _release_of(self, pool: Pool) -> HelmRelease:
        document = client.get(self.api, POOLS, pool.namespace, pool.name)
        owner = helm_releases.owner_of(document)
        release = helm_releases.newest(self.api, *owner) if owner else None
        if release is None:
            raise RouteError(f"InferencePool `{pool.name}` was not installed by Helm, so I cannot deploy one like it.")
        return release

    def _rendered(self, draft: Draft) -> Sequence[Document]:
        """Have Helm render the objects, and the API server check them; nothing is made."""
        said = self.helm.run("install", *_chart(draft), "--dry-run=server", "-o", "json", values=draft.values)
        manifest = str(json.loads(said[said.index("{") :])["manifest"])  # before it stands where the chart came from
        return [each for each in yaml.safe_load_all(manifest) if isinstance(each, dict) and each.get("kind")]

    def _places(self, made: Sequence[Document], namespace: str) -> Sequence[tuple[Document, str]]:
        """Return objects and the namespaces where they would be; empty: they belong to none."""
        kinds = Kinds(self.api)
        return [(each, place[1]) for each in made if (place := kinds.place(each, namespace)) is not None]

    def _there(self, made: Sequence[Document], namespace: str) -> Iterator[str]:
        kinds = Kinds(self.api)
        for each in made:
            place = kinds.place(each, namespace)
            if place is None:
                yield f"A definition of {each['kind']} is missing, so what the chart makes"
                continue
            with suppress(GoneError):
                client.get(self.api, place[0], place[1], str(each["metadata"]["name"]))
                yield place[0].label(place[1], str(each["metadata"]["name"]))

    def _served(self, made: Sequence[Document], namespace: str) -> str:
        """Say which model servers the new pool would find."""
        pool = next((each for each in made if each["kind"] == "InferencePool"), None)
        if pool is None:
            return "nothing"
        selector = selector_of(pool)
        pods = client.list_all(self.api, PODS, namespace, labels=selector)
        ready = sum(map(is_ready, pods))
        if not pods:
            return f"pods with `{selector}`: there is none yet"
        return f"{len(pods)} pods with `{selector}`, {ready} of them ready"


@dataclass(frozen=True)
class _Servers:
    """The old pool's Deployment of model servers, and the copy that the new pool gets."""

    model: Document
    copy: Document

    def stops(self) -> Iterator[str]:
        """Yield why the copy must not be made."""
        if takes(self.model, self.copy):
            yield (
                f"Deployment `{self.model['metadata']['name']}` would take the new pods for its own: it "
                "selects them by no label that differs."
            )

    def said(self) -> str:
        """Say which model servers the new pool will find."""
        count, name = self.copy["spec"].get("replicas", 1), self.copy["metadata"]["name"]
        return f"the {count} model server{'' if count == 1 else 's'} of Deployment `{name}`"


def _chart(draft: Draft) -> tuple[str, ...]:
    pool = draft.pool
    # Hooks and definitions are no part of the manifest, so nobody would see them.
    shown_alone = ("--no-hooks", "--skip-crds")
    return (pool.name, draft.chart, "--version", draft.version, "-n", pool.namespace, "--values", "-", *shown_alone)


def _without_route(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return values with which the extension's chart makes no HTTPRoute: a second one would take requests at once."""
    route = values.get("experimentalHttpRoute")
    return {**values, "experimentalHttpRoute": {**route, "enabled": False}} if route else values

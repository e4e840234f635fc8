"""What an old pool is made of, and how it is taken away: see ``bot.engine.removal_port.Removals``."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kubernetes.client import ApiClient

from bot.domain.errors import GoneError, RaceError, RefusedError, RouteError
from bot.domain.removal import CleanRules, Load, Release, Removal, Thing
from bot.domain.rollout import Phase, Pool, Rollout
from k8s import client, helm_releases, undo
from k8s.companions import list_companions
from k8s.document import POOL_KIND, Document, full_name, namespace_of
from k8s.helm import Helm
from k8s.helm_releases import HelmRelease
from k8s.httproute import HTTPROUTES
from k8s.inferencepool import PODS, POOLS, selector_of
from k8s.kinds import Kinds
from k8s.model_servers import of_pool
from k8s.pod_load import load_of
from k8s.removal_check import Found, lost_release, names_pool, stays, stops
from k8s.removal_parts import DEPLOYMENTS, by_hand
from k8s.timeouts import longest_timeout
from k8s.trial_route import is_trial

GRANT: Final = "It needs rights of its own: apply `manifests/kustomize/clean`."


@dataclass(frozen=True)
class ClusterRemovals:
    """Everything is read from the API server: a removal is rare."""

    api: ApiClient
    namespaces: Sequence[str]
    rules: CleanRules
    helm: Helm

    def plan(self, rollout: Rollout) -> Removal:
        """Find out what removing the old pool of a finished rollout means now."""
        try:
            return self._plan(rollout)
        except GoneError as error:
            raise RouteError(error.message, hint=error.hint) from error
        except RefusedError as error:
            raise RouteError(error.message, hint=GRANT) from error

    def load(self, pool: Pool) -> Load:
        """Ask the model servers of a pool what they serve; a pool without pods serves nothing."""
        try:
            document = client.get(self.api, POOLS, pool.namespace, pool.name)
        except GoneError:
            return Load()
        return load_of(self.api, document, self._pods(document))

    def users(self, pool: Pool) -> Sequence[str]:
        """Return the HTTPRoutes (namespace/name) that name a pool, whatever the weight, or mirror to it."""
        return [full_name(route) for route in self._routes() if names_pool(route, pool)]

    def missing_right(self, things: Sequence[Thing]) -> str:
        """Say in a sentence which of these things we may not delete; empty if we may delete all."""
        for root, plural, namespace in dict.fromkeys((each.root, each.plural, each.namespace) for each in things):
            group = root.split("/")[2] if root.startswith("/apis/") else ""
            asked = {"verb": "delete", "group": group, "resource": plural, "namespace": namespace}
            may = client.review(
                self.api, "authorization.k8s.io", "SelfSubjectAccessReview", {"resourceAttributes": asked}
            )
            if not may.get("allowed"):
                where = f"namespace `{namespace}`" if namespace else "the cluster"
                return f"I may not `delete` {plural} in {where}. {GRANT}"
        return ""

    def uninstall(self, release: Release, things: Sequence[Thing]) -> bool:
        """Uninstall a release that made no more than these things, and keep its history."""
        now = self._newest(release)
        if now is None or now.is_uninstalled:
            self._delete(things)
            return True
        if now.revision != release.revision or {*self.made_by(now)} - {*things}:
            return False
        helm_releases.retire(self.api, self.helm, release.namespace, release.name)
        return True

    def delete(self, things: Sequence[Thing], keep_as: str) -> str:
        """Delete things that are no release's, and return the command that puts them back."""
        namespace = next(thing.namespace for thing in things)
        found = [document for thing in things if (document := self._live(thing)) is not None]
        undo.keep(self.api, namespace, keep_as, found)
        self._delete(things)
        return undo.command(namespace, keep_as)

    def made_by(self, release: HelmRelease) -> Sequence[Thing]:
        """Return what a release has made, of that which exists and is not kept."""
        return [each.thing for each in self._made(release) if not each.is_kept]

    def left(self, things: Sequence[Thing]) -> Sequence[Thing]:
        """Return those of the things that still exist."""
        return [thing for thing in things if self._live(thing) is not None]

    def _plan(self, rollout: Rollout) -> Removal:
        pool = rollout.stable
        try:
            document = client.get(self.api, POOLS, pool.namespace, pool.name)
        except GoneError:
            if rollout.phase is not Phase.CLEANED:
                raise
            if rest := self._rest(pool):
                return rest
            raise RouteError(f"InferencePool `{pool.name}` is deleted already.") from None
        owner = helm_releases.owner_of(document)
        release = helm_releases.newest(self.api, *owner) if owner and owner[0] in self.namespaces else None
        made = list(self._made(release)) if release else list(by_hand(self.api, document))
        going = [each for each in made if not each.is_kept]
        pools, routes = client.list_all(self.api, POOLS, pool.namespace), self._routes()
        longest = longest_timeout(client.get(self.api, HTTPROUTES, rollout.namespace, rollout.route))
        pods, companions = self._pods(document), list_companions(self.api, pool.namespace)
        hooks = release.hooks if release else 0
        unsure = lost_release(document, owner, release, going)
        servers = [*self._servers(document, pools, going)] if self.rules.model_servers else []
        return Removal(
            pool=pool,
            release=_named(release) if release else None,
            things=tuple(each.thing for each in going),
            servers=tuple(each.thing for each in servers),
            stays=tuple(stays(document, [*made, *servers], pods, companions, hooks=hooks)),
            stops=(*unsure, *stops(document, going, pools, routes, release.name if release else "", owner)),
            idle_for=longest or self.rules.drained_for,
            has_timeout=longest is not None,
        )

    def _servers(self, pool: Document, pools: Sequence[Document], going: Sequence[Found]) -> Iterator[Found]:
        """Yield the Deployments of a pool's model servers, but for those that go with its release, or are another's."""
        known = {each.thing.uid for each in going}
        for deployment in of_pool(pool, pools, client.list_all(self.api, DEPLOYMENTS, namespace_of(pool))):
            if deployment["metadata"]["uid"] not in known and helm_releases.owner_of(deployment) is None:
                yield Found.of(DEPLOYMENTS, namespace_of(pool), deployment)

    def _rest(self, pool: Pool) -> Removal | None:
        """Return what is left of a pool that is gone: of a release of its name that made it."""
        release = helm_releases.newest(self.api, pool.namespace, pool.name)
        made = [(each.get("kind"), each["metadata"].get("name")) for each in release.objects] if release else []
        if release is None or ("InferencePool", pool.name) not in made or not (left := self.made_by(release)):
            return None
        return Removal(pool=pool, release=_named(release), things=tuple(left), idle_for=timedelta(0))

    def _routes(self) -> Sequence[Document]:
        found = [route for name in self.namespaces for route in client.list_all(self.api, HTTPROUTES, name)]
        return [route for route in found if not is_trial(route)]

    def _newest(self, release: Release) -> HelmRelease | None:
        return helm_releases.newest(self.api, release.namespace, release.name)

    def _delete(self, things: Sequence[Thing]) -> None:
        """Delete things, the pool last: while it is there, people can ask for the rest again."""
        for thing in sorted(things, key=lambda each: each.kind == POOL_KIND):
            with suppress(GoneError, RaceError):
                client.delete(self.api, _resource(thing), thing.namespace, thing.name, thing.uid)

    def _made(self, release: HelmRelease) -> Iterator[Found]:
        """Yield what a release has made, of that which exists."""
        kinds = Kinds(self.api)
        for each in release.objects:
            place = kinds.place(each, release.namespace)
            if place is None:
                continue
            resource, namespace = place
            with suppress(GoneError):
                live = client.get(self.api, resource, namespace, str(each["metadata"]["name"]))
                # Helm deletes only what says that it is its own.
                is_left = helm_releases.is_kept(each) or helm_releases.owner_of(live) is None
                yield Found.of(resource, namespace, live, is_kept=is_left)

    def _pods(self, pool: Document) -> Sequence[Document]:
        return client.list_all(self.api, PODS, namespace_of(pool), labels=selector_of(pool))

    def _live(self, thing: Thing) -> Document | None:
        """Return a thing as it is; None if it is gone, or another one has its name."""
        try:
            found = client.get(self.api, _resource(thing), thing.namespace, thing.name)
        except GoneError:
            return None
        return found if found["metadata"]["uid"] == thing.uid else None


def _resource(thing: Thing) -> client.Resource:
    return client.Resource(thing.root, thing.plural, thing.kind)


def _named(release: HelmRelease) -> Release:
    chart = release.chart.get("metadata") or {}
    return Release(
        namespace=release.namespace,
        name=release.name,
        chart=f"{chart.get('name', 'chart')} {chart.get('version', '')}".strip(),
        revision=release.revision,
    )

"""What a removal of an old pool needs of the cluster and of Helm, as a Protocol."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.removal import Load, Release, Removal, Thing
from bot.domain.rollout import Pool, Rollout


class Removals(Protocol):
    """Looks at what an old pool is made of, and takes it away. Every call is bounded in time.

    Raises ClusterError (no answer, an error), RefusedError (403, 404, 422) and RouteError (a sentence for people).
    """

    def plan(self, rollout: Rollout) -> Removal:
        """Find out what removing the old pool of a finished rollout means now, or what is left of it."""

    def users(self, pool: Pool) -> Sequence[str]:
        """Return the HTTPRoutes (namespace/name) that name a pool, whatever the weight, or mirror to it."""

    def missing_right(self, things: Sequence[Thing]) -> str:
        """Say in a sentence which of these things we may not delete; empty if we may delete all."""

    def load(self, pool: Pool) -> Load:
        """Ask the model servers of a pool what they serve; a pool without pods serves nothing."""

    def uninstall(self, release: Release, things: Sequence[Thing]) -> bool:
        """Uninstall a release that made no more than these things, and keep its history.

        If that is done, delete those of the things that Helm has left. False, and nothing is done, if the release has
        changed. Raises RouteError with Helm's own words.
        """

    def delete(self, things: Sequence[Thing], keep_as: str) -> str:
        """Delete things that are no release's, and return the command that puts them back.

        Their manifests are kept in a ConfigMap ``keep_as`` first; any of it may be done already.
        """

    def left(self, things: Sequence[Thing]) -> Sequence[Thing]:
        """Return those of the things that still exist."""

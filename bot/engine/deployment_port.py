"""What a deployment needs of the cluster and of Helm, as a Protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.deployment import Draft
from bot.domain.rollout import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the release of a deployment stands, in Helm's words: ``deployed``, ``failed``, ``pending-install``, ...

    ``begun`` is when this revision began. ``is_ours``: it carries the deployment's id. ``said`` is what Helm says.
    """

    status: str
    begun: datetime
    is_ours: bool
    said: str = ""


class Deployments(Protocol):
    """Drafts, installs and removes releases of pools. Every call is bounded in time.

    Raises ClusterError (no answer, an error), RefusedError (403, 404, 422) and RouteError (a sentence for people).
    """

    def draft(self, old: Pool, name: str, changes: Mapping[str, str], mark: str) -> Draft:
        """Draft a release like that of an old pool, with another name and some values changed.

        Model servers that carry the id were made for this very draft.
        """

    def install(self, draft: Draft, mark: str) -> None:
        """Make the model servers, if there are none, and install what was drafted, all marked with an id.

        Raises RouteError with Helm's own words.
        """

    def standing(self, pool: Pool, mark: str) -> Standing | None:
        """Say where the release of a new pool stands; None if there is none."""

    def servers(self, pool: Pool, mark: str) -> Sequence[str]:
        """Return the names of the Deployments that carry the id."""

    def remove(self, pool: Pool, mark: str) -> None:
        """Uninstall a release and delete model servers that carry the id; they may be gone.

        Raises RouteError if a route names the pool.
        """

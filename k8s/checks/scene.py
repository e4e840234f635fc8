"""Everything that the checks look at, read once."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.rollout import Pool, Rule
from bot.engine.gateway_word import GatewaySays, GatewayWord
from bot.engine.route_port import RouteCopy
from k8s.document import Document
from k8s.pool_health import PoolParts
from k8s.route_status import Parent
from k8s.served_models import ServedModels


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The route, the pair of pools and what belongs to them.

    ``rules`` are those that move, ``routes`` all HTTPRoutes that were read, ``companions`` the InferenceObjectives and
    InferenceModelRewrites of the pools' namespace. ``grants`` are that namespace's ReferenceGrants, where the route is
    in another one: None if they could not be read. ``unread``: namespaces whose routes could not be read.
    ``word`` is all that the route's status says, at whatever generation, ``says`` what that proves of the route as it
    is. ``is_new``: the route is so new that its gateway may be silent yet. ``mirror``: percent of the requests that the
    start wants to copy to the canary first.
    """

    copy: RouteCopy
    stable: Pool
    canary: Pool
    rules: tuple[Rule, ...]
    old: PoolParts
    new: PoolParts
    old_models: ServedModels
    new_models: ServedModels
    word: GatewayWord
    says: GatewaySays
    parents: Sequence[Parent]
    routes: Sequence[Document]
    companions: Sequence[Document]
    grants: Sequence[Document] | None
    unread: Sequence[str]
    is_new: bool
    mirror: int

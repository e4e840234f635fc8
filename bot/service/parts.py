"""Puts the parts that decide and write together, once, on one set of ports."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.config.policy import Policy
from bot.domain.commands.request import Request
from bot.domain.errors import UsageError
from bot.engine.apply import Applier
from bot.engine.engine import Engine
from bot.engine.gate_watch import GateWatch
from bot.engine.lookup import Lookup
from bot.engine.metrics_port import Metrics
from bot.engine.past_port import Past
from bot.engine.ports import Clock
from bot.engine.rollback_from_route import RouteRollback
from bot.engine.route_port import Routes
from bot.engine.starts import Starts
from bot.engine.store_port import Store
from bot.engine.tick import Ticker
from bot.engine.told import Told
from bot.gates import registry
from bot.gates.gate import NO_OPERATIONS, GateSources, LastOperations
from bot.gates.numbers.numbers import Numbers
from bot.gates.panel import GatePanel
from bot.recovery.audit import Audit
from bot.recovery.rebuild import Rebuilder
from bot.recovery.store_recovery import StoreRecovery


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that decides and writes, each part on the same ports."""

    engine: Engine
    applier: Applier
    ticker: Ticker
    gate_watch: GateWatch
    audit: Audit
    recovery: StoreRecovery
    past: Past | None


def no_operations(request: Request) -> None:
    """Refuse every operation: there is no executor."""
    raise UsageError(f"This bot cannot `{request.command.name}`.", hint="`help` lists what it can.")


def put_together(
    routes: Routes,
    store: Store,
    for_rebuild: Store,
    clock: Clock,
    policy: Policy,
    operate: Callable[[Request], None] = no_operations,
    metrics: Metrics | None = None,
    past: Metrics | None = None,
    own: Metrics | None = None,
    operations: LastOperations = NO_OPERATIONS,
) -> Parts:
    """Build what decides and writes. A rebuild has its own audit: ``for_rebuild`` saves while data is missing."""
    numbers = Numbers(metrics, routes, policy.evidence, past=past, own=own) if metrics else None
    sources = GateSources(pools=routes, routes=routes, operations=operations, numbers=numbers)
    gates = GatePanel(registry.gates(), policy.gates, sources, clock)
    applier = Applier(routes, store, clock, gates)
    told = Told()
    rebuild = _audit(routes, for_rebuild, clock, Applier(routes, for_rebuild, clock, gates), told)
    recovery = StoreRecovery(store, clock, rebuild)
    engine = Engine(
        routes,
        store,
        clock,
        policy,
        gates,
        applier=applier,
        lookup=Lookup(store, clock),
        rollback=RouteRollback(routes, clock),
        starts=Starts(routes, store, clock, policy, gates, Rebuilder(routes, store, clock, applier).take_up),
        operate=operate,
        look_again=recovery.look_again,
    )
    return Parts(
        engine=engine,
        applier=applier,
        ticker=Ticker(routes, store, clock, gates, applier),
        gate_watch=GateWatch(routes, store, clock, gates, applier),
        audit=_audit(routes, store, clock, applier, told),
        recovery=recovery,
        past=gates.past,
    )


def _audit(routes: Routes, store: Store, clock: Clock, applier: Applier, told: Told) -> Audit:
    return Audit(routes, store, clock, applier, Rebuilder(routes, store, clock, applier), told)

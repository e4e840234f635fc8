"""The trail in the log: a line for each decision that is saved and for each write to a route, with its words as fields.

A line quotes nobody: reasons are on the card and in the thread.
"""

import logging

from bot.domain.decisions.drift import show_weights
from bot.domain.errors import ClusterError, RaceError, RefusedError
from bot.domain.rollout import Pair, Rollout, wanted
from bot.engine.ports import Clock
from bot.engine.route_port import Guard, RouteCopy, Routes, Written
from bot.engine.store_port import Save

log = logging.getLogger(__name__)

NOBODY = "rolloutbot"
"""Who decides if no person does: the timer, a gate, or what a watch sees."""


def log_decision(save: Save) -> None:
    """Log who decided what, and the canary's percent on the route before and as it is wanted now."""
    to, events = save.change.after, save.change.events
    fields = {
        "who": next((event.by for event in events if event.by), "") or to.by or NOBODY,
        "unix_user": next((event.unix_user for event in events if event.unix_user), ""),
        "what": ", ".join(event.kind.value for event in events) or to.phase.value,
        "phase": to.phase.value,
        "from": to.weight_at(to.base),
        "to": to.weight,
    }
    log.info(
        "rollout %s: %s decided %s, from %d %% to %d %%, revision %d",
        *(to.id, fields["who"], fields["what"], fields["from"], fields["to"], to.revision),
        extra={"trail": "decision"} | _which(to) | fields,
    )


def write_route(
    routes: Routes, clock: Clock, copy: RouteCopy, rollout: Rollout, *, weights: bool, guard: Guard
) -> Written:
    """Write a route as ``Routes.write`` does, and log the weights before and after, and how long it took.

    A write whose answer did not come is logged as that: it may be on the route.
    """
    begun = clock.now()
    try:
        written = routes.write(copy, rollout, weights=weights, guard=guard)
    except (RaceError, RefusedError):
        raise
    except ClusterError:
        _log_unclear(rollout, _fields(routes, copy, rollout, weights=weights))
        raise
    took = round((clock.now() - begun).total_seconds() * 1000)
    fields = _fields(routes, copy, rollout, weights=weights) | {"generation": written.generation, "took_ms": took}
    log.info(
        "rollout %s: wrote the %s of %s/%s (old/new) from %s to %s, generation %d, revision %d, in %d ms",
        *(rollout.id, fields["what"], rollout.namespace, rollout.route, fields["from"], fields["to"]),
        *(written.generation, rollout.revision, took),
        extra={"trail": "write"} | _which(rollout) | fields,
    )
    return written


def _fields(routes: Routes, copy: RouteCopy, rollout: Rollout, *, weights: bool) -> dict[str, object]:
    """Say who writes what, from the weights on the copy of the route to those after the write."""
    before = routes.observe(copy, rollout)
    return {
        "who": rollout.by or NOBODY,
        "what": "weights" if weights else "note",
        "from": show_weights(before),
        "to": show_weights(_after(before, rollout) if weights else before),
    }


def _log_unclear(rollout: Rollout, fields: dict[str, object]) -> None:
    log.info(
        "rollout %s: do not know whether the %s of %s/%s (old/new) were written, from %s to %s, revision %d",
        *(rollout.id, fields["what"], rollout.namespace, rollout.route, fields["from"], fields["to"]),
        rollout.revision,
        extra={"trail": "unclear_write"} | _which(rollout) | fields,
    )


def _after(before: tuple[Pair | None, ...], rollout: Rollout) -> tuple[Pair | None, ...]:
    """Return the weights after a write; a rule that is gone was not written."""
    return tuple(seen and pair for seen, pair in zip(before, wanted(rollout), strict=True))


def _which(rollout: Rollout) -> dict[str, object]:
    return {
        "rollout": rollout.id,
        "route": f"{rollout.namespace}/{rollout.route}",
        "pool": rollout.canary.name,
        "revision": rollout.revision,
        "decision": rollout.decision,
    }

"""Which route and which two pools an operation asks: those of a rollout, or of one that is yet to start."""

from collections.abc import Mapping
from typing import Any, Final

from bot.domain.commands.request import STATUS, Command, StartWords, Where
from bot.domain.errors import NotHereError, UsageError
from bot.domain.operation import NewOperation, Operation
from bot.domain.rollout import SLOTLESS, Pool, Rollout
from bot.engine.trial_port import Pair
from bot.operations.executor import Tools

PLACE: Final = ("route", "namespace", "from", "rule")
"""Keys as of a start, for where more than one route, old pool or rule may be meant."""


def rollout_meant(asked: NewOperation, tools: Tools) -> Rollout | None:
    """Return the running rollout that is meant; None if a pool is named that has none."""
    given = asked.parameters
    where = Where.of(given.get("route", ""), given.get("namespace", ""))
    try:
        rollout = tools.rollouts.find(Command(verb=STATUS, subject=asked.subject, where=where), asked.channel).rollout
    except NotHereError:
        if not asked.subject:
            raise
        return None
    if rollout.phase not in SLOTLESS:
        return rollout
    if not asked.subject:
        raise UsageError("No rollout is under way here.", hint=f"Name the pool: `{asked.kind} POOL`.")
    return None


def is_over(rollout_id: str, channel: str, tools: Tools) -> bool:
    """Say whether a rollout is over, or lost."""
    try:
        found = tools.rollouts.find(Command(verb=STATUS, subject=rollout_id), channel)
    except NotHereError:
        return True
    return found.rollout.phase in SLOTLESS


def pair_of(rollout: Rollout) -> Pair:
    """Return the route and the pools of a rollout."""
    return Pair(namespace=rollout.namespace, route=rollout.route, stable=rollout.stable, canary=rollout.canary)


def pair_before_start(asked: NewOperation, tools: Tools) -> Pair:
    """Return the route and the pools that a start with the same words would find. Raises UserError."""
    route, namespace, stable, rule = (asked.parameters.get(key, "") for key in PLACE)
    words = StartWords(weight=0, route=route, namespace=namespace, stable=stable, rule=rule)
    survey = tools.routes.survey(asked.subject, words, asked.kind)
    copy = survey.copy
    return Pair(namespace=copy.namespace, route=copy.name, stable=survey.stable, canary=survey.canary)


def dumped(pair: Pair) -> Mapping[str, Any]:
    """Return it as JSON."""
    pools = {name: [pool.namespace, pool.name, pool.group] for name, pool in _pools(pair).items()}
    return {"namespace": pair.namespace, "route": pair.route, **pools}


def pair_in(operation: Operation) -> Pair:
    """Read what ``dumped`` has put under ``pair`` in an operation's state."""
    said = operation.state["pair"]
    pools = {name: Pool(*said[name]) for name in ("stable", "canary")}
    return Pair(namespace=said["namespace"], route=said["route"], **pools)


def _pools(pair: Pair) -> Mapping[str, Pool]:
    return {"stable": pair.stable, "canary": pair.canary}

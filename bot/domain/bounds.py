"""What a record may hold at most. Anybody who may edit a route, or write to Redis, may have written one.

A record outside these bounds is nobody's: no reader of a record has to check it again. The bounds are wide, because a
record of ours that fell outside would be lost.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from bot.domain.decisions.start import is_rollout_id
from bot.domain.plan import LONGEST, Plan
from bot.domain.rollout import Drift, Pair, Pool, Rollout, Rule

HEAVIEST: Final = 1_000_000
"""Gateway API allows no larger weight."""

MOST_RULES: Final = 16
MOST_REFS: Final = 16
MOST_NAMES: Final = 10_000
LONGEST_NAME: Final = 255
LONGEST_TEXT: Final = 16_000
LARGEST_COUNT: Final = 2**53
"""Lua counts no further."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MARK: Final = re.compile(r"[A-Za-z0-9_:.-]{1,255}")
_CHANNEL: Final = re.compile(r"[A-Za-z0-9_.-]{0,255}")
_FIRST, _LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def is_sound(rollout: Rollout) -> bool:
    """Say whether a record is within the bounds, and consistent."""
    return (
        _are_names(rollout)
        and _is_plan(rollout.plan)
        and _is_in_plan(rollout)
        and 1 <= len(rollout.rules) <= MOST_RULES
        and all(_is_rule(rule, rollout) for rule in rollout.rules)
        and all(_is_drift(drift, rollout) for drift in (rollout.drift, rollout.overwrites) if drift is not None)
        and all(_is_time(time) for time in (rollout.started_at, rollout.since, rollout.decided_at))
        and (rollout.kept_until is None or _is_time(rollout.kept_until))
        and all(len(text) <= LONGEST_TEXT for text in (rollout.reason, rollout.why))
        and len(rollout.restored) + len(rollout.held_by) + len(rollout.known) <= MOST_NAMES
    )


def _are_names(rollout: Rollout) -> bool:
    pools = (rollout.stable, rollout.canary)
    names = (rollout.namespace, rollout.route, *(name for pool in pools for name in (pool.namespace, pool.name)))
    marks = (rollout.route_uid, rollout.decision, *([rollout.ask.id] if rollout.ask else []))
    people = (rollout.started_by, rollout.by, *(rollout.ask.approvals if rollout.ask else ()))
    return (
        is_rollout_id(rollout.id)
        and rollout.stable != rollout.canary
        and all(_NAME.fullmatch(name) for name in names)
        and all(_MARK.fullmatch(mark) for mark in marks)
        and all(len(person) <= LONGEST_NAME and person.isprintable() for person in people)
        and _CHANNEL.fullmatch(rollout.channel) is not None
    )


def _is_plan(plan: Plan) -> bool:
    steps, marks = plan.steps, plan.approve_at
    return (
        bool(steps)
        and steps[-1] == 100
        and all(low < high for low, high in pairwise((-1 if plan.mirror else 0, *steps)))
        and 0 <= plan.mirror <= 100
        and (steps[0] == 0) == (plan.mirror > 0)
        and len(marks) <= 100
        and all(0 <= mark <= 100 for mark in marks)
        and 0 <= plan.approvals <= 20
        and all(timedelta(seconds=1) <= time <= LONGEST for time in (plan.interval, plan.bake, plan.keep or LONGEST))
    )


def _is_in_plan(rollout: Rollout) -> bool:
    asked = (rollout.ask.step,) if rollout.ask else ()
    counts = (rollout.revision, rollout.turn)
    return all(-1 <= step < len(rollout.plan.steps) for step in (rollout.step, rollout.base, *asked)) and all(
        0 <= count < LARGEST_COUNT for count in counts
    )


def _is_rule(rule: Rule, rollout: Rollout) -> bool:
    return (
        0 < len(rule.key) <= 255
        and 0 <= rule.index < MOST_RULES
        and 0 <= rule.stable_index < MOST_REFS
        and _are_weights((rule.stable_before, rule.canary_before))
        and _names_pool(rule.stable_ref, rollout.stable, rollout.namespace)
    )


def _names_pool(ref: str, pool: Pool, namespace: str) -> bool:
    """Say whether a backendRef in a namespace is that pool's: a roll back may put it back as it is written there."""
    try:
        document = json.loads(ref) if len(ref) <= LONGEST_TEXT else None
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict) or document.get("kind") != "InferencePool":
        return False
    return (document.get("group"), document.get("namespace") or namespace, document.get("name")) == (
        pool.group,
        pool.namespace,
        pool.name,
    )


def _is_drift(drift: Drift, rollout: Rollout) -> bool:
    weights = [
        weight for pair in drift.found if isinstance(pair, Pair) for weight in (pair.stable, pair.canary, pair.mirror)
    ]
    is_known = drift.hand.at is None or _is_time(drift.hand.at)
    names = (drift.hand.manager, drift.hand.rule)
    return (
        len(drift.found) == len(rollout.rules)
        and _are_weights(weights)
        and is_known
        and all(len(name) <= LONGEST_TEXT for name in names)
    )


def _are_weights(weights: Iterable[int | None]) -> bool:
    return all(weight is None or 0 <= weight <= HEAVIEST * MOST_REFS for weight in weights)


def _is_time(time: datetime) -> bool:
    return time.tzinfo is not None and _FIRST <= time < _LAST

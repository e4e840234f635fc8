"""The first decision of a rollout."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import Request, StartWords
from bot.domain.deadlines import next_look
from bot.domain.decisions.moves import LONGEST_WHY, Moment
from bot.domain.errors import UserError
from bot.domain.events import Event, EventKind
from bot.domain.gate import Verdict
from bot.domain.plan import Plan
from bot.domain.rollout import SLOTLESS, Ask, Change, Phase, Pool, Rollout, Rule

MOST_WARNINGS: Final = 12
"""A start tells so many warnings; `check` lists them all."""


def rollout_id(delivery: str) -> str:
    """Derive a rollout's id from the delivery of its start, so that one delivery cannot make two rollouts."""
    return "r-" + hashlib.sha256(delivery.encode()).hexdigest()[:8]


def is_rollout_id(word: str) -> bool:
    """Say whether a word can only be meant as the id of a rollout."""
    return re.fullmatch(r"r-[0-9a-f]{8}", word) is not None


def is_in_the_way(rollout: Rollout, pool: str, words: StartWords) -> bool:
    """Say whether an active rollout on that route moves, up or down, the pool that ``words`` would start."""
    is_its_pool = pool in (rollout.canary.name, rollout.stable.name)
    is_there = words.namespace in ("", rollout.canary.namespace) and words.route in (
        "",
        rollout.route,
        f"{rollout.namespace}/{rollout.route}",
    )
    return rollout.phase not in SLOTLESS and is_its_pool and is_there


def require_channel(name: str, origin: Origin) -> None:
    """Raise UserError if a start in Slack has no channel for its card; in a terminal it needs none."""
    if origin.channel or origin.surface is Surface.TERMINAL:
        return
    where = "from the home tab" if origin.surface is Surface.HOME else "in a direct message"
    raise UserError(f"You can't `{name}` {where}: its card needs a channel.", hint="Type it where the team sees it.")


def start(
    request: Request,
    plan: Plan,
    moment: Moment,
    *,
    route: tuple[str, str, str],
    stable: Pool,
    canary: Pool,
    rules: tuple[Rule, ...],
    warnings: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
    before: Rollout | None = None,
    held: Verdict | None = None,
) -> Change:
    """Begin a rollout on ``route`` (namespace, name, uid): the first weight, the question for it, or a hold.

    ``held`` is what gates that say wait have found.
    """
    asks = plan.needs_approval(0, plan.steps[0])
    waits = asks or held is not None
    namespace, name, uid = route
    to = Rollout(
        id=rollout_id(request.delivery),
        channel=request.origin.channel,
        started_by=request.by,
        started_at=_began(moment, before),
        reason=request.command.reason,
        namespace=namespace,
        route=name,
        route_uid=uid,
        stable=stable,
        canary=canary,
        rules=rules,
        plan=plan,
        phase=Phase.AWAITING_APPROVAL if asks else Phase.HOLDING if held else Phase.STARTING,
        since=moment.now,
        step=-1 if waits else 0,
        base=-1,
        revision=1,
        decision=moment.decision,
        decided_at=moment.now,
        turn=1,
        by=request.by,
        why=held.reason[:LONGEST_WHY] if held else "",
        held_by=held.gates if held else (),
        ask=Ask(id=moment.decision, step=0) if asks else None,
        known=known,
    )
    return Change(after=to, events=_told(to, moment, warnings), due=next_look(to, moment.now) if waits else None)


def _began(moment: Moment, before: Rollout | None) -> datetime:
    """Return when it began: after the rollout before it on the route, even if another clock timed that one."""
    return max(moment.now, before.started_at + timedelta(milliseconds=1)) if before else moment.now


def _told(to: Rollout, moment: Moment, warnings: tuple[str, ...]) -> tuple[Event, ...]:
    started = Event(kind=EventKind.STARTED, at=moment.now, by=moment.by, weight=to.weight, reason=to.reason)
    warned = [
        Event(kind=EventKind.WARNED, at=moment.now, weight=to.weight, reason=text)
        for text in _few(warnings, to.canary.name)
    ]
    return (started, *warned, *_waits(to, moment))


def _waits(to: Rollout, moment: Moment) -> tuple[Event, ...]:
    match to.phase:
        case Phase.AWAITING_APPROVAL:
            return (Event(kind=EventKind.APPROVAL_WANTED, at=moment.now, by=moment.by, weight=to.plan.steps[0]),)
        case Phase.HOLDING:
            return (Event(kind=EventKind.HELD, at=moment.now, weight=to.weight, reason=to.why),)
        case _:
            return ()


def _few(warnings: tuple[str, ...], pool: str) -> tuple[str, ...]:
    if len(warnings) <= MOST_WARNINGS:
        return warnings
    left = len(warnings) - MOST_WARNINGS + 1
    return *warnings[: MOST_WARNINGS - 1], f"{left} more warnings: `check {pool}` lists them all."

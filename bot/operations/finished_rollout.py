"""Which finished rollout people mean when they have its old pool deleted."""

from bot.domain.commands.request import STATUS, Command, Where
from bot.domain.errors import NotHereError, UsageError
from bot.domain.operation import NewOperation
from bot.domain.rollout import Phase, Rollout
from bot.operations.executor import Tools


def finished_rollout(asked: NewOperation, tools: Tools) -> Rollout:
    """Return the rollout whose old pool is meant: by either pool's name, else the channel's only finished one."""
    where = Where.of(asked.parameters.get("route", ""), asked.parameters.get("namespace", ""))
    found = [
        rollout
        for rollout in (entry.rollout for entry in tools.rollouts.under_way())
        if rollout.phase is Phase.FINISHED and where.fits(rollout) and _is_meant(rollout, asked)
    ]
    if len(found) > 1:
        names = ", ".join(f"`{each.stable.name}` (route `{each.namespace}/{each.route}`)" for each in found)
        raise UsageError("Several rollouts are finished.", hint=f"Name the pool or the route: {names}.")
    if found:
        return found[0]
    rollout = _last(asked, where, tools)
    if rollout.phase is Phase.CLEANED:  # its deletion may have stopped half way
        return rollout
    may_finish = "" if rollout.is_over else " `finish` ends one once it has all the traffic."
    raise UsageError(
        f"The rollout to `{rollout.canary.name}` is {rollout.phase.value.replace('_', ' ')}.",
        hint=f"Only the old pool of a finished rollout can be deleted.{may_finish}",
    )


def _last(asked: NewOperation, where: Where, tools: Tools) -> Rollout:
    """Return the rollout that the words name; an old pool's name means the channel's last one, if it was that one's."""
    try:
        return tools.rollouts.find(Command(verb=STATUS, subject=asked.subject, where=where), asked.channel).rollout
    except NotHereError:
        rollout = tools.rollouts.find(Command(verb=STATUS, subject="", where=where), asked.channel).rollout
        if rollout.stable.name != asked.subject:
            raise
        return rollout


def _is_meant(rollout: Rollout, asked: NewOperation) -> bool:
    if not asked.subject:
        return asked.channel in ("", rollout.channel)
    return asked.subject in (rollout.canary.name, rollout.stable.name, rollout.id)

"""Somebody else changed our weights: stop and say who and what; then a person restores ours or adopts theirs."""

from dataclasses import replace

from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, after, end, event, go_on, pause
from bot.domain.errors import TransitionError
from bot.domain.events import EventKind
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.rollout import Change, Drift, Entry, Hand, Pair, Phase, Rollout, wanted

FIGHT_AFTER = 2
"""After this many restores that the same field manager undid, it is a fight."""


def drifted(entry: Entry, hand: Hand, found: tuple[Pair | None, ...], moment: Moment) -> Change:
    """Pause because somebody else set the weights, and leave them. People hear of the same one only once."""
    change = pause(entry, "", moment, kind=EventKind.DRIFTED)
    # A button that was drawn for other weights is stale, even if phase and step stay.
    to = replace(change.after, drift=Drift(hand=hand, found=found), overwrites=None, turn=entry.rollout.turn + 1)
    to = replace(to, why=say_drift(to))
    before = entry.rollout.drift
    told = () if before and before.hand.manager == hand.manager else (replace(change.events[0], reason=to.why),)
    return replace(change, after=to, events=told)


def not_back(entry: Entry, hand: Hand, found: tuple[Pair | None, ...], moment: Moment) -> Change:
    """End a rollout whose note, the only thing left, says that it is back while the weights are not; write nothing."""
    change = end(entry, "", moment)
    to = replace(change.after, drift=Drift(hand=hand, found=found))
    why = f"The note on the route says that it was rolled back, but the weights (old/new) are {show_weights(found)}."
    to = replace(to, why=f"{why} I changed nothing; `rollback` still works.")
    return replace(change, after=to, events=(replace(change.events[0], reason=to.why),))


def is_fight(rollout: Rollout) -> bool:
    """Say whether whoever drifted has undone two restores already."""
    drift = rollout.drift
    return drift is not None and rollout.restored.count(drift.hand.manager) >= FIGHT_AFTER


def say_drift(rollout: Rollout) -> str:
    """Say who changed what; in a fight, also what ends it. Empty if nothing drifted."""
    drift = rollout.drift
    if drift is None:
        return ""
    manager = drift.hand.manager
    who = f"`{manager}`" if manager else "Somebody"
    if not is_fight(rollout):
        return f"{who} {_did(rollout, drift)}."
    them = f"`{manager}`" if manager else "somebody"
    rule = drift.hand.rule or "Find out who it is, and have it leave the route's backendRefs alone."
    return f"You are fighting {them}, which undid {FIGHT_AFTER} restores ({_did(rollout, drift)}). {rule}"


def say_why(rollout: Rollout) -> str:
    """Say why a rollout waits: the reason somebody gave, and the drift that paused it."""
    drift = say_drift(rollout)
    return " ".join(dict.fromkeys(filter(None, (rollout.why, drift))))


def _did(rollout: Rollout, drift: Drift) -> str:
    before = wanted(rollout)
    if drift.found == before:
        return "changed the bot's note on the route, or put the weights back: they are as before"
    was, found = show_weights(before), show_weights(drift.found)
    return f"changed the weights (old/new): {was} before, {found} now"


def show_weights(pairs: tuple[Pair | None, ...]) -> str:
    """Write each different pair once, like ``90/10``; a pool that is not on the route is a dash."""
    return ", ".join(dict.fromkeys(_pair(pair) for pair in pairs))


def _pair(pair: Pair | None) -> str:
    if pair is None:
        return "the rule is gone"
    weights = "/".join("–" if weight is None else str(weight) for weight in (pair.stable, pair.canary))
    return weights if pair.mirror is None else f"{weights} and {pair.mirror} % mirrored"


def share(drift: Drift) -> int | None:
    """Return the canary's percent on the route; None if the rules differ, or one lacks a pool."""
    shares = {_share(pair) for pair in drift.found}
    return shares.pop() if len(shares) == 1 else None


def _share(pair: Pair | None) -> int | None:
    if pair is None or pair.stable is None or pair.canary is None or pair.stable + pair.canary == 0:
        return None
    percent = 100 * pair.canary / (pair.stable + pair.canary)
    return min(max(round(percent), 1), 99) if 0 < percent < 100 else round(percent)


def raises_over(rollout: Rollout, drift: Drift) -> bool:
    """Say whether our weights put more on the canary than the weights that we found."""
    if rollout.step < 0 and not any(rule.canary_before for rule in rollout.rules):
        return False
    theirs = share(drift)
    return theirs is None or rollout.weight > theirs


def lacks_to_adopt(rollout: Rollout) -> str:
    """Say why the weights on the route cannot become a step; empty if they can."""
    found = rollout.drift.found if rollout.drift else ()
    if any(pair is not None and (pair.stable or 0) + (pair.canary or 0) == 0 for pair in found):
        return "A rule of the route gives neither pool any weight, so nobody gets an answer"
    theirs = share(rollout.drift) if rollout.drift else None
    if theirs is None:
        return "Adopt needs both pools in every rule, with the same split, and the route does not have that"
    if theirs == 0:
        return "The new pool has no traffic now"
    if rollout.plan.needs_approval(rollout.weight, theirs):
        return f"{theirs} % reaches a weight that people have to approve"
    return ""


def lacks_to_restore(rollout: Rollout) -> str:
    """Say why our weights cannot be written again; empty if they can."""
    found = rollout.drift.found if rollout.drift else ()
    if any(pair is None or pair.stable is None for pair in found):
        return "A rule of the rollout, or the old pool in it, is gone from the route"
    return ""


def restore(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    """Write our weights again and go on. Raises TransitionError if there is no place for them, and where that would
    raise a canary that cannot serve.
    """
    rollout = entry.rollout
    drift = _drift_of(rollout)
    if lack := lacks_to_restore(rollout):
        raise TransitionError(f"{lack}.", hint="Put it back and try again; `rollback` works too.")
    if raises_over(rollout, drift) and verdict.answer is not GateAnswer.PASS:
        raise TransitionError(verdict.reason, hint="Traffic stays as it is; try again when that is fixed.")
    change = go_on(entry, moment)
    to = replace(change.after, overwrites=drift, restored=(*rollout.restored, drift.hand.manager))
    told = replace(event(EventKind.RESTORED, moment, rollout, request.command.reason), weight=rollout.weight)
    # The weights are written, and the time counts from their acceptance.
    return replace(change, after=to, events=(told, *change.events), due=None)


def adopt(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    """Make the weights on the route the current step. Raises TransitionError if they cannot be one."""
    rollout = entry.rollout
    drift = _drift_of(rollout)
    if lack := lacks_to_adopt(rollout):
        raise TransitionError(f"{lack}.", hint=f"`restore` writes {rollout.weight} % again; `rollback` works too.")
    theirs = share(drift) or 0
    taken = rollout.plan.steps[: rollout.step + 1]  # a step that their weight skips will never be taken
    steps = tuple(sorted({*taken, theirs, *(step for step in rollout.plan.steps if step > theirs)}))
    step = steps.index(theirs)
    phase = Phase.PROMOTED if theirs == 100 else Phase.PROGRESSING
    plan = replace(rollout.plan, steps=steps, mirror=rollout.plan.mirror if steps[0] == 0 else 0)
    to = after(entry, moment, phase=phase, plan=plan, step=step, ask=None, left=None, why="")
    to = replace(to, base=step, since=moment.now, turn=rollout.turn + 1)
    return Change(after=to, events=(event(EventKind.KEPT, moment, to, request.command.reason),))


def _drift_of(rollout: Rollout) -> Drift:
    if rollout.drift is None:
        raise TransitionError(
            f"Nobody else has changed the weights of `{rollout.canary.name}`.", hint="`resume` goes on."
        )
    return rollout.drift

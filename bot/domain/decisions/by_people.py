"""What people decide: an entry and a request become the next decision, if the verb fits."""

from bot.domain.commands.request import ROLLBACK, Request
from bot.domain.decisions.moves import Moment
from bot.domain.errors import SlotTakenError, StaleError, TransitionError, UsageError
from bot.domain.gate import Finding, GateAnswer, Verdict
from bot.domain.rollout import SLOTLESS, Change, Entry, Phase, Rollout
from bot.domain.verbs.declaration import Verb
from bot.domain.verbs.registry import verb_of, what_works_now


def require_fit(entry: Entry, request: Request) -> None:
    """Raise StaleError or TransitionError if the verb cannot be carried out now."""
    verb, rollout = verb_of(request.command.verb), entry.rollout
    if request.turn is not None and not verb.is_brake:
        require_turn(rollout, request.turn)
    if _is_overtaken(rollout, request):
        raise StaleError(
            f"The rollout has moved on since you asked: {_now(rollout)}.", hint="Type it again if you still want it."
        )
    if not verb.fits(rollout):
        raise unfit(verb, rollout)


def require_turn(rollout: Rollout, turn: int) -> None:
    """Raise StaleError if phase or step have moved since a button was drawn in ``turn``."""
    if turn != rollout.turn:
        raise StaleError(
            f"The rollout has moved on since that button was drawn: {_now(rollout)}.",
            hint="Press again if you still want it.",
        )


def _now(rollout: Rollout) -> str:
    return f"`{rollout.canary.name}` is {describe(rollout)} now"


def unfit(verb: Verb, rollout: Rollout) -> TransitionError:
    """Say that a verb cannot be carried out now, and what works instead."""
    return TransitionError(
        f"You can't {verb.spoken or verb.name} now: `{rollout.canary.name}` is {describe(rollout)}.",
        hint=what_works_now(rollout),
    )


def decide(entry: Entry, request: Request, verdict: Verdict | None, moment: Moment) -> Change:
    """Return the decision of a person's verb about a rollout. ``verdict`` is given for verbs that raise.

    Raises StaleError, TransitionError, NotAllowedError, UsageError; nothing has changed then.
    """
    require_fit(entry, request)
    verb, command = verb_of(request.command.verb), request.command
    if verb.needs_reason and not command.reason:
        raise UsageError(f"`{verb.name}` needs a reason.", hint=f"Say why, as in `{verb.name} POOL latency doubled`.")
    unasked = Verdict(findings=(Finding(gate="gates", answer=GateAnswer.HOLD, reason="The gates gave no answer."),))
    return verb.decide(entry, request, verdict or unasked, moment)


def describe(rollout: Rollout) -> str:
    """Say phase and weight: ``paused at 25 %``; no weight if somebody else has set another one."""
    phase = rollout.phase.value.replace("_", " ")
    return phase if rollout.is_over or rollout.drifted else f"{phase} at {rollout.weight} %"


def slot_taken(holder: Rollout) -> SlotTakenError:
    """Say which rollout has the route that a start wants."""
    ending = holder.phase in SLOTLESS
    return SlotTakenError(
        f"The route already has rollout `{holder.id}` of `{holder.canary.name}`, {describe(holder)}.",
        hint="Its end is being written: try again in a minute." if ending else "`rollback` or `end` it first.",
    )


def followed(rollout: Rollout) -> TransitionError:
    """Say that a newer rollout followed this one on its route."""
    return TransitionError(
        f"A newer rollout came after `{rollout.canary.name}` on this route.",
        hint=f"Roll back the newer one, or `start {rollout.stable.name} 100` if that is over.",
    )


def is_fulfilled(entry: Entry, request: Request) -> bool:
    """Say whether a roll back was decided since this request: from the route, while the store was away."""
    rollout = entry.rollout
    is_brake = request.command.verb == ROLLBACK and rollout.phase is Phase.ROLLED_BACK
    return is_brake and request.at < rollout.decided_at


def _is_overtaken(rollout: Rollout, request: Request) -> bool:
    """Say whether typed words came so late that they would now mean another approval or another step."""
    outdated_by = verb_of(request.command.verb).outdated_by
    return request.turn is None and outdated_by is not None and request.at < outdated_by(rollout)

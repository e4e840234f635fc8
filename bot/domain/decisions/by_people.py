"""What people decide: one function a verb, from an entry and a request to the next decision."""

from collections.abc import Callable
from dataclasses import replace

from bot.domain.commands.request import BRAKES, Request, Verb
from bot.domain.deadlines import next_look
from bot.domain.decisions.drift import adopt, restore, say_drift
from bot.domain.decisions.moves import (
    Moment,
    after,
    end,
    event,
    finish,
    go_on,
    hold,
    is_approved,
    pause,
    roll_back,
    roll_back_again,
    step_or_ask,
    take_step,
)
from bot.domain.errors import NotAllowedError, SlotTakenError, StaleError, TransitionError, UsageError
from bot.domain.events import EventKind
from bot.domain.gate import Finding, GateAnswer, Verdict
from bot.domain.rollout import OVER, SLOTLESS, Acceptance, Ask, Change, Entry, Phase, Rollout

ALLOWED: dict[Verb, frozenset[Phase]] = {
    Verb.APPROVE: frozenset({Phase.AWAITING_APPROVAL}),
    Verb.REJECT: frozenset({Phase.AWAITING_APPROVAL}),
    Verb.PAUSE: frozenset({Phase.STARTING, Phase.PROGRESSING, Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PROMOTED}),
    Verb.RESUME: frozenset({Phase.PAUSED}),
    Verb.ADVANCE: frozenset({Phase.PROGRESSING, Phase.HOLDING}),
    Verb.PROMOTE: frozenset({Phase.PROGRESSING, Phase.HOLDING, Phase.AWAITING_APPROVAL}),
    Verb.RESTORE: frozenset({Phase.PAUSED}),
    Verb.ADOPT: frozenset({Phase.PAUSED}),
    Verb.FINISH: frozenset({Phase.PROMOTED}),
    Verb.ROLLBACK: frozenset(Phase) - {Phase.REFUSED, Phase.CLEANED},
    Verb.END: frozenset(Phase) - OVER,
}

RAISES = frozenset({Verb.APPROVE, Verb.ADVANCE, Verb.PROMOTE, Verb.RESUME, Verb.RESTORE})
"""Verbs that may raise the canary, so the gates are asked before they are decided."""

INSTEAD: dict[Phase, str] = {
    Phase.STARTING: "Wait for the gateway to accept the first weight, or `rollback`.",
    Phase.PROGRESSING: "`pause`, `advance`, `promote`, `rollback` and `end` work now.",
    Phase.HOLDING: "`why` says what it waits for; `pause`, `rollback` and `end` work now.",
    Phase.AWAITING_APPROVAL: "`approve`, `reject`, `pause`, `rollback` and `end` work now.",
    Phase.PAUSED: "`resume`, `rollback` and `end` work now.",
    Phase.PROMOTED: "`finish`, `pause`, `rollback` and `end` work now.",
    Phase.FINISHED: "`rollback` and `end` work now.",
    Phase.CLEANED: "The old pool is gone: start a rollout the other way.",
    Phase.ROLLED_BACK: "`start` it again when the new pool is ready.",
    Phase.ENDED: "`start` a new rollout; `rollback` still puts the old weights back.",
    Phase.REFUSED: "Nothing was changed: mend what it names and `start` again.",
}

INSTEAD_OF_RESUME = "`restore` writes {weight} % again, `adopt` goes on from what is there; `rollback` works too."


def require_fit(entry: Entry, request: Request) -> None:
    """Raise StaleError or TransitionError where a verb does not fit what is true now."""
    verb, rollout = request.command.verb, entry.rollout
    if request.turn is not None and verb not in BRAKES and request.turn != rollout.turn:
        now = f"`{rollout.canary.name}` is {describe(rollout)} now"
        raise StaleError(
            f"The rollout has moved on since that button was drawn: {now}.",
            hint="Press again if you still want it.",
        )
    if _is_overtaken(rollout, request):
        raise StaleError(
            f"The rollout has moved on since you asked: `{rollout.canary.name}` is {describe(rollout)} now.",
            hint="Type it again if you still want it.",
        )
    if rollout.phase not in ALLOWED[verb] and not _finishes_paused(verb, rollout):
        raise TransitionError(
            f"You can't `{verb.value}` now: `{rollout.canary.name}` is {describe(rollout)}.",
            hint=INSTEAD[rollout.phase],
        )


def decide(entry: Entry, request: Request, verdict: Verdict | None, moment: Moment) -> Change:
    """Return what a person's verb makes of a rollout. ``verdict`` is there for the verbs of RAISES.

    Raises StaleError, TransitionError, NotAllowedError, UsageError; nothing has changed then.
    """
    require_fit(entry, request)
    unasked = Verdict(findings=(Finding(gate="gates", answer=GateAnswer.HOLD, reason="The gates gave no answer."),))
    return VERBS[request.command.verb](entry, request, verdict or unasked, moment)


def describe(rollout: Rollout) -> str:
    """Say phase and weight: ``paused at 25 %``."""
    phase = rollout.phase.value.replace("_", " ")
    return phase if rollout.is_over else f"{phase} at {rollout.weight} %"


def slot_taken(holder: Rollout) -> SlotTakenError:
    """Say who has a route that is wanted."""
    ending = holder.phase in SLOTLESS
    return SlotTakenError(
        f"The route already has rollout `{holder.id}` of `{holder.canary.name}`, {describe(holder)}.",
        hint="Its end is being written: try again in a minute." if ending else "`rollback` or `end` it first.",
    )


def followed(rollout: Rollout) -> TransitionError:
    """Say that a rollout is not the last one of its route any more."""
    return TransitionError(
        f"A newer rollout came after `{rollout.canary.name}` on this route.", hint="Roll back the newer one."
    )


def is_fulfilled(entry: Entry, request: Request) -> bool:
    """Say whether a roll back was decided after this one was asked for: from the route, while the store was away."""
    rollout = entry.rollout
    is_brake = request.command.verb is Verb.ROLLBACK and rollout.phase is Phase.ROLLED_BACK
    return is_brake and request.at < rollout.decided_at


def _is_overtaken(rollout: Rollout, request: Request) -> bool:
    """Say whether typed words were held up until they would mean another approval, or another step, than they did."""
    verb = request.command.verb
    if request.turn is not None or verb not in RAISES | {Verb.ADOPT, Verb.REJECT}:
        return False
    return request.at < (rollout.since if verb in (Verb.APPROVE, Verb.REJECT) else rollout.decided_at)


def _finishes_paused(verb: Verb, rollout: Rollout) -> bool:
    """Say whether finish takes up a bake that was paused."""
    paused = rollout.phase is Phase.PAUSED and rollout.left is Phase.PROMOTED
    return verb is Verb.FINISH and paused and not rollout.drifted


def _approve(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    ask = _approved(entry.rollout, request.by)
    to = after(entry, moment, ask=ask)
    told = replace(event(EventKind.APPROVED, moment, to, request.command.reason), weight=to.plan.steps[ask.step])
    if not is_approved(to, ask.step):
        return Change(after=to, events=(told,), due=next_look(to, moment.now))
    given = replace(entry, rollout=replace(entry.rollout, ask=ask))
    change = _go(given, ask.step, verdict, moment)
    return replace(change, events=(told, *change.events))


def _approved(rollout: Rollout, user: str) -> Ask:
    ask = rollout.ask
    if ask is None:
        raise TransitionError(f"`{rollout.canary.name}` asks for no approval now.", hint=INSTEAD[rollout.phase])
    if user == rollout.started_by and not rollout.plan.requester_may_approve:
        raise NotAllowedError("You started this rollout, so your approval does not count.", hint="Ask a colleague.")
    if user in ask.approvals:
        raise TransitionError("You have approved this step already.", hint="One more person has to.")
    return replace(ask, approvals=(*ask.approvals, user))


def _go(entry: Entry, step: int, verdict: Verdict, moment: Moment) -> Change:
    """Take an approved step, or hold it, still approved, while a gate says wait."""
    if verdict.answer is not GateAnswer.PASS:
        return hold(entry, verdict.reason, moment, gates=verdict.gates)
    missing = _not_settled(entry)
    return hold(entry, missing, moment) if missing else take_step(entry, step, moment)


def _not_settled(entry: Entry) -> str:
    """Say what is missing before another step may be decided; empty where nothing is."""
    if not entry.is_applied:
        return "The last change is not on the route yet."
    if entry.acceptance is Acceptance.WAITING:
        return "The gateway has not accepted the last weight yet."
    return ""


def _reject(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    if not request.command.reason:
        raise UsageError("A rejection needs a reason.", hint="Say why, as in `reject POOL latency doubled`.")
    return pause(entry, f"Rejected: {request.command.reason}", moment, kind=EventKind.REJECTED)


def _pause(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    return pause(entry, request.command.reason, moment)


def _resume(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    rollout = entry.rollout
    if rollout.drifted:
        raise TransitionError(say_drift(rollout), hint=INSTEAD_OF_RESUME.format(weight=rollout.weight))
    if rollout.step < 0:
        _require_pass(verdict)
    change = go_on(entry, moment)
    return replace(change, events=(event(EventKind.RESUMED, moment, rollout, request.command.reason), *change.events))


def _advance(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    return _raise_to(entry, entry.rollout.step + 1, request, verdict, moment)


def _promote(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    last = len(entry.rollout.plan.steps) - 1
    if entry.rollout.ask is not None and entry.rollout.ask.step == last:
        raise TransitionError("100 % is asked for already.", hint="It waits for `approve`.")
    return _raise_to(entry, last, request, verdict, moment)


def _raise_to(entry: Entry, step: int, request: Request, verdict: Verdict, moment: Moment) -> Change:
    missing = _not_settled(entry)
    if missing:
        raise TransitionError(missing, hint="Try again in a moment, or `pause`.")
    _require_pass(verdict)
    return step_or_ask(entry, step, moment, request.command.reason)


def _require_pass(verdict: Verdict) -> None:
    if verdict.answer is not GateAnswer.PASS:
        raise TransitionError(verdict.reason, hint="Traffic stays as it is; try again when that is mended.")


def _roll_back(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    if entry.rollout.phase is Phase.ROLLED_BACK:
        return roll_back_again(entry, request.command.reason, moment)
    return roll_back(entry, request.command.reason, moment)


def _finish(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    if not entry.is_applied:
        raise TransitionError("100 % is not on the route yet.", hint="Try again in a moment.")
    return finish(entry, request.command.reason, moment)


def _end(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    return end(entry, request.command.reason, moment)


VERBS: dict[Verb, Callable[[Entry, Request, Verdict, Moment], Change]] = {
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.ADVANCE: _advance,
    Verb.PROMOTE: _promote,
    Verb.RESTORE: restore,
    Verb.ADOPT: adopt,
    Verb.ROLLBACK: _roll_back,
    Verb.FINISH: _finish,
    Verb.END: _end,
}

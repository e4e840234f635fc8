"""What verbs that raise the canary share."""

from datetime import datetime, timedelta
from typing import Final

from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, must_ask, step_or_ask
from bot.domain.errors import TransitionError
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.rollout import Acceptance, Change, Entry, Phase, Rollout
from bot.domain.weights import mirrored

LATE_AFTER: Final = timedelta(minutes=5)
"""People who asked longer ago than this may no longer be watching the step."""


def last_decision(rollout: Rollout) -> datetime:
    """Return when the last decision was made: older words meant another step."""
    return rollout.decided_at


def raise_to(entry: Entry, step: int, request: Request, verdict: Verdict, moment: Moment) -> Change:
    """Take a step up now, or ask people for it. Raises TransitionError."""
    if missing := not_settled(entry):
        raise TransitionError(missing, hint="Try again in a moment, or `pause`.")
    if entry.rollout.phase is Phase.HOLDING and verdict.answer is GateAnswer.HOLD:
        raise TransitionError(verdict.reason, hint="It goes on by itself when that is fixed.")
    require_pass(verdict)
    return step_or_ask(entry, step, moment, request.command.reason)


def not_settled(entry: Entry) -> str:
    """Say what must happen before another step; empty if nothing."""
    if not entry.is_applied:
        return "The last change is not on the route yet."
    if entry.acceptance is Acceptance.WAITING:
        return "The gateway has not accepted the last weight yet."
    return ""


def require_pass(verdict: Verdict) -> None:
    """Raise TransitionError if the gates do not let the canary get more."""
    if verdict.answer is not GateAnswer.PASS:
        raise TransitionError(verdict.reason, hint="Traffic stays as it is; try again when that is fixed.")


def last_step(rollout: Rollout) -> int:
    """Return the index of 100 %."""
    return len(rollout.plan.steps) - 1


def go_or_ask(lead: str, rollout: Rollout, step: int) -> str:
    """Say what a button does: if people have to approve first, it only asks them."""
    goal = mirrored(rollout) if rollout.plan.mirror and step == 0 else f"{rollout.plan.steps[step]} %"
    return f"{'Ask for' if must_ask(rollout, step) else lead} {goal}"

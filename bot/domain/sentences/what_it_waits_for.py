"""Why a rollout waits, who can end the wait, and what happens if nobody does.

Promise 7: every wait has a reason, a person who can end it, and a deadline. ``why`` says all three.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.access import Access
from bot.domain.deadlines import (
    ACCEPT_WITHIN,
    APPROVE_WITHIN,
    ASK_GATES_EVERY,
    DAY,
    REMIND_EVERY,
    WRITE_WITHIN,
    hold_lasts,
)
from bot.domain.decisions.by_cluster import can_go_without_stable
from bot.domain.decisions.by_route import raises
from bot.domain.decisions.drift import lacks_to_adopt, lacks_to_restore, say_why
from bot.domain.prose import Prose, capitalised, ended, joined, listed, moment, say
from bot.domain.rollout import HAS_WAY_BACK, TAKEN_BACK, Acceptance, Entry, Phase, Rollout
from bot.domain.sentences.gates import hold_reason, keeps_stable, keeps_stable_until
from bot.domain.sentences.reasons import reason
from bot.domain.sentences.traffic import listed_routes
from bot.domain.sentences.who_may import (
    approvers,
    brakes,
    by,
    can,
    count_approvals,
    missing_approvals,
    or_brakes,
    people,
    still_brakes,
    who,
)
from bot.domain.weights import asked_weight, mirrored, next_weight, weight_there


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a rollout waits for.

    ``reason``, ``who`` and ``then`` are our words; ``said`` is in the words of ``said_by``, or if that is empty, of
    a gate, the gateway or the API server. ``deadline`` None: nothing more will happen, or it is tried for ever.
    """

    reason: Prose
    since: datetime
    who: Prose
    deadline: datetime | None
    then: Prose
    said: str = ""
    said_by: str = ""


def waits(entry: Entry, access: Access) -> Wait:
    """Say what a rollout waits for in the phase it is in; an unwritten decision comes before the phase."""
    if not entry.is_applied:
        return _for_the_route(entry, access)
    return _WAITS[entry.rollout.phase](entry, access)


def why(wait: Wait) -> Prose:
    """Write a wait in a sentence or two."""
    said = reason(wait.said, wait.said_by)
    since = say("{} (since {})", wait.reason, moment(wait.since))
    told = say("{}: {}", since, ended(said)) if said else say("{}.", since)
    then = wait.then
    if then and wait.deadline is not None:
        then = say("{} {}.", then, moment(wait.deadline))
    return joined(" ", (told, wait.who, then))


def _for_the_route(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    deadline, then = _until_written(entry, access)
    return Wait(
        reason=say("It waits for the route: {}", _unwritten(entry)),
        since=entry.trouble.since if entry.trouble else rollout.decided_at,
        who=brakes(access) if rollout.phase in HAS_WAY_BACK else Prose(),
        deadline=deadline,
        then=then,
        said=entry.trouble.reason if entry.trouble else "",
    )


def _until_written(entry: Entry, access: Access) -> tuple[datetime | None, Prose]:
    """Say what ends the wait for the route; some phases end in their own time too, written or not."""
    rollout = entry.rollout
    if raises(rollout):
        then = say("I keep trying, and take it back if the gates do not pass")
        return rollout.decided_at + WRITE_WITHIN, then
    again = say("I keep trying until it is written.")
    if rollout.phase not in (Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PAUSED):
        return None, again
    own = _WAITS[rollout.phase](entry, access)
    return own.deadline, say("{} {}", again, own.then)


def _unwritten(entry: Entry) -> Prose:
    """Say what we want on the route and do not know to be there."""
    rollout, there = entry.rollout, weight_there(entry)
    if not rollout.hands_off and rollout.weight != there:
        return say("{} % is wanted, {} % is known to be there", rollout.weight, there)
    if rollout.phase in TAKEN_BACK:
        return say("the roll back is not written yet")
    if rollout.phase is Phase.FINISHED:
        return say("the old pool is not known to be off it yet")
    return say("the bot's note on it is not written yet")


def _starting(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    first = mirrored(rollout) if rollout.mirror else say("the first {} %", rollout.weight)
    return _for_the_gateway(entry, access, first)


def _for_the_gateway(entry: Entry, access: Access, what: Prose) -> Wait:
    since = entry.applied.at if entry.applied else entry.rollout.since
    return Wait(
        reason=say("It waits for the gateway to accept {}", what),
        since=since,
        who=brakes(access),
        deadline=since + ACCEPT_WITHIN,  # not its due time, which is only the next look
        then=say("If the gateway has not answered, it goes on"),
    )


def _progressing(entry: Entry, access: Access) -> Wait:
    rollout, after = entry.rollout, next_weight(entry.rollout)
    here = mirrored(rollout) if rollout.mirror else say("{} %", rollout.weight)
    waits_at = say("It copies {} % of the requests", rollout.mirror) if rollout.mirror else say("It waits at {}", here)
    if entry.acceptance is Acceptance.WAITING:
        return _for_the_gateway(entry, access, here)
    asks = rollout.plan.needs_approval(rollout.weight, after)
    return Wait(
        reason=say("{} before {} %", waits_at, after),
        since=rollout.since,
        who=or_brakes(access, say("{} can `advance` it now.", who(access.run))),
        deadline=entry.step_due or rollout.since + rollout.plan.interval,
        then=say("It {} {} %", "asks for approval of" if asks else "goes to", after),
    )


def _holding(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    return Wait(
        reason=say("It holds at {} %{}", rollout.weight, _for_gates(rollout.held_by)),
        since=rollout.since,
        who=say("I ask again every {}. {}", f"{ASK_GATES_EVERY.seconds} s", can(access, say("`pause`"))),
        deadline=rollout.since + hold_lasts(rollout.held_by),
        then=say("If it still has to wait, it pauses"),
        said=hold_reason(entry),
    )


def _for_gates(names: Sequence[str]) -> Prose:
    return say(" because of {}", listed([say("`{}`", name) for name in names], "and")) if names else Prose()


def _awaiting(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    missing = count_approvals(max(missing_approvals(rollout), 1))
    return Wait(
        reason=say("It waits for {} of {} %", missing, asked_weight(rollout)),
        since=rollout.since,
        who=_who_answers(rollout, access),
        deadline=rollout.since + APPROVE_WITHIN,
        then=say("It pauses"),
    )


def _who_answers(rollout: Rollout, access: Access) -> Prose:
    able = approvers(rollout, access, given=rollout.ask.approvals if rollout.ask else ())
    if able != people(access.approve):
        return say("{} can `approve` it; {} can `reject` it.", capitalised(able), people(access.approve))
    return say("{} can `approve` or `reject` it.", capitalised(able))


def _paused(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    return Wait(
        reason=say("It is paused because somebody else wrote to the route")
        if rollout.drifted
        else say("It is paused at {} %{}", rollout.weight, by(rollout.by)),
        since=rollout.since,
        who=_who_goes_on(rollout, access),
        deadline=_due(entry) or rollout.since + REMIND_EVERY,
        then=say("The next reminder comes"),
        said=say_why(rollout),
        said_by=rollout.by,
    )


def _who_goes_on(rollout: Rollout, access: Access) -> Prose:
    """Say who can end a pause; that somebody can put the route right is not the policy's to say."""
    if not rollout.drifted:
        promote = say("`promote`") if can_go_without_stable(rollout) else Prose()
        return can(access, say("`resume`"), promote, say("`end`"))
    restore = Prose() if lacks_to_restore(rollout) else say("`restore`")
    adopt = Prose() if lacks_to_adopt(rollout) else say("`adopt`")
    told = can(access, restore, adopt, say("`end`"))
    return told if restore or adopt else say("It goes on when the route is put right. {}", told)


def _promoted(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    if entry.acceptance is Acceptance.WAITING:
        return _for_the_gateway(entry, access, say("{} %", rollout.weight))
    if said := keeps_stable(entry):
        return _keeping_stable(entry, access, said)
    return Wait(
        reason=say("All traffic is on the new pool; `{}` is kept for the way back", rollout.stable.name),
        since=rollout.since,
        who=or_brakes(access, say("{} can `finish` it now, or `pause` it.", who(access.run))),
        deadline=entry.step_due or rollout.since + rollout.plan.bake,
        then=say("If the gates pass, it finishes"),
    )


def _keeping_stable(entry: Entry, access: Access, said: str) -> Wait:
    rollout = entry.rollout
    return Wait(
        reason=say("The bake is over, but `{}` stays on the route", rollout.stable.name),
        since=rollout.since + rollout.plan.bake,
        who=or_brakes(
            access,
            say(
                "I ask the gates again every {}. {} can `finish` or `pause` it.",
                f"{ASK_GATES_EVERY.seconds} s",
                who(access.run),
            ),
        ),
        deadline=keeps_stable_until(entry),
        then=say("If they still say wait, it pauses"),
        said=said,
    )


def _finished(entry: Entry, access: Access) -> Wait:
    rollout, left = entry.rollout, entry.left_on_stable
    is_reminded = entry.due is not None
    removal = say("it waits for somebody to remove the old pool `{}`", rollout.stable.name)
    if rollout.kept_until and not left:
        return Wait(
            reason=say("It is done; the old pool `{}` is kept for a while", rollout.stable.name),
            since=rollout.since,
            who=still_brakes(entry, access),
            deadline=rollout.kept_until,
            then=say("I ask whether to delete it"),
        )
    if left:
        removal = say("the old pool `{}` still has traffic from {}", rollout.stable.name, listed_routes(left))
    return Wait(
        reason=say("It is done; {}", removal),
        since=rollout.since,
        who=still_brakes(entry, access),
        deadline=(_due(entry) or rollout.since + DAY) if is_reminded else None,
        then=say("The next reminder comes")
        if is_reminded
        else say("No more reminders come; a new start on the route ends it."),
    )


def _due(entry: Entry) -> datetime | None:
    """Return its due time; None if that is only the next look for the gateway's word."""
    return None if entry.acceptance is Acceptance.WAITING else entry.due


def left_by_refusal(entry: Entry) -> Prose:
    """Say how the route is after a start that was taken back."""
    if entry.rollout.weight_at(-1) and weight_there(entry) == 0:
        return say("all traffic goes to `{}`", entry.rollout.stable.name)
    return say("the route is as it was")


def _over(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    words = {
        Phase.CLEANED: say("It is done and the old pool is removed"),
        Phase.ROLLED_BACK: say("It was rolled back; all traffic goes to `{}`", rollout.stable.name),
        Phase.ENDED: say("It was ended; the weights stay as they were then"),
        Phase.REFUSED: say("It was not started; {}", left_by_refusal(entry)),
    }
    # If nobody ended it, the route is gone or somebody else's.
    over = words[rollout.phase]
    if rollout.phase is Phase.ENDED and not rollout.by:
        over = say("It ended, and I no longer manage the route")
    return Wait(
        reason=over,
        since=rollout.since,
        who=still_brakes(entry, access),
        deadline=None,
        then=say("It waits for nothing."),
        said=rollout.why,
        said_by=rollout.by,
    )


_WAITS: dict[Phase, Callable[[Entry, Access], Wait]] = {
    Phase.STARTING: _starting,
    Phase.PROGRESSING: _progressing,
    Phase.HOLDING: _holding,
    Phase.AWAITING_APPROVAL: _awaiting,
    Phase.PAUSED: _paused,
    Phase.PROMOTED: _promoted,
    Phase.FINISHED: _finished,
    Phase.CLEANED: _over,
    Phase.ROLLED_BACK: _over,
    Phase.ENDED: _over,
    Phase.REFUSED: _over,
}

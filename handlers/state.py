"""What the card says first: where the rollout stands, what is next and when, in a sentence or two."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.access import Access
from bot.domain.deadlines import APPROVE_WITHIN, HOLD_AT_MOST
from bot.domain.decisions.by_route import raises
from bot.domain.decisions.drift import is_fight, lacks_to_adopt, lacks_to_restore, say_why
from bot.domain.rollout import TAKEN_BACK, Acceptance, Entry, Phase, Rollout
from bot.domain.waiting import (
    approvers,
    asked_weight,
    count_approvals,
    mention,
    missing_approvals,
    next_weight,
    people,
    weight_there,
)
from handlers.mrkdwn import WARNING, clean, clock, code, moment, to_the_second

SAID = 400
NEAR, FAR = timedelta(minutes=5), timedelta(hours=12)


def headword(entry: Entry) -> str:
    """Say in a word or two how it stands, for the card's title."""
    rollout = entry.rollout
    there = weight_there(entry)
    if rollout.drifted:
        return "paused"
    if is_moving(entry):
        return f"{there} % → {rollout.weight} %"
    return _HEADWORDS[rollout.phase].format(weight=rollout.weight, asked=asked_weight(rollout))


_HEADWORDS = {
    Phase.STARTING: "{weight} %",
    Phase.PROGRESSING: "{weight} %",
    Phase.HOLDING: "{weight} %, holding",
    Phase.AWAITING_APPROVAL: "{weight} %, wants {asked} %",
    Phase.PAUSED: "{weight} %, paused",
    Phase.PROMOTED: "100 %",
    Phase.FINISHED: "100 %, finished",
    Phase.CLEANED: "100 %, cleaned up",
    Phase.ROLLED_BACK: "rolled back",
    Phase.ENDED: "ended",
    Phase.REFUSED: "not started",
}


def is_moving(entry: Entry) -> bool:
    """Say whether another weight is wanted than the one that is known to be on the route."""
    rollout = entry.rollout
    if entry.is_applied or rollout.hands_off or rollout.phase is Phase.REFUSED:
        return False
    return weight_there(entry) != rollout.weight


def state(entry: Entry, access: Access) -> str:
    """Say where it stands; what is wanted but not on the route comes before everything else."""
    told = _moving(entry) if is_moving(entry) else _STATES[entry.rollout.phase](entry, access)
    return "\n".join(filter(None, [told, _trouble(entry)]))


def _moving(entry: Entry) -> str:
    rollout = entry.rollout
    there = weight_there(entry)
    if rollout.phase in TAKEN_BACK:
        reason = _said(" Reason: ", rollout.why, ".")
        return f"*Rolling back.* 0 % is wanted, the route had *{there} %* when last seen.{reason}"
    return f"*{rollout.weight} % is wanted*, the route had *{there} %* when last seen."


def _trouble(entry: Entry) -> str:
    """Say what does not get onto the route, or, after no attempt, what people must know of one that did."""
    trouble = entry.trouble
    if trouble is None or (entry.is_applied and trouble.attempts):
        return ""
    said = clean(trouble.reason, SAID).rstrip(".")
    if not trouble.attempts:
        return f"{said}. {WARNING}"
    what = "Not written" if is_moving(entry) or entry.rollout.phase in _WRITES_MORE else "My note is not written"
    how_long = "I keep trying while the gates pass" if raises(entry.rollout) else "I keep trying"
    return f"{what} since {moment(trouble.since)}: {said}. {how_long} {WARNING}"


_WRITES_MORE = TAKEN_BACK | {Phase.FINISHED}
"""Phases whose write is more than our note on the route, also where it changes no share."""


def _starting(entry: Entry, access: Access) -> str:
    return f"*Starting at {entry.rollout.weight} %.* Waiting for the gateway to accept it."


def _progressing(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    if entry.acceptance is Acceptance.WAITING or entry.due is None:
        return _written(entry)
    after = next_weight(rollout)
    asks = rollout.plan.needs_approval(rollout.weight, after)
    if not asks:
        return f"*Next: {after} %* {_at(entry.due, rollout.since)}."
    return f"*Next: {after} %*, asks for {count_approvals(rollout.plan.approvals)} {_at(entry.due, rollout.since)}."


def _written(entry: Entry) -> str:
    weight = f"{entry.rollout.weight} %"
    if not entry.is_applied:
        return f"*{weight} is wanted* and not on the route yet."
    return f"*{weight} is written.* Waiting for the gateway to accept it."


def _holding(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    until = _at(rollout.since + HOLD_AT_MOST, rollout.since)
    return f"*Holding before {asked_weight(rollout)} %*{_said(': ', rollout.why)}. Asked every 30 s, pauses {until}."


def _awaiting(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    given = rollout.ask.approvals if rollout.ask else ()
    wanted = count_approvals(max(missing_approvals(rollout), 1))
    lead = f"*{asked_weight(rollout)} % needs {wanted}* from {approvers(rollout, access, given=given)}."
    by = f" Approved by {_names(given)} already." if given else ""
    return f"{lead}{by}\nPauses {moment(rollout.since + APPROVE_WITHIN)} if nobody answers."


def _paused(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    since = moment(rollout.since)
    if rollout.drifted:
        return _drifted(rollout)
    by = f" by {mention(rollout.by)}" if rollout.by else ""
    return f"*Paused{by}*, since {since}{_said(': ', rollout.why)}.\n{_go_on(rollout, access)}"


def _drifted(rollout: Rollout) -> str:
    """Say who changed what, when, and what each way out would write."""
    at = rollout.drift.hand.at if rollout.drift else None
    when = f" Written {moment(at)}." if at else ""
    told = f"*Paused: somebody else wrote to the route.* {clean(say_why(rollout), 2 * SAID)}{when} It stays as it is."
    adopt = "" if lacks_to_adopt(rollout) else " Adopt goes on from what is there."
    return f"{told}\n{_again(rollout)}{adopt}"


def _again(rollout: Rollout) -> str:
    if lack := lacks_to_restore(rollout):
        return f"{lack}: put it back, or roll back."
    if is_fight(rollout):
        return f"When that is done, type `restore` to write {rollout.weight} % again."
    return f"Restore writes {rollout.weight} % again."


def _go_on(rollout: Rollout, access: Access) -> str:
    who = people(access.run)
    return f"Waits for {who} to resume or roll back."


def _promoted(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    old = code(rollout.stable.name, 80)
    if entry.due is None or entry.acceptance is Acceptance.WAITING:
        return _written(entry)
    return f"*All traffic is on the new pool.* {old} leaves the route {_at(entry.due, rollout.since)}."


def _finished(entry: Entry, access: Access) -> str:
    old = code(entry.rollout.stable.name, 80)
    return (
        f"*Finished.* The route holds only the new pool. {old} is off the route and still runs: remove it when drained."
    )


def _cleaned(entry: Entry, access: Access) -> str:
    return f"*Done.* The old pool {code(entry.rollout.stable.name, 80)} is removed."


def _rolled_back(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    by = f" by {mention(rollout.by)}" if rollout.by else ""
    before = rollout.weight_at(rollout.base)
    where = f" from {before} %" if before else ""
    told = f"*Rolled back{where}{by}* {moment(rollout.since)}{_said(': ', rollout.why)}."
    return f"{told}\nTo try again, `start` it when the new pool is ready."


def _ended(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    since, why = moment(rollout.since), _said(": ", rollout.why)
    if not rollout.by:  # the route is gone, or somebody else's
        return f"*Ended* {since}{why}. I let go."
    return f"*Ended by {mention(rollout.by)}* {since}{why}. I let go; {_left(entry)}.\n`rollback` still works."


def _left(entry: Entry) -> str:
    if entry.rollout.drifted:
        return "the weights stay as somebody else has set them"
    return f"the weights stay as they were then, {weight_there(entry)} % new"


def _refused(entry: Entry, access: Access) -> str:
    return f"*Not started*{_said(': ', entry.rollout.why)}. The route is as it was."


_STATES: dict[Phase, Callable[[Entry, Access], str]] = {
    Phase.STARTING: _starting,
    Phase.PROGRESSING: _progressing,
    Phase.HOLDING: _holding,
    Phase.AWAITING_APPROVAL: _awaiting,
    Phase.PAUSED: _paused,
    Phase.PROMOTED: _promoted,
    Phase.FINISHED: _finished,
    Phase.CLEANED: _cleaned,
    Phase.ROLLED_BACK: _rolled_back,
    Phase.ENDED: _ended,
    Phase.REFUSED: _refused,
}


def _said(lead: str, words: str, end: str = "") -> str:
    return f"{lead}{clean(words, SAID).rstrip('.')}{end}" if words.strip() else ""


def _names(users: tuple[str, ...]) -> str:
    more = f" and {len(users) - 10} more" if len(users) > 10 else ""
    return ", ".join(mention(user) for user in users[:10]) + more


def _at(time: datetime, since: datetime) -> str:
    if time - since < NEAR:
        return f"at {to_the_second(time)}"
    return f"at {clock(time)}" if time - since < FAR else moment(time)

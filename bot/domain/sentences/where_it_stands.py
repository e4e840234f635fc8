"""What a card says first: where the rollout stands, what is next and when, in a sentence or two."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.access import Access, named
from bot.domain.deadlines import APPROVE_WITHIN, ASK_GATES_EVERY, hold_lasts
from bot.domain.decisions.by_route import raises
from bot.domain.decisions.drift import is_fight, lacks_to_adopt, lacks_to_restore, say_why
from bot.domain.prose import FAR, Prose, capitalised, ended, joined, moment, near, say, short, to_the_second
from bot.domain.rollout import TAKEN_BACK, Acceptance, Entry, Phase, Rollout
from bot.domain.sentences.gates import hold_reason, keeps_stable, keeps_stable_until
from bot.domain.sentences.reasons import LONGEST, reason
from bot.domain.sentences.traffic import listed_routes
from bot.domain.sentences.what_it_waits_for import left_by_refusal
from bot.domain.sentences.who_may import approvers, by, count_approvals, missing_approvals, people
from bot.domain.weights import asked_step, asked_weight, is_moving, mirrored, next_weight, weight_there

ASK_AGAIN = f"{ASK_GATES_EVERY.seconds} s"
NEAR = timedelta(minutes=5)


def headword(entry: Entry) -> str:
    """Say in a word or two how it stands, for a title."""
    rollout = entry.rollout
    there = weight_there(entry)
    if rollout.drifted and not rollout.is_over:
        return "paused"
    if is_moving(entry):
        return f"{there} % → {rollout.weight} %"
    if rollout.mirror and rollout.phase in (Phase.STARTING, Phase.PROGRESSING):
        return f"mirrors {rollout.mirror} %"
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


def state(entry: Entry, access: Access) -> Prose:
    """Say where it stands; first of all, what is wanted but not on the route yet."""
    told = _moving(entry) if is_moving(entry) else _STATES[entry.rollout.phase](entry, access)
    return joined("\n", (told, _trouble(entry)))


def _moving(entry: Entry) -> Prose:
    rollout = entry.rollout
    there = weight_there(entry)
    if rollout.phase not in TAKEN_BACK:
        return say("*{} % is wanted.* The route had *{} %* when last seen.", rollout.weight, there)
    told = say("*Rolling back.* 0 % is wanted. The route had *{} %* when last seen.", there)
    why = reason(rollout.why, rollout.by)
    return say("{} Reason: {}", told, ended(why)) if why else told


def _trouble(entry: Entry) -> Prose:
    """Say what cannot be written to the route, or (without attempts) what people must know about a write."""
    trouble = entry.trouble
    if trouble is None or (entry.is_applied and trouble.attempts):
        return Prose()
    told = ended(reason(trouble.reason, by=""))
    if not trouble.attempts:
        return say("{} ⚠️", told)
    since = moment(trouble.since)
    if is_moving(entry) or entry.rollout.phase in _WRITES_MORE:
        told = say("Not written since {}: {}", since, told)
    else:
        told = say("My note on the route has not been written since {}: {}", since, told)
    if raises(entry.rollout):
        return say("{} I keep trying as long as the gates pass ⚠️", told)
    return say("{} I keep trying ⚠️", told)


_WRITES_MORE = TAKEN_BACK | {Phase.FINISHED}
"""Phases whose write is more than our note on the route, even if no share changes."""


def _starting(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    first = mirrored(rollout) if rollout.mirror else say("{} %", rollout.weight)
    return say("*Starting at {}.* Waiting for the gateway to accept it.", first)


def _progressing(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    if entry.acceptance is Acceptance.WAITING or entry.step_due is None:
        return _written(entry)
    after, at = next_weight(rollout), _at(entry.step_due, rollout.since)
    if not rollout.plan.needs_approval(rollout.weight, after):
        told = say("*Next: {} %* {}.", after, at)
    else:
        told = say("*Next: {} %*, asks for {} {}.", after, count_approvals(rollout.plan.approvals), at)
    return joined("\n", (_mirroring(rollout), told))


def _mirroring(rollout: Rollout) -> Prose:
    if not rollout.mirror:
        return Prose()
    new = rollout.canary.name
    return say("*`{}` gets a copy of {} % of the requests;* nobody sees its answers.", new, rollout.mirror)


def _written(entry: Entry) -> Prose:
    rollout = entry.rollout
    what = mirrored(rollout) if rollout.mirror else say("{} %", rollout.weight)
    if not entry.is_applied:
        return say("*{} is wanted* and not on the route yet.", capitalised(what))
    return say("*{} is written.* Waiting for the gateway to accept it.", capitalised(what))


def _holding(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    told = say("*Holding before {}*", asked_step(rollout))
    until = _at(rollout.since + hold_lasts(rollout.held_by), rollout.since)
    told = _because(told, reason(hold_reason(entry), by=""))
    if rollout.weight and entry.readiness and entry.readiness.canary_doubt:
        told = say("{} *{} % of the traffic goes there now:* a roll back takes it away.", told, rollout.weight)
    return say("{} I ask again every {} and go on by myself, or pause {}.", told, ASK_AGAIN, until)


def _awaiting(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    given = rollout.ask.approvals if rollout.ask else ()
    wanted, who = count_approvals(max(missing_approvals(rollout), 1)), approvers(rollout, access, given=given)
    lead = say("*{} % needs {}* from {}.", asked_weight(rollout), wanted, who)
    if given:
        lead = say("{} Approved by {} already.", lead, named(given, "and"))
    return say("{}\nIt pauses {} if nobody answers.", lead, moment(rollout.since + APPROVE_WITHIN))


def _paused(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    if rollout.drifted:
        return _drifted(rollout)
    told = _because(say("*Paused{}*, since {}", by(rollout.by), moment(rollout.since)), reason(rollout.why, rollout.by))
    return say("{}\nWaits for {}.", told, _who_goes_on(access))


def _who_goes_on(access: Access) -> Prose:
    if access.run == access.rollback:
        return say("{} to resume or roll back", people(access.run))
    return say("{} to resume, or {} to roll back", people(access.run), people(access.rollback))


def _drifted(rollout: Rollout) -> Prose:
    """Say who changed what and when, and what each way out would write."""
    at = rollout.drift.hand.at if rollout.drift else None
    told = say(
        "*Paused: somebody else wrote to the route.* {}{} It stays as it is.",
        ended(reason(say_why(rollout), rollout.by, 2 * LONGEST)),
        say(" Written {}.", moment(at)) if at else Prose(),
    )
    adopt = Prose() if lacks_to_adopt(rollout) else say(" Adopt goes on from what is there.")
    return say("{}\n{}{}", told, _again(rollout), adopt)


def _again(rollout: Rollout) -> Prose:
    if lack := lacks_to_restore(rollout):
        return say("{}: put it back, or roll back.", lack)
    if is_fight(rollout):
        return say("When that is done, type `restore` to write {} % again.", rollout.weight)
    return say("Restore writes {} % again.", rollout.weight)


def _promoted(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    if why := keeps_stable(entry):
        return _keeping_stable(entry, why)
    if entry.step_due is None or entry.acceptance is Acceptance.WAITING:
        return _written(entry)
    at = _at(entry.step_due, rollout.since)
    return say("*All traffic is on the new pool.* `{}` leaves the route {}.", rollout.stable.name, at)


def _keeping_stable(entry: Entry, why: str) -> Prose:
    rollout = entry.rollout
    told = say("*All traffic is on the new pool.* `{}` stays on the route", rollout.stable.name)
    until = _at(keeps_stable_until(entry), rollout.since)
    told = _because(told, reason(why, by=""))
    return say("{} I ask again every {} and go on by myself, or pause {}.", told, ASK_AGAIN, until)


def _finished(entry: Entry, access: Access) -> Prose:
    rollout, left = entry.rollout, entry.left_on_stable
    old, names = rollout.stable.name, short(listed_routes(left), LONGEST)
    is_ours = f"{rollout.namespace}/{rollout.route}" in left
    done = say("*Finished.* {} only the new pool.", "The rollout's rules hold" if is_ours else "The route holds")
    if len(left) > 1:
        return say("{} `{}` still has traffic from {}.", done, old, names)
    if left:
        return say("{} {} still sends to `{}`.", done, names, old)
    if until := rollout.kept_until:
        kept = say("It is kept until {}, then I ask whether to delete it.", moment(until))
        return say("{} `{}` is off the route and still runs.\n{}", done, old, kept)
    return say("{} `{}` is off the route and still runs; `clean` deletes it once it is idle.", done, old)


def _cleaned(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    if rollout.by:
        return say("*Done.* The old pool `{}` is deleted, or about to be.", rollout.stable.name)
    return say("*Done.* The old pool `{}` is removed.", rollout.stable.name)


def _rolled_back(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    before = rollout.weight_at(rollout.base)
    where = say(" from {} %", before) if before else Prose()
    told = say("*Rolled back{}{}* {}", where, by(rollout.by), moment(rollout.since))
    told = _because(told, reason(rollout.why, rollout.by))
    return say("{}\n`start` it to try again.", told)


def _ended(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    told = say("*Ended{}* {}", by(rollout.by), moment(rollout.since))
    told = say("{} I no longer manage the route", _because(told, reason(rollout.why, rollout.by)))
    if not rollout.by:  # the route is gone, or somebody else's
        return ended(told)
    left = say("{}; {}.", told, _left(entry))
    if not entry.can_go_back:
        return say("{}\nA newer rollout has started on the route, so this one can no longer be rolled back.", left)
    return say("{}\n`rollback` works until another rollout starts on the route.", left)


def _left(entry: Entry) -> Prose:
    if entry.rollout.drifted:
        return say("the weights stay as somebody else has set them")
    return say("the weights stay as they were then, {} % new", weight_there(entry))


def _refused(entry: Entry, access: Access) -> Prose:
    told = _because(say("*Not started*"), reason(entry.rollout.why, entry.rollout.by))
    return say("{} {}.", told, capitalised(left_by_refusal(entry)))


_STATES: dict[Phase, Callable[[Entry, Access], Prose]] = {
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


def _because(told: Prose, why: Prose) -> Prose:
    return say("{}: {}", told, ended(why)) if why else say("{}.", told)


def _at(time: datetime, since: datetime) -> Prose:
    if time - since < NEAR:
        return say("at {}", to_the_second(time))
    return say("at {}", near(time, since)) if time - since < FAR else say("{}", near(time, since))

"""Why a rollout waits, who can end it, and what happens when nobody does.

Promise 7: every wait has a reason, a person who can end it, and a deadline. ``why`` says them in one breath.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.domain.access import Access, Users
from bot.domain.deadlines import ACCEPT_WITHIN, APPROVE_WITHIN, DAY, HOLD_AT_MOST, REMIND_EVERY, WRITE_WITHIN
from bot.domain.decisions.by_route import raises
from bot.domain.decisions.drift import lacks_to_adopt, lacks_to_restore, say_why
from bot.domain.rollout import HAS_WAY_BACK, TAKEN_BACK, Acceptance, Entry, Phase, Rollout

NOBODY = "nobody whom the policy lists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a rollout waits for.

    ``reason``, ``who`` and ``then`` are our words (people as ``<@U1>``); ``said`` is in the words of a person, a
    gate, the gateway or the API server. ``deadline`` None: nothing is left to happen, or it is tried for ever.
    """

    reason: str
    since: datetime
    who: str
    deadline: datetime | None
    then: str
    said: str = ""


def waits(entry: Entry, access: Access) -> Wait:
    """Say what a rollout waits for in the phase it is in; an unwritten decision comes before the phase."""
    if not entry.is_applied:
        return _for_the_route(entry, access)
    return _WAITS[entry.rollout.phase](entry, access)


def why(wait: Wait, *, when: Callable[[datetime], str] | None = None, quote: Callable[[str], str] = str) -> str:
    """Write a wait for people; ``when`` shows a time, ``quote`` makes other people's words safe to show."""
    show = when or utc
    said = f": {quote(wait.said).rstrip('.')}" if wait.said else ""
    end = f" {wait.who}" if wait.who else ""
    then = f" {wait.then}" if wait.then else ""
    if wait.deadline is not None and wait.then:
        then = f" {wait.then} {show(wait.deadline)}."
    return f"{wait.reason}, since {show(wait.since)}{said}.{end}{then}"


def utc(time: datetime) -> str:
    """Write a time for a terminal."""
    return f"{time:%d %b %H:%M} UTC"


def mention(user: str) -> str:
    """Mention somebody as Slack does; who is no Slack user (one of a terminal) is named in harmless characters."""
    if re.fullmatch(r"[UW][A-Z0-9]{1,30}", user):
        return f"<@{user}>"
    return re.sub(r"[^A-Za-z0-9_.:@-]", "", user)[:40] or "somebody"


def people(listed: Users, *, but: Users = frozenset()) -> str:
    """Name the people of one of the policy's lists, else every full member; ``but`` are those of them who may not."""
    if listed:
        return _named(listed - but) if listed - but else NOBODY
    return f"any full member but {_named(but)}" if but else "any full member"


def approvers(rollout: Rollout, access: Access, *, given: tuple[str, ...] = ()) -> str:
    """Name who may approve, but for whoever has ``given`` that already."""
    return people(access.approve, but=_barred(rollout) | {*given})


def approvers_aloud(rollout: Rollout, access: Access) -> str:
    """Name who may approve for the whole channel, where a mention calls somebody; who is not asked is not called."""
    if _barred(rollout) and not access.approve:
        return "anybody but the starter"
    return approvers(rollout, access)


def _barred(rollout: Rollout) -> Users:
    """Return who may not approve: the starter, unless the plan says otherwise."""
    return frozenset() if rollout.plan.requester_may_approve else frozenset({rollout.started_by})


def _named(users: Users) -> str:
    more = f" or {len(users) - 10} more" if len(users) > 10 else ""
    return ", ".join(mention(user) for user in sorted(users)[:10]) + more


def count_approvals(count: int) -> str:
    """Write how many approvals are wanted."""
    return "1 approval" if count == 1 else f"{count} approvals"


def missing_approvals(rollout: Rollout) -> int:
    """Count the approvals that are still wanted."""
    given = len(rollout.ask.approvals) if rollout.ask else 0
    return max(rollout.plan.approvals - given, 0)


def next_weight(rollout: Rollout) -> int:
    """Percent of the step after this one."""
    return rollout.plan.steps[-1 if rollout.next_step is None else rollout.next_step]


def asked_weight(rollout: Rollout) -> int:
    """Percent of the step that is asked for, else of the one after this."""
    return rollout.plan.steps[rollout.ask.step] if rollout.ask else next_weight(rollout)


def weight_there(entry: Entry) -> int:
    """Percent that is known to be on the canary now, not what is wanted; a canary that is taken over has some."""
    rollout, applied = entry.rollout, entry.applied
    if applied is None or (rollout.phase is Phase.REFUSED and not applied.generation):  # nothing was ever written
        return rollout.weight_at(-1)
    return applied.weight


def _for_the_route(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    deadline, then = _until_written(entry, access)
    return Wait(
        reason=f"It waits for the route: {_unwritten(entry)}",
        since=entry.trouble.since if entry.trouble else rollout.decided_at,
        who=_brakes(access) if rollout.phase in HAS_WAY_BACK else "",
        deadline=deadline,
        then=then,
        said=entry.trouble.reason if entry.trouble else "",
    )


def _until_written(entry: Entry, access: Access) -> tuple[datetime | None, str]:
    """Say what ends the wait for the route; some phases end in their own time too, written or not."""
    rollout = entry.rollout
    if raises(rollout):
        return rollout.decided_at + WRITE_WITHIN, "It is tried again, and taken back unless the gates still pass after"
    again = "It is tried again until it is written."
    if rollout.phase not in (Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PAUSED):
        return None, again
    own = _WAITS[rollout.phase](entry, access)
    return own.deadline, f"{again} {own.then}"


def _unwritten(entry: Entry) -> str:
    """Say what is wanted of the route and not known to be there."""
    rollout, there = entry.rollout, weight_there(entry)
    if not rollout.hands_off and rollout.weight != there:
        return f"{rollout.weight} % is wanted, {there} % is known to be there"
    if rollout.phase in TAKEN_BACK:
        return "the roll back is not written yet"
    if rollout.phase is Phase.FINISHED:
        return "the old pool is not known to be off it yet"
    return "the bot's note on it is not written yet"


def _starting(entry: Entry, access: Access) -> Wait:
    return _for_the_gateway(entry, access, f"the first {entry.rollout.weight} %")


def _for_the_gateway(entry: Entry, access: Access, what: str) -> Wait:
    since = entry.applied.at if entry.applied else entry.rollout.since
    return Wait(
        reason=f"It waits for the gateway to accept {what}",
        since=since,
        who=_brakes(access),
        deadline=since + ACCEPT_WITHIN,  # not its due time, which is only the next look
        then="Without the gateway's word it goes on",
    )


def _progressing(entry: Entry, access: Access) -> Wait:
    rollout, after = entry.rollout, next_weight(entry.rollout)
    if entry.acceptance is Acceptance.WAITING:
        return _for_the_gateway(entry, access, f"{rollout.weight} %")
    asks = rollout.plan.needs_approval(rollout.weight, after)
    return Wait(
        reason=f"It lets {rollout.weight} % prove itself before {after} %",
        since=rollout.since,
        who=f"{_start(people(access.run))} can `advance` it now.",
        deadline=entry.due or rollout.since + rollout.plan.interval,
        then=f"It {'asks for approval of' if asks else 'goes to'} {after} %",
    )


def _holding(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    return Wait(
        reason=f"It holds at {rollout.weight} %",
        since=rollout.since,
        who=f"The gate is asked again every 30 s; {people(access.run)} can `pause` or `rollback` it.",
        deadline=rollout.since + HOLD_AT_MOST,
        then="If the gate still says wait, it pauses",
        said=rollout.why,
    )


def _awaiting(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    missing = count_approvals(max(missing_approvals(rollout), 1))
    return Wait(
        reason=f"It waits for {missing} of {asked_weight(rollout)} %",
        since=rollout.since,
        who=_who_answers(rollout, access),
        deadline=rollout.since + APPROVE_WITHIN,
        then="It pauses",
    )


def _who_answers(rollout: Rollout, access: Access) -> str:
    able = approvers(rollout, access, given=rollout.ask.approvals if rollout.ask else ())
    if able == NOBODY:
        return f"{_start(able)} can `approve` it; {people(access.approve)} can `reject` it."
    return f"{_start(able)} can `approve` or `reject` it."


def _paused(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    by = f" by {mention(rollout.by)}" if rollout.by else ""
    return Wait(
        reason="It is paused because somebody else wrote to the route"
        if rollout.drifted
        else f"It is paused at {rollout.weight} %{by}",
        since=rollout.since,
        who=f"{_start(people(access.run))} can {_ways_out(rollout)}, `rollback` or `end` it.",
        deadline=_due(entry) or rollout.since + REMIND_EVERY,
        then="The next reminder comes",
        said=say_why(rollout),
    )


def _ways_out(rollout: Rollout) -> str:
    if not rollout.drifted:
        return "`resume`"
    ways = {"`restore`": lacks_to_restore(rollout), "`adopt`": lacks_to_adopt(rollout)}
    return ", ".join(way for way, lack in ways.items() if not lack) or "mend the route"


def _promoted(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    if entry.acceptance is Acceptance.WAITING:
        return _for_the_gateway(entry, access, f"{rollout.weight} %")
    return Wait(
        reason=f"All traffic is on the new pool; `{rollout.stable.name}` is kept for the way back",
        since=rollout.since,
        who=f"{_start(people(access.run))} can `finish` it now, or `pause` it.",
        deadline=entry.due or rollout.since + rollout.plan.bake,
        then="It finishes, if the gates pass,",
    )


def _finished(entry: Entry, access: Access) -> Wait:
    rollout = entry.rollout
    is_reminded = entry.due is not None
    return Wait(
        reason=f"It is done; it waits for somebody to remove the old pool `{rollout.stable.name}`",
        since=rollout.since,
        who=f"{_start(people(access.rollback))} can still `rollback`.",
        deadline=(_due(entry) or rollout.since + DAY) if is_reminded else None,
        then="The next reminder comes" if is_reminded else "No more reminders come; a new start on the route ends it.",
    )


def _due(entry: Entry) -> datetime | None:
    """Return its due time; None where that is only the next look for the gateway's word."""
    return None if entry.acceptance is Acceptance.WAITING else entry.due


def _over(entry: Entry, access: Access) -> Wait:
    words = {
        Phase.CLEANED: "It is done and the old pool is removed",
        Phase.ROLLED_BACK: "It was rolled back; the traffic is as it was before the start",
        Phase.ENDED: "It was ended; the weights stay as they were then",
        Phase.REFUSED: "It was not started; the route is as it was",
    }
    rollout = entry.rollout
    # Where nobody ended it, the route is gone or somebody else's.
    reason = words[rollout.phase] if rollout.by or rollout.phase is not Phase.ENDED else "It ended and let go"
    return Wait(
        reason=reason, since=rollout.since, who="", deadline=None, then="It waits for nothing.", said=rollout.why
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


def _brakes(access: Access) -> str:
    return f"{_start(people(access.rollback))} can `rollback` it."


def _start(words: str) -> str:
    return words[:1].upper() + words[1:]

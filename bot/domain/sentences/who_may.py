"""Who may use a verb, who may approve, how many have to, and who can end a wait."""

from typing import Final

from bot.domain.access import Access, Users, named
from bot.domain.prose import Person, Prose, capitalised, joined, listed, say
from bot.domain.rollout import Entry, Rollout

NOBODY: Final = say("nobody whom the policy lists")


def people(listed: Users, *, but: Users = frozenset()) -> Prose:
    """Name the people on one of the policy's lists, else every full member; ``but`` are people who may not."""
    if listed:
        able = sorted(listed - but)
        return named(able, "or") if able else NOBODY
    return say("any full member but {}", named(sorted(but), "or")) if but else say("any full member")


def approvers(rollout: Rollout, access: Access, *, given: tuple[str, ...] = ()) -> Prose:
    """Name who may approve, without those who have ``given`` approval already."""
    return people(access.approve, but=_barred(rollout) | {*given})


def approvers_aloud(rollout: Rollout, access: Access) -> Prose:
    """Name who may approve, for the whole channel, where a mention notifies people: only those who are asked."""
    if _barred(rollout) and not access.approve:
        return say("any full member but the starter")
    return approvers(rollout, access, given=rollout.ask.approvals if rollout.ask else ())


def _barred(rollout: Rollout) -> Users:
    """Return who may not approve: the starter, unless the plan says otherwise."""
    return frozenset() if rollout.plan.requester_may_approve else frozenset({rollout.started_by})


def by(user: str) -> Prose:
    """Write `` by somebody`` if somebody did it, and nothing if the timer or the cluster did."""
    return say(" by {}", Person(user)) if user else Prose()


def count_approvals(count: int) -> str:
    """Write how many approvals are wanted."""
    return "1 approval" if count == 1 else f"{count} approvals"


def missing_approvals(rollout: Rollout) -> int:
    """Count the approvals that are still missing."""
    given = len(rollout.ask.approvals) if rollout.ask else 0
    return max(rollout.plan.approvals - given, 0)


def can(access: Access, *ways: Prose) -> Prose:
    """Say who can do what: ``ways`` and roll back are for different people if the policy says so."""
    if access.run == access.rollback:
        return say("{} can {} it.", who(access.run), listed([*ways, say("`rollback`")], "or"))
    return say("{} can {} it. {}", who(access.run), listed(ways, "or"), brakes(access))


def or_brakes(access: Access, told: Prose) -> Prose:
    """Add who can roll back, where those are other people than ``told`` names."""
    return told if access.run == access.rollback else joined(" ", (told, brakes(access)))


def brakes(access: Access) -> Prose:
    """Say who can roll back."""
    return say("{} can `rollback` it.", who(access.rollback))


def still_brakes(entry: Entry, access: Access) -> Prose:
    """Say who can roll back what is done or over; nothing if nobody can."""
    return say("{} can still `rollback`.", who(access.rollback)) if entry.can_go_back else Prose()


def who(listed: Users) -> Prose:
    """Name people as ``people`` does, to begin a sentence."""
    return capitalised(people(listed))

"""Who may use a verb, who may approve, and how many have to."""

from typing import Final

from bot.domain.access import Access, Users, named
from bot.domain.prose import Person, Prose, say
from bot.domain.rollout import Rollout

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

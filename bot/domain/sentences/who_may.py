"""Who may do a verb, who may approve, and how many have to."""

from bot.domain.access import Access, listed
from bot.domain.commands.request import Verb
from bot.domain.prose import Person, Prose, say
from bot.domain.rollout import Rollout


def people(access: Access, verb: Verb, *, but: str = "") -> Prose:
    """Name who may do a verb: the policy's list, else every full member."""
    members = sorted(access.list_for(verb) - {but})
    if members:
        return listed(members, "or")
    return say("any full member but {}", Person(but)) if but else say("any full member")


def approvers(rollout: Rollout, access: Access, *, aloud: bool = False) -> Prose:
    """Name who may approve; the one who started it counts only where the plan says so.

    ``aloud``: for the whole channel, where a mention calls somebody; who is not asked is not called.
    """
    but = "" if rollout.plan.requester_may_approve else rollout.started_by
    if aloud and but and not access.list_for(Verb.APPROVE) - {but}:
        return say("anybody but the starter")
    return people(access, Verb.APPROVE, but=but)


def by(user: str) -> Prose:
    """Write `` by somebody`` where somebody did it, and nothing where the timer or the cluster did."""
    return say(" by {}", Person(user)) if user else Prose()


def count_approvals(count: int) -> str:
    """Write how many approvals are wanted."""
    return "1 approval" if count == 1 else f"{count} approvals"


def missing_approvals(rollout: Rollout) -> int:
    """Count the approvals that are still wanted."""
    given = len(rollout.ask.approvals) if rollout.ask else 0
    return max(rollout.plan.approvals - given, 0)

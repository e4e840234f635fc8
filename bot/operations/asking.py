"""What an executor that asks people checks before it begins: that somebody can answer."""

from dataclasses import replace

from bot.config.policy import Policy
from bot.domain.access import permit_start
from bot.domain.plan import Plan


def approvals_needed(plan: Plan) -> int:
    """Return how many people have to agree: as many as to a step, and one at least."""
    return max(1, plan.approvals)


def require_approvers(policy: Policy, by: str) -> None:
    """Raise NotAllowedError if too few people could agree to what somebody begins, or nobody knows who that is."""
    plan = policy.plan
    permit_start(
        replace(plan, approvals=approvals_needed(plan), approve_at=plan.approve_at or (100,)), policy.access, by
    )

"""The plan on one line: ``10 ✓ → *25* → 50 🔒 → 100 🔒``."""

from bot.domain.access import Access
from bot.domain.prose import Prose, joined, say
from bot.domain.rollout import Entry
from bot.domain.sentences.who_may import approvers, count_approvals

MOST = 9


def plan_line(entry: Entry) -> Prose:
    """Write the steps: which are done, where the route is, and where people are asked."""
    rollout = entry.rollout
    here = rollout.step if entry.is_applied else rollout.base
    asked = rollout.ask.step if rollout.ask else here
    skipped = range(here + 1, asked)
    steps = [_step(entry, index, here) for index in range(len(rollout.plan.steps)) if index not in skipped]
    return joined(" → ", _window(steps, max(here, 0)))


def lock_rule(entry: Entry, access: Access) -> Prose:
    """Say what the lock means; nothing if none is left. Who is listed is not named before anybody is asked: a card that
    is posted would mention them.
    """
    rollout, plan = entry.rollout, entry.rollout.plan
    ahead = range(rollout.step + 1, len(plan.steps))
    if rollout.is_over or not any(_is_locked(entry, at) for at in ahead):
        return Prose()
    needed = count_approvals(plan.approvals)
    if access.approve:
        return say("🔒 needs {}; `why` names who may give it", needed)
    return say("🔒 needs {} from {}", needed, approvers(rollout, access))


def _step(entry: Entry, index: int, here: int) -> Prose:
    plan = entry.rollout.plan
    weight = f"mirror {plan.mirror}" if plan.mirror and index == 0 else str(plan.steps[index])
    if index < here:
        return say("{} ✓", weight)
    if index == here:
        return say("*{}*", weight)
    return say("{} 🔒", weight) if _is_locked(entry, index) else say("{}", weight)


def _is_locked(entry: Entry, index: int) -> bool:
    steps = entry.rollout.plan.steps
    return entry.rollout.plan.needs_approval(steps[index - 1] if index else 0, steps[index])


def _window(steps: list[Prose], here: int) -> list[Prose]:
    """Keep the first, the last and what is around the current step."""
    if len(steps) <= MOST:
        return steps
    first = min(max(here - 1, 1), len(steps) - MOST + 3)
    around = steps[first : first + MOST - 4]
    gap = [say("…")] if first > 1 else []
    rest = [say("…")] if first + len(around) < len(steps) - 1 else []
    return [steps[0], *gap, *around, *rest, steps[-1]]

"""The plan of a rollout: which weights, how long at each, and where people must approve."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain.errors import UsageError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rising weights of the canary in percent, the last one 100; ``approve_at`` are thresholds in percent.

    ``mirror``: so many percent of the requests are copied to the canary at the first step, whose weight is then 0.

    ``keep``: how long after the finish people are asked whether to delete the old pool; None: never.

    A step that reaches or crosses a threshold waits for ``approvals`` people;
    the starter is one of them only where ``requester_may_approve``.
    """

    steps: tuple[int, ...]
    interval: timedelta
    bake: timedelta
    approve_at: tuple[int, ...]
    approvals: int = 1
    requester_may_approve: bool = False
    mirror: int = 0
    keep: timedelta | None = None

    def needs_approval(self, before: int, after: int) -> bool:
        """Say whether going from weight ``before`` to ``after`` reaches or crosses a threshold."""
        return self.approvals > 0 and any(before < mark <= after for mark in self.approve_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the words of ``start`` ask for beyond the defaults; None if nothing was said."""

    steps: tuple[int, ...] | None = None
    interval: timedelta | None = None
    bake: timedelta | None = None
    approve_at: tuple[int, ...] | None = None  # () is approve=none, ALL_STEPS is approve=all
    mirror: int | None = None


ALL_STEPS = (-1,)


def make_plan(weight: int, wishes: Wishes, defaults: Plan, *, only_stricter: bool) -> Plan:
    """Return the plan of a rollout that starts at ``weight`` percent.

    ``only_stricter``: a policy file is in force, so ``approve=`` can add marks but lifts none.
    """
    steps = _steps(weight, wishes.steps or defaults.steps, given=wishes.steps is not None)
    return replace(
        defaults,
        steps=(0, *steps) if wishes.mirror else steps,
        mirror=wishes.mirror or 0,
        interval=defaults.interval if wishes.interval is None else wishes.interval,
        bake=defaults.bake if wishes.bake is None else wishes.bake,
        approve_at=_marks(wishes.approve_at, defaults.approve_at, steps, only_stricter=only_stricter),
    )


def _steps(weight: int, later: tuple[int, ...], *, given: bool) -> tuple[int, ...]:
    if given and later[0] < weight:
        raise UsageError(
            f"`steps` begins at {later[0]}, below the first weight {weight}.",
            hint=f"Begin with {weight}, as in `steps={weight},50,100`.",
        )
    rest = tuple(step for step in later if step > weight)
    return (weight, *rest) if (weight, *rest)[-1] == 100 else (weight, *rest, 100)


def _marks(
    asked: tuple[int, ...] | None, default: tuple[int, ...], steps: tuple[int, ...], *, only_stricter: bool
) -> tuple[int, ...]:
    if asked is None:
        return default
    marks = steps if asked == ALL_STEPS else asked
    if not only_stricter:
        return tuple(sorted(set(marks)))
    if not marks and default:
        raise UsageError(
            "`approve=none` would lift approvals that the policy file asks for.",
            hint="Leave it out, or name more marks, as in `approve=all`.",
        )
    return tuple(sorted({*default, *marks}))


def parse_duration(text: str, key: str) -> timedelta:
    """Read ``90s``, ``10m``, ``2h`` or ``1d``; one second at the least."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip().lower())
    if match is None:
        raise UsageError(f"`{key}={text}` is not a duration.", hint=f"Write it like `{key}=90s`, `10m`, `2h` or `1d`.")
    duration = timedelta(**{UNITS[match[2]]: int(match[1])})
    if not timedelta(seconds=1) <= duration <= LONGEST:
        raise UsageError(f"`{key}={text}` is out of range.", hint="Choose between `1s` and `30d`.")
    return duration


def show_duration(duration: timedelta) -> str:
    """Write a duration the way people type it: ``90s``, ``10m``, ``2h``, ``1d``."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"

"""The record of one rollout, and what it wants the route to be.

Decisions, not fields, change a record: every ``Rollout`` is one decision with its own random id. What is
known about writing it (applied, accepted, due) lies beside it in an ``Entry`` and is no decision.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.events import Event
from bot.domain.gate import Finding, Readiness
from bot.domain.plan import Plan


class Phase(StrEnum):
    """Where a rollout is in its life."""

    STARTING = "starting"  # the first write is not yet accepted
    PROGRESSING = "progressing"  # waits for the time of the next step
    HOLDING = "holding"  # a gate says wait
    AWAITING_APPROVAL = "awaiting_approval"
    PAUSED = "paused"  # waits for a person
    PROMOTED = "promoted"  # 100 %, the stable pool at 0, baking
    FINISHED = "finished"  # only the canary is on the route
    CLEANED = "cleaned"
    ROLLED_BACK = "rolled_back"
    ENDED = "ended"  # the bot no longer manages the route; the weights stay
    REFUSED = "refused"  # never got onto the route


OVER = frozenset({Phase.CLEANED, Phase.ROLLED_BACK, Phase.ENDED, Phase.REFUSED})
"""Phases after which nothing happens by itself."""

SLOTLESS = OVER | {Phase.FINISHED}
"""Phases in which the route is free for another rollout."""

HAS_WAY_BACK = frozenset(Phase) - {Phase.REFUSED, Phase.CLEANED}
"""Phases in which a roll back works, or is written once more."""

TAKEN_BACK = frozenset({Phase.ROLLED_BACK, Phase.REFUSED})
"""Phases in which all traffic goes to the old pool again."""


STEPS_BY_ITSELF = frozenset({Phase.PROGRESSING, Phase.PROMOTED})
"""Phases with a known time of the next step, or of the end of the bake."""


@dataclass(frozen=True, slots=True)
class Pool:
    """An InferencePool."""

    namespace: str
    name: str
    group: str = "inference.networking.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the HTTPRoute that moves, as it was before the start.

    ``key`` is the rule's name, else a digest of its matches; ``index`` only says where it stood then.
    ``stable_ref`` is the whole backendRef of the stable pool as JSON text. ``canary_before`` is None where
    the bot adds the canary's backendRef.
    """

    key: str
    index: int
    stable_ref: str
    stable_index: int
    stable_before: int
    canary_before: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Weights of our two backendRefs in one rule; None: the backendRef is not there.

    ``mirror``: percent of the requests that our own RequestMirror filter copies to the canary; None without one.
    """

    stable: int | None
    canary: int | None
    mirror: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Somebody else's edit of a route: the field manager (empty: the API server does not say), when, and the rule
    that keeps it away from our weights.
    """

    manager: str = ""
    at: datetime | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What somebody else made of our weights: a pair for each rule of the rollout, None if the rule is gone."""

    hand: Hand
    found: tuple[Pair | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An approval that is asked for: of which step, and who has given it."""

    id: str
    step: int
    approvals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One decision about one rollout.

    ``step`` is the index into ``plan.steps`` of the weight that is wanted, -1 before the first.
    ``base`` is the step that was on the route when this was decided: what a step not yet written goes back to.
    ``turn`` moves with phase and step only; a button that raises the canary is good for one turn.
    """

    id: str
    channel: str
    started_by: str
    started_at: datetime
    reason: str

    namespace: str
    route: str
    route_uid: str
    stable: Pool
    canary: Pool
    rules: tuple[Rule, ...]
    plan: Plan

    phase: Phase
    since: datetime
    step: int
    base: int
    revision: int
    decision: str
    decided_at: datetime
    turn: int

    by: str = ""  # who made this decision; empty: the timer or the cluster
    why: str = ""  # why it waits or is over, in a sentence
    held_by: tuple[str, ...] = ()  # the gates that hold it
    left: Phase | None = None  # the phase a pause left
    drift: Drift | None = None  # paused because somebody else changed our weights, which stay theirs
    overwrites: Drift | None = None  # of a restore; it counts until that is on the route
    restored: tuple[str, ...] = ()  # field managers over whose weights ours were written again, one entry each time
    ask: Ask | None = None
    known: tuple[str, ...] = ()  # what gateways said against the route before the first write (keys): no news of ours
    kept_until: datetime | None = None  # of a finished rollout: then people are asked whether to delete the old pool
    resumed_at: datetime | None = None  # the last pause ended: what was before is no evidence any more
    stable_gone: bool = False  # it paused because the old pool was deleted, and people may have gone on without it

    @property
    def weight(self) -> int:
        """Percent of the pair's traffic that is wanted on the canary."""
        if self.phase in TAKEN_BACK:
            return 0
        return self.weight_at(self.step)

    def weight_at(self, step: int) -> int:
        """Return the canary's percent at a step; before the first, what a canary that is taken over had already."""
        if step >= 0:
            return self.plan.steps[step]
        rule = self.rules[0]
        canary = rule.canary_before or 0
        return round(100 * canary / (rule.stable_before + canary)) if canary else 0

    @property
    def mirror(self) -> int:
        """Percent of the requests that are wanted as copies at the canary: at the first step, before any weight."""
        return self.plan.mirror if self.step == 0 and self.phase not in (*SLOTLESS, Phase.ENDED) else 0

    @property
    def is_over(self) -> bool:
        """Say whether it is over: nothing more happens by itself."""
        return self.phase in OVER

    @property
    def next_step(self) -> int | None:
        """Index of the step after this one; None at the last."""
        return self.step + 1 if self.step + 1 < len(self.plan.steps) else None

    @property
    def drifted(self) -> bool:
        """Say whether it is paused over somebody else's weights."""
        return self.drift is not None

    @property
    def hands_off(self) -> bool:
        """Say whether only the annotation is ours to write, whatever the weights are."""
        return self.drifted or self.phase is Phase.ENDED


def before(rule: Rule) -> Pair:
    """Weights of a rule as they were when the rollout started."""
    return Pair(rule.stable_before, rule.canary_before)


def wanted(rollout: Rollout) -> tuple[Pair, ...]:
    """The wanted weights of each rule of ``rollout.rules``, in their order."""
    return tuple(_wanted(rollout, rule) for rule in rollout.rules)


def _wanted(rollout: Rollout, rule: Rule) -> Pair:
    if rollout.phase in TAKEN_BACK:
        return Pair(rule.stable_before, None if rule.canary_before is None else 0)
    if rollout.phase in (Phase.FINISHED, Phase.CLEANED):
        return Pair(None, 100)
    if rollout.step < 0:
        return before(rule)
    if rollout.step == 0 and rollout.plan.mirror:
        return replace(before(rule), mirror=rollout.plan.mirror)
    return Pair(100 - rollout.weight, rollout.weight)


class Acceptance(StrEnum):
    """What the gateway said about the last weights that we wrote."""

    NOT_WRITTEN = "not_written"
    WAITING = "waiting"  # written; the gateway has not answered yet
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"  # no answer in time; some gateways never give one
    REFUSED = "refused"  # it said no, to all of them or to a part of the route, and people were told


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The last decision known to be on the route, and the route's generation after its weights.

    ``weighed_at`` is when these weights came onto the route; later decisions may have left them as they are.
    """

    revision: int
    decision: str
    weight: int
    at: datetime
    generation: int = 0
    weighed_at: datetime | None = None

    @property
    def weighed_since(self) -> datetime:
        """Since when the route surely has these weights."""
        return self.weighed_at or self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a wanted write is not on the route yet, and since when; ``is_told``: people know that it lasts."""

    since: datetime
    reason: str
    attempts: int
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the store holds of one rollout: the decision, and how far its write to the route has got."""

    rollout: Rollout
    applied: Applied | None = None
    pending: tuple[str, ...] = ()  # decisions not known to be applied or overtaken, oldest first
    acceptance: Acceptance = Acceptance.NOT_WRITTEN
    due: datetime | None = None  # when the timer looks at it next
    step_due: datetime | None = None  # when the next step comes, or the bake ends; None if nobody knows
    trouble: Trouble | None = None
    readiness: Readiness | None = None
    findings: tuple[Finding, ...] = ()  # what the gates said when they were asked last
    is_followed: bool = False  # a newer rollout came after it on the route, so there is no way back any more

    @property
    def other_routes(self) -> tuple[str, ...]:
        """Return the first of the other HTTPRoutes that send to the old pool (namespace/name), as last looked at."""
        mine = f"{self.rollout.namespace}/{self.rollout.route}"
        return tuple(name for name in self.readiness.stable_routes if name != mine) if self.readiness else ()

    @property
    def left_on_stable(self) -> tuple[str, ...]:
        """Return the first HTTPRoutes that send to the old pool after the finish: ours too, if other rules of it do."""
        if self.readiness is None or self.readiness.at < self.rollout.since:
            return self.other_routes  # counted before the finish, ours was among them
        return self.readiness.stable_routes

    @property
    def is_applied(self) -> bool:
        """Say whether the route is known to be what the record wants."""
        return self.applied is not None and self.applied.decision == self.rollout.decision

    @property
    def can_go_back(self) -> bool:
        """Say whether a roll back would move traffic: also after its end, but not past a newer rollout, nor on a route
        that is gone or somebody else's.
        """
        rollout = self.rollout
        if rollout.phase not in SLOTLESS:
            return True
        was_ended = rollout.phase is Phase.ENDED and bool(rollout.by)
        return (was_ended or rollout.phase is Phase.FINISHED) and not self.is_followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One decision: the record after it, what to tell, when the timer looks next, and when the next step comes.

    ``due`` None: the write sets it, because the time counts from the gateway's acceptance.
    """

    after: Rollout
    events: tuple[Event, ...]
    due: datetime | None = None
    step_due: datetime | None = None

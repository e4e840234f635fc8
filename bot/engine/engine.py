"""Receive and decide: the one path of a change from a word to a record; apply brings it onto the route.

The engine alone orders effects. Nothing is acknowledged before it is in the inbox, nothing is written to a route
before it is in the store, and every step can be repeated: by another thread, another replica, or after a crash.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.config.policy import Policy
from bot.domain.access import permit
from bot.domain.commands.request import ANYWHERE, FINISH, ROLLBACK, START, STATUS, Command, Request, Where
from bot.domain.decisions.by_people import decide, followed, is_fulfilled, require_fit, slot_taken
from bot.domain.decisions.by_route import came_after
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.seen import with_figures
from bot.domain.decisions.start import require_channel
from bot.domain.errors import (
    DependencyError,
    RaceError,
    RouteError,
    SlotTakenError,
    StoreError,
    UsageError,
    UserError,
)
from bot.domain.rollout import SLOTLESS, Change, Entry, Rollout
from bot.domain.verbs.asking import Reply, Sources
from bot.domain.verbs.declaration import Verb
from bot.domain.verbs.registry import verb_of
from bot.engine.apply import Applier, new_decision
from bot.engine.gateway_ear import with_earlier_noes
from bot.engine.inquiry import answer
from bot.engine.lookup import Lookup
from bot.engine.notes import is_unsigned, own_note
from bot.engine.pictures import beside
from bot.engine.ports import Clock, Gates
from bot.engine.rollback_from_route import RouteRollback, RouteRolledBack
from bot.engine.route_port import Routes
from bot.engine.seen import Seen, seen_before
from bot.engine.starts import FulfilledError, Starts
from bot.engine.store_port import Became, Progress, Save, Saved, Store

REMEMBERED = timedelta(minutes=10)
"""Redis remembers a delivery for a bit longer than this."""

TRIES = 20

MAY_COME_AGAIN = "So I may still try it once more."
"""The last sentence of a refusal that Redis could not record."""

BACK_BUT = "Rolled back, but"
"""How the extra sentence about a finished roll back begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a request; ``said`` is one more sentence for the person who asked."""

    entry: Entry
    said: str = ""


class Engine:
    """What Slack, the terminal and the timer call."""

    def __init__(
        self,
        routes: Routes,
        store: Store,
        clock: Clock,
        policy: Policy,
        gates: Gates,
        *,
        applier: Applier,
        lookup: Lookup,
        rollback: RouteRollback,
        starts: Starts,
        operate: Callable[[Request], None],
        look_again: Callable[[], None],
    ) -> None:
        """Keep the parts.

        ``operate`` decides what people ask of operations; ``look_again`` makes the leader compare every route again.
        """
        self._routes, self._store, self._clock, self._policy, self._gates = routes, store, clock, policy, gates
        self._applier, self._lookup, self._rollback = applier, lookup, rollback
        self._starts, self._operate, self._look_again = starts, operate, look_again

    def receive(self, request: Request) -> bool:
        """Check local rights and save the request; False if this delivery was seen before."""
        permit(self._policy.access, verb_of(request.command.verb).access, request)
        if request.command.verb == START:
            require_channel(request.command.name, request.origin)
        return self._store.receive(request)

    def process(self, request: Request) -> Outcome | None:
        """Carry a request out, then look at the pools; returns None and raises as `carry_out` does."""
        entry = self.carry_out(request)
        return Outcome(entry=entry, said=self.look(entry, request.command.verb)) if entry else None

    def carry_out(self, request: Request) -> Entry | None:
        """Decide a request from the inbox and write it; None if somebody else has decided it.

        Returns the rollout as it is if another person has rolled it back since this one asked for the same. Raises
        UserError (the request is out of the inbox) or DependencyError (it is kept and tried again).
        """
        try:
            decided = self._decide(request)
        except FulfilledError as fulfilled:
            return self._fulfilled(request, str(fulfilled))
        except StoreError:
            self._keep(request)
            raise
        except UserError as error:
            if not self._refuse(request, error):
                return None  # somebody else has decided it, so it no longer fit
            raise
        if decided is None:
            return None
        change, seen = decided
        self._applier.apply(change.after.id, saved=change.after, seen=seen)
        beside(change, self._store, self._gates, self._clock)
        return self._store.load(change.after.id)

    def look(self, entry: Entry, verb: str) -> str:
        """Count ready endpoints for the card, which may take long; warn if the old pool cannot serve."""
        if verb not in (START, ROLLBACK, FINISH):
            return ""
        rollout = entry.rollout
        if verb == FINISH and self._routes.kept(rollout.namespace, rollout.route) is None:
            return ""  # who else sends to the old pool is known from watches only
        try:
            readiness = self._routes.readiness(rollout.stable, rollout.canary)
        except DependencyError:
            return ""
        with suppress(StoreError):
            self._store.learn(rollout.id, rollout.decision, Progress(readiness=readiness))
        doubt = readiness.stable_doubt if verb == ROLLBACK else ""
        return f"{BACK_BUT} the old pool cannot serve: {doubt}" if doubt else ""

    def became(self, request: Request) -> Entry | None:
        """Return the rollout that a request changed, whoever carried it out. Raises UserError if it was refused."""
        became = self._store.became(request.delivery)
        if became.refusal:
            raise UserError(became.refusal)
        return self._store.load(became.rollout) if became.rollout else None

    def _fulfilled(self, request: Request, rollout_id: str) -> Entry | None:
        """Take a request out of the inbox that is done already; return the rollout that another person rolled back."""
        if not self._store.drop(request.delivery, Became(rollout=rollout_id)) or request.command.verb != ROLLBACK:
            return None
        entry = self._store.load(rollout_id)
        return entry if entry and entry.rollout.by != request.by else None

    def _refuse(self, request: Request, error: UserError) -> bool:
        """Take a request out of the inbox; False if somebody else did. Raises UserError if that is unclear."""
        try:
            return self._store.drop(request.delivery, Became(refusal=str(error)))
        except StoreError as unclear:
            again = f"{unclear} {MAY_COME_AGAIN}"
            raise UserError(error.message, hint=f"{error.hint} {again}".strip()) from error

    def brake(self, request: Request) -> RouteRolledBack:
        """Roll back from the route's annotation while the store does not answer. Raises UserError, ClusterError."""
        place = self._rollback.find(request.command, request.origin.channel, request.at)
        braked = self._rollback.roll_back(place, by=request.by)
        self._look_again()  # the watch does not report our own writes
        return braked

    def find(self, subject: str, channel: str, where: Where = ANYWHERE, *, verb: str = STATUS) -> Entry:
        """Return the rollout that people mean by a question, the ``verb``. Raises UserError."""
        return self._lookup.find(Command(verb=verb, subject=subject, where=where), channel)

    def meant_by(self, command: Command, channel: str) -> Entry:
        """Return the rollout that a command is about, as `process` will read it. Raises UserError."""
        return self._lookup.meant_by(command, channel, self._clock.now())[0]

    def entries(self, channel: str = "") -> Sequence[Entry]:
        """Return the rollouts that are not over, newest first, of one channel or of all."""
        return [entry for entry in self._store.entries() if channel in ("", entry.rollout.channel)]

    def answer(self, request: Request, program: str) -> Reply:
        """Answer a question or an inquiry; people type verbs after ``program``. Raises UserError, DependencyError."""
        permit(self._policy.access, verb_of(request.command.verb).access, request)
        sources = Sources(
            starts=self._starts, rollouts=self, cluster=self._routes, gates=self._gates, rules=self._policy
        )
        return answer(request, sources, program=program, now=self._clock.now())

    def waiting_requests(self, older_than: timedelta) -> Sequence[Request]:
        """Return requests that nobody has decided for a while: their replica died, or a dependency failed."""
        return self._store.requests(self._clock.now() - older_than)

    def _keep(self, request: Request) -> None:
        """Put a request back that a failing store may have lost; if it is still in the inbox, nothing changes."""
        with suppress(StoreError):
            self._store.receive(request)

    def _decide(self, request: Request) -> tuple[Change, Seen | None] | None:
        """Save what a request decides; None if it is not about a rollout, or somebody else has decided it."""
        if request.command.operation is not None:
            self._operate(request)
            return None
        self._require_fresh(request)
        for attempt in range(TRIES):
            try:
                save, saved, seen = self._try(request)
            except RaceError:
                self._clock.sleep(random.uniform(0, 0.005 * (attempt + 1)))
                continue
            match saved:
                case Saved.YES:
                    return save.change, seen
                case Saved.DECIDED:
                    return None
                case Saved.TAKEN:
                    raise self._taken(save.change)
                case Saved.FOLLOWED:
                    raise followed(save.change.after)
                case Saved.FORGOTTEN if self._clock.now() - request.at < REMEMBERED:
                    self._store.receive(request)
                case Saved.FORGOTTEN:
                    return None  # it is so old that somebody else may have decided it
                case Saved.LOST:
                    continue
        raise DependencyError("Too many changes at once.")

    def _require_fresh(self, request: Request) -> None:
        """Refuse to raise the canary for somebody who asked long ago and may no longer be watching."""
        verb = verb_of(request.command.verb)
        if verb.late_after is not None and self._clock.now() - request.at > verb.late_after:
            raise UsageError(
                f"Nothing was done: I did not get to your `{verb.name}` within {verb.late_after.seconds // 60} min.",
                hint="Type it again if you still want it.",
            )

    def _try(self, request: Request) -> tuple[Save, Saved, Seen | None]:
        if request.command.verb == START:
            save = self._starts.save(request)
            return save, self._store.save(save), None
        save, entry = self._verb(request)
        is_brake = verb_of(request.command.verb).is_brake
        seen = seen_before(self._routes, entry, save.change.after) if is_brake else None
        return save, self._store.save(save), seen

    def _verb(self, request: Request) -> tuple[Save, Entry]:
        entry, command = self._lookup.meant_by(request.command, request.origin.channel, request.at)
        request, verb = replace(request, command=command), verb_of(command.verb)
        if request.turn is not None and entry.rollout.id != command.subject:
            raise RouteError(f"There is no rollout `{command.subject}`.", hint="Use the newest card of the rollout.")
        if is_fulfilled(entry, request):
            raise FulfilledError(entry.rollout.id)
        require_fit(entry, request)
        if self._is_to_be_written_first(entry, verb):
            # Otherwise the person would have to ask again, or somebody else's edit would be taken for an answer.
            self._applier.apply(entry.rollout.id)
            entry = self._store.load(entry.rollout.id) or entry
            require_fit(entry, request)
        verdict = self._gates.check(entry) if verb.raises else None
        again = verb.name == ROLLBACK and entry.rollout.phase in SLOTLESS
        if again:
            self._require_last(entry.rollout)
        decided = with_figures(decide(entry, request, verdict, self._moment(request)), verdict)
        change = with_earlier_noes(decided, self._routes)
        save = Save(change=change, expected=entry.rollout.decision, request=request.delivery, take_slot=again)
        return save, entry

    def _is_to_be_written_first(self, entry: Entry, verb: Verb) -> bool:
        """Say whether the last decision is not on the route yet, or lies there unsigned. A brake waits for neither."""
        if not (verb.raises or verb.writes_first):
            return False
        rollout = entry.rollout
        kept = self._routes.kept(rollout.namespace, rollout.route)
        return not entry.is_applied or (kept is not None and is_unsigned(kept))

    def _require_last(self, rollout: Rollout) -> None:
        """Refuse to roll back a rollout that a newer one followed, even one that the store has forgotten."""
        kept = self._routes.kept(rollout.namespace, rollout.route)
        note = own_note(kept) if kept else None
        if note is not None and came_after(rollout, note):
            raise followed(rollout)

    def _taken(self, change: Change) -> SlotTakenError:
        holder = self._store.slot(change.after.route_uid)
        entry = self._store.load(holder) if holder else None
        if entry is None:
            return SlotTakenError("Another rollout has the route.", hint="Try again in a moment.")
        return slot_taken(entry.rollout)

    def _moment(self, request: Request) -> Moment:
        return Moment(
            now=self._clock.now(),
            decision=new_decision(),
            by=request.by,
            unix_user=request.unix_user,
            is_checked=request.is_checked,
        )

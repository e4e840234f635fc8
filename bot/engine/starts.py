"""How a rollout begins: the cluster is surveyed, the first write is rehearsed, and only then is anything saved."""

from collections.abc import Callable

from bot.config.policy import Policy
from bot.domain.access import AccessList, permit, permit_start
from bot.domain.check import Grade, Line, Report, fine, stop, warn
from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import CHECK, START, Command, Request, StartWords
from bot.domain.decisions.by_people import slot_taken
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.start import is_in_the_way, rollout_id, start
from bot.domain.errors import RefusedError, RouteError, SlotTakenError, UsageError, UserError
from bot.domain.gate import GateAnswer, Verdict
from bot.domain.plan import Plan, make_plan
from bot.domain.rollout import SLOTLESS, Change, Entry, Rollout
from bot.engine.apply import new_decision
from bot.engine.encoding import LONGEST_ANNOTATION, annotation
from bot.engine.follower import follower
from bot.engine.notes import note_on, own_note
from bot.engine.ports import Clock, Gates
from bot.engine.route_port import RouteCopy, Routes, Survey
from bot.engine.store_port import Save, Store

NOTE = "rolloutbot.dev/rollout"
"""The annotation, for people who remove it."""


NOWHERE = Origin(surface=Surface.TERMINAL, channel="")
"""Where a start that is only checked comes from."""


class FulfilledError(Exception):
    """The request was already carried out in another way; the text is the rollout's id."""


class Starts:
    """Turns a start into a decision."""

    def __init__(
        self,
        routes: Routes,
        store: Store,
        clock: Clock,
        policy: Policy,
        gates: Gates,
        take_up: Callable[[Rollout, RouteCopy], None],
    ) -> None:
        """Keep the parts; ``take_up`` saves a rollout that only its route knows."""
        self._routes, self._store, self._clock, self._policy, self._gates = routes, store, clock, policy, gates
        self._take_up = take_up

    def save(self, request: Request) -> Save:
        """Return the decision that begins a rollout. Raises UserError, DependencyError, FulfilledError."""
        words = request.command.start
        if words is None:
            raise UsageError("A start needs a pool and a weight.", hint="Type `start POOL WEIGHT`.")
        mine = rollout_id(request.delivery)
        if self._store.load(mine) is not None:
            raise FulfilledError(mine)  # Redis went back to an older state and has the request again
        try:
            scene = self._survey(request.command.subject, words)
            _require_no_stop(scene.report)
            plan = make_plan(words.weight, words.wishes, self._policy.plan, only_stricter=self._policy.from_file)
            permit_start(plan, self._policy.access, request.by)
            before = self._require_free(scene, mine)
            change = self._change(request, plan, scene, before)
            self._rehearse(scene, change)
            if held := self._hold(change.after):
                change = self._change(request, plan, scene, before, held)
        except RefusedError as error:
            raise RouteError(error.message, hint=error.hint or "Nothing was started.") from error
        return Save(change=change, expected=None, request=request.delivery, take_slot=True)

    def check(self, command: Command, by: str) -> Report:
        """Look at what a start would find, and change nothing. Raises DependencyError."""
        words = command.start or StartWords(weight=0)
        try:
            scene = self._survey(command.subject, words, CHECK)
        except UserError as error:
            return Report((stop("Route", error.message, error.hint),))
        where = sorted({scene.copy.namespace, scene.canary.namespace})
        access = self._routes.access(where)
        request = Request(command=command, by=by, origin=NOWHERE, delivery=CHECK, at=self._clock.now())
        try:
            weight = words.weight or self._policy.plan.steps[0]
            plan = make_plan(weight, words.wishes, self._policy.plan, only_stricter=self._policy.from_file)
            return scene.report.with_lines(
                *access, self._may_start(request, plan), self._would_begin(request, plan, scene)
            )
        except UserError as error:
            last = (stop("Access", error.message, error.hint),)
        return scene.report.with_lines(*access, *last)

    def _may_start(self, request: Request, plan: Plan) -> Line:
        """Say whether this person may start it. Another one may, so it stops nothing."""
        try:
            permit(self._policy.access, AccessList.START, request)
            permit_start(plan, self._policy.access, request.by)
        except UserError as error:
            return warn("Access", error.message, error.hint)
        return fine("Access", "You may start it.")

    def _would_begin(self, request: Request, plan: Plan, scene: Survey) -> Line:
        """Ask for the first write without storing it, as a start does. Raises UserError."""
        if (holder := self._store.slot(scene.copy.uid)) and (entry := self._store.load(holder)):
            raise slot_taken(entry.rollout)
        try:
            self._rehearse(scene, self._change(request, plan, scene, self._before(scene.copy)))
        except RefusedError as error:
            return stop("Access", error.message, error.hint)
        first = f"mirror {plan.mirror}" if plan.mirror else f"{plan.steps[0]}"
        return fine("Access", f"The API server would take the first write ({first} %).")

    def _change(
        self, request: Request, plan: Plan, scene: Survey, before: Rollout | None, held: Verdict | None = None
    ) -> Change:
        moment = Moment(now=self._clock.now(), decision=new_decision(), by=request.by, unix_user=request.unix_user)
        return start(
            request,
            plan,
            moment,
            route=(scene.copy.namespace, scene.copy.name, scene.copy.uid),
            stable=scene.stable,
            canary=scene.canary,
            rules=scene.rules,
            warnings=tuple(line.text for line in scene.report.of(Grade.WARN) if not line.is_watched),
            known=scene.known,
            before=before,
            held=held,
        )

    def _survey(self, canary: str, words: StartWords, verb: str = START) -> Survey:
        """Look at the cluster; a pool that is already in a rollout is reported first, as it causes other errors."""
        try:
            return self._routes.survey(canary, words, verb)
        except RouteError:
            for rollout in (entry.rollout for entry in self._store.entries()):
                if is_in_the_way(rollout, canary, words):
                    raise slot_taken(rollout) from None
            raise

    def _rehearse(self, scene: Survey, change: Change) -> None:
        """Ask the API server to check the first write (rights, schema, webhooks) before anything is saved."""
        if len(annotation(change.after)) > LONGEST_ANNOTATION:
            raise UsageError("The record would not fit onto the route.", hint="Give a shorter reason.")
        self._routes.write(scene.copy, change.after, weights=change.after.step >= 0, rehearse=True)

    def _hold(self, rollout: Rollout) -> Verdict | None:
        """Ask the gates, and return their verdict if they say wait. Raises RouteError if they say no.

        If people have to approve the first weight, the gates are asked after that.
        """
        verdict = self._gates.check(Entry(rollout=rollout)) if rollout.step >= 0 else None
        if verdict is None or verdict.answer is GateAnswer.PASS:
            return None
        if verdict.answer is GateAnswer.FAIL:
            raise RouteError(verdict.reason, hint="Nothing was started; start it again when that is fixed.")
        return verdict

    def _require_free(self, scene: Survey, mine: str) -> Rollout | None:
        """Refuse a route whose note names an active rollout; restore one that the store forgot.

        Returns the rollout before this one on the route, as far as anybody can tell.
        """
        counts = own_note(scene.copy)
        if counts is not None and counts.id == mine:
            raise FulfilledError(mine)  # Redis has forgotten the rollout; it will be restored
        try:
            return self._before(scene.copy)
        except SlotTakenError:
            if counts is not None and self._store.load(counts.id) is None:
                self._take_up(counts, scene.copy)
            raise

    def _before(self, copy: RouteCopy) -> Rollout | None:
        """Return the rollout before this one on a route. Raises SlotTakenError, RouteError if it is not over."""
        note, counts = note_on(copy), own_note(copy)
        if note is None:
            return None
        entry = self._store.load(note.rollout.id)
        known = entry.rollout if entry is not None and entry.rollout.route_uid == copy.uid else None
        if note.rollout.phase in SLOTLESS or (known is not None and known.phase in SLOTLESS):
            return counts or known
        if counts is not None and known is None and (newer := follower(self._store, counts)):
            return _over(newer.rollout)
        if counts is None and known is None:
            raise _not_ours(copy, note.rollout)
        raise slot_taken(counts or known or note.rollout)


def _require_no_stop(report: Report) -> None:
    """Refuse a start with everything that stops it. Raises RouteError."""
    match report.of(Grade.STOP):
        case []:
            return
        case [line]:
            raise RouteError(line.said, hint=line.hint)
        case stops:
            each = "".join(f"\n• {line.text}" for line in stops)
            raise RouteError(f"{len(stops)} things stop this start.", hint=each)


def _over(rollout: Rollout) -> Rollout:
    """Return a rollout that is over. Raises SlotTakenError."""
    if rollout.phase not in SLOTLESS:
        raise slot_taken(rollout)
    return rollout


def _not_ours(copy: RouteCopy, rollout: Rollout) -> RouteError:
    remove = f"kubectl -n {copy.namespace} annotate httproute {copy.name} {NOTE}-"
    return RouteError(
        f"HTTPRoute `{copy.namespace}/{copy.name}` carries the note of rollout `{rollout.id}`, which none of my keys "
        "has signed: another bot may run it, or the key was changed.",
        hint=f"If not, remove it with `{remove}`, and start again.",
    )

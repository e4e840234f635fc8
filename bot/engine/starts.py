"""How a rollout begins: the cluster is surveyed, the first write is rehearsed, and only then is anything saved."""

from collections.abc import Callable

from bot.config.policy import Policy
from bot.domain.access import permit_start
from bot.domain.commands.request import Request, StartWords
from bot.domain.decisions.by_people import slot_taken
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.start import is_in_the_way, rollout_id, start
from bot.domain.errors import RefusedError, RouteError, UsageError
from bot.domain.gate import GateAnswer
from bot.domain.plan import make_plan
from bot.domain.rollout import SLOTLESS, Change, Rollout
from bot.engine.apply import new_decision
from bot.engine.encoding import LONGEST_ANNOTATION, annotation
from bot.engine.notes import note_on, own_note
from bot.engine.ports import Clock, Gates
from bot.engine.route_port import RouteCopy, Routes, Survey
from bot.engine.store_port import Save, Store

NOTE = "rolloutbot.dev/rollout"
"""The annotation, for people who remove it."""


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
            plan = make_plan(words.weight, words.wishes, self._policy.plan, only_stricter=self._policy.from_file)
            permit_start(plan, self._policy.access, request.by)
            before = self._require_free(scene, mine)
            change = start(
                request,
                plan,
                Moment(
                    now=self._clock.now(),
                    decision=new_decision(),
                    by=request.by,
                    unix_user=request.unix_user,
                ),
                route=(scene.copy.namespace, scene.copy.name, scene.copy.uid),
                stable=scene.stable,
                canary=scene.canary,
                rules=scene.rules,
                warnings=scene.warnings,
                known=scene.known,
                before=before,
            )
            self._require_pass(change.after)
            self._rehearse(scene, change)
        except RefusedError as error:
            raise RouteError(error.message, hint=error.hint or "Nothing was started.") from error
        return Save(change=change, expected=None, request=request.delivery, take_slot=True)

    def _survey(self, canary: str, words: StartWords) -> Survey:
        """Look at the cluster; a pool that is already in a rollout is reported first, as it causes other errors."""
        try:
            return self._routes.survey(canary, words)
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

    def _require_pass(self, rollout: Rollout) -> None:
        """Ask the gates, unless people have to approve the first weight: then they are asked after that."""
        verdict = self._gates.check(rollout) if rollout.step >= 0 else None
        if verdict is not None and verdict.answer is not GateAnswer.PASS:
            raise RouteError(verdict.reason, hint="Nothing was started; start it again when that is fixed.")

    def _require_free(self, scene: Survey, mine: str) -> Rollout | None:
        """Refuse a route whose note names an active rollout; restore one that the store forgot.

        Returns the rollout before this one on the route, as far as anybody can tell.
        """
        note, counts = note_on(scene.copy), own_note(scene.copy)
        if counts is not None and counts.id == mine:
            raise FulfilledError(mine)  # Redis has forgotten the rollout; it will be restored
        if note is None:
            return None
        entry = self._store.load(note.rollout.id)
        known = entry.rollout if entry is not None and entry.rollout.route_uid == scene.copy.uid else None
        if note.rollout.phase in SLOTLESS or (known is not None and known.phase in SLOTLESS):
            return counts or known
        if counts is None and known is None:
            raise _not_ours(scene.copy, note.rollout)
        if counts is not None and entry is None:
            self._take_up(counts, scene.copy)
        raise slot_taken(counts or known or note.rollout)


def _not_ours(copy: RouteCopy, rollout: Rollout) -> RouteError:
    remove = f"kubectl -n {copy.namespace} annotate httproute {copy.name} {NOTE}-"
    return RouteError(
        f"HTTPRoute `{copy.namespace}/{copy.name}` carries the note of rollout `{rollout.id}`, which none of my keys "
        "has signed: another bot may run it, or the key was changed.",
        hint=f"If not, remove it with `{remove}`, and start again.",
    )

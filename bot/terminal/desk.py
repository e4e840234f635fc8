"""Commands of the terminal: a request into the inbox and through the engine in this process, as from Slack."""

import shlex
import uuid
from contextlib import suppress
from dataclasses import replace

from bot.braking import Brake
from bot.core import Core
from bot.domain.access import permit
from bot.domain.command import Command, Request, Verb
from bot.domain.errors import ClusterError, DependencyError, RefusedError, RolloutBotError, RouteError, StoreError
from bot.domain.rollout import Acceptance, Entry
from bot.domain.starting import rollout_id
from bot.domain.verbs import RAISES
from bot.domain.waiting import waits
from bot.domain.waiting import why as why_it_waits
from bot.terminal.answer import PROGRAM, Answer, Exit
from bot.terminal.following import Tell, follow, result

NO_CARD = "It has no card in Slack; `--channel C…` gives a start one."


class Desk:
    """One person at a terminal; ``channel`` is the Slack channel that is meant, empty: any."""

    def __init__(self, core: Core, person: str, channel: str) -> None:
        self._core, self._person, self._channel = core, person, channel

    # --- questions

    def status(self, command: Command) -> Answer:
        """Tell of one rollout, or of all that are not over."""
        if command.subject:
            return Answer(entries=(self._find(command.subject),))
        entries = tuple(self._core.engine.entries(self._channel))
        return Answer(entries=entries, said="" if entries else "No rollout is under way.")

    def why(self, command: Command) -> Answer:
        """Say what a rollout waits for, who can end that, and until when."""
        entry = self._find(command.subject)
        wait = why_it_waits(waits(entry, self._core.policy.access))
        return Answer(entries=(entry,), said=f"`{entry.rollout.canary.name}`: {wait}")

    def history(self, subject: str) -> Answer:
        """Tell what happened to a rollout, from its start."""
        entry = self._find(subject)
        return Answer(entries=(entry,), events=tuple(self._core.store.events(entry.rollout.id, 0)))

    def _find(self, subject: str) -> Entry:
        return self._core.engine.find(subject, self._channel)

    # --- verbs

    def do(self, command: Command, seconds: float, tell: Tell) -> Answer:
        """Carry out a verb and follow it for some seconds. Raises UserError; a failing dependency is in the answer."""
        request = Request(
            command=command,
            by=self._person,
            channel=self._channel,
            delivery=f"terminal-{uuid.uuid4().hex}",
            at=self._core.clock.now(),
        )
        try:
            return self._do(request, seconds, tell)
        except StoreError as error:
            return _unconfirmed(f"{error.message} {self._without_store(command)}")

    def _do(self, request: Request, seconds: float, tell: Tell) -> Answer:
        permit(self._core.policy.access, request.command.verb, request.by)
        target = self._target(request)
        self._core.engine.receive(request)
        try:
            outcome = self._core.engine.process(request)
        except StoreError:
            raise
        except DependencyError as error:
            if self._was_decided(request, target) is None:
                return _unconfirmed(f"{error} What you asked for is kept: a running bot carries it out.")
            outcome = None
        entry = outcome.entry if outcome else self._was_decided(request, target)
        if entry is None:
            said = "A running bot took this up first and refused it. Look with `status`, then ask again to see why."
            return Answer(said=said, exit=Exit.REFUSED)
        try:
            entry = follow(entry, self._core.clock, seconds, tell, self._look)
        except StoreError as error:
            return _unconfirmed(
                f"It is decided. {error.message} So what became of it is not known; look with `status`."
            )
        answer = result(entry, request.command.verb)
        no_card = NO_CARD if request.command.verb is Verb.START and not request.channel else ""
        more = [answer.said, outcome.said if outcome else "", no_card]
        return replace(answer, said=" ".join(filter(None, more)))

    def _look(self, entry: Entry) -> Entry:
        """Write what is not on the route yet, and hear the gateway: at 3 a.m. there may be no running bot to do it."""
        entry = self._core.store.load(entry.rollout.id) or entry
        if not entry.is_applied:
            self._core.engine.push(entry.rollout.id)
        elif entry.acceptance is Acceptance.WAITING:
            with suppress(ClusterError):
                self._core.engine.ticker.tick(entry.rollout.id)
        return self._core.store.load(entry.rollout.id) or entry

    def _target(self, request: Request) -> str:
        """Return the id of the rollout that is meant; one that shall be raised must be ours to write.

        A step that only the person's missing right keeps from the route would pause the rollout for everybody.
        """
        command = request.command
        if command.verb is Verb.START:
            return rollout_id(request.delivery)  # its first write is rehearsed before it is decided
        rollout = self._core.engine.meant_by(command, request.channel).rollout
        if command.verb in RAISES:
            try:
                copy = self._core.cluster.read(rollout.namespace, rollout.route)
                self._core.cluster.write(copy, rollout, weights=False, rehearse=True)
            except RefusedError as error:
                raise RouteError(error.message, hint=error.hint or "Nothing was done.") from error
        return rollout.id

    def _was_decided(self, request: Request, target: str) -> Entry | None:
        """Return the rollout if the request has changed it, whichever process did that."""
        entry = self._core.store.load(target)
        if entry is None:
            return None
        events = self._core.store.events(target, 0)
        return entry if any(event.by == request.by and event.at >= request.at for event in events) else None

    def _without_store(self, command: Command) -> str:
        if command.verb is not Verb.ROLLBACK:
            return "Nothing is known to be done. Look with `status` when it is back; `rollback --from-route` works now."
        try:
            brake = Brake(self._core.cluster, self._core.clock)
            namespace, route, reason = brake.find(command, self._channel)
        except RolloutBotError as error:
            return f"Nothing is known to be done. {error} `rollback --from-route ROUTE` needs only the API server."
        words = [PROGRAM, "rollback", "--from-route", route, "--namespace", namespace, *filter(None, [reason])]
        return f"Nothing is known to be done. Roll back from the record on the route:\n    {shlex.join(words)}"


def _unconfirmed(said: str) -> Answer:
    return Answer(said=said, exit=Exit.UNCONFIRMED)

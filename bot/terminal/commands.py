"""Commands of the terminal: a request into the inbox and through the engine in this process, as from Slack."""

import shlex
import uuid
from contextlib import suppress
from dataclasses import replace

from bot.domain.access import permit
from bot.domain.commands.request import TERMINAL, Command, Request, Verb
from bot.domain.decisions.by_people import RAISES
from bot.domain.errors import (
    ClusterError,
    DependencyError,
    RaceError,
    RefusedError,
    RolloutBotError,
    RouteError,
    StoreError,
)
from bot.domain.operation import is_operation_id
from bot.domain.rollout import Entry
from bot.domain.waiting import waits
from bot.domain.waiting import why as why_it_waits
from bot.engine.rollback_from_route import RouteRollback
from bot.service.assembly import Core
from bot.store.clock import SystemClock
from bot.terminal.answer import BRAKE_LEFT, PROGRAM, Answer, Exit
from bot.terminal.follow import Tell, follow, result
from bot.terminal.operations import operate, standing

NOBODY_LEADS = "No bot leads now: steps, deadlines and cards wait for one."
NO_CARD = "It has no card in Slack; `--channel C…` gives a start one."


class Commands:
    """One person at a terminal; ``channel`` is the Slack channel that is meant, empty: any."""

    def __init__(self, core: Core, person: str, channel: str) -> None:
        self._core, self._person, self._channel = core, person, channel

    # --- questions

    def status(self, command: Command) -> Answer:
        """Tell of one rollout or operation, or of all that are not over."""
        if is_operation_id(command.subject):
            operation = self._core.operations.requests.find(command.subject, self._channel)
            return self._is_led(Answer(operations=(operation,)))
        if command.subject:
            return self._is_led(Answer(entries=(self._find(command.subject),)))
        entries = tuple(self._core.parts.engine.entries(self._channel))
        operations = tuple(self._core.operations.requests.under_way(self._channel))
        said = "" if entries or operations else "No rollout is under way."
        return self._is_led(Answer(entries=entries, operations=operations, said=said))

    def why(self, command: Command) -> Answer:
        """Say what a rollout waits for, who can end that, and until when; where an operation stands."""
        if is_operation_id(command.subject):
            operation = self._core.operations.requests.find(command.subject, self._channel)
            return standing(operation, led=self._core.store.is_led())
        entry = self._find(command.subject)
        wait = why_it_waits(waits(entry, self._core.policy.access))
        return Answer(entries=(entry,), said=f"`{entry.rollout.canary.name}`: {wait}")

    def history(self, subject: str) -> Answer:
        """Tell what happened to a rollout, from its start."""
        entry = self._find(subject)
        return Answer(entries=(entry,), events=tuple(self._core.store.events(entry.rollout.id, 0)))

    def _find(self, subject: str) -> Entry:
        return self._core.parts.engine.find(subject, self._channel)

    def _is_led(self, answer: Answer) -> Answer:
        """Add whether a bot goes on with it."""
        led = self._core.store.is_led()
        under_way = [entry.rollout.is_over for entry in answer.entries] + [one.is_over for one in answer.operations]
        waits_in_vain = not led and not all(under_way)
        said = "\n".join(filter(None, [answer.said, NOBODY_LEADS if waits_in_vain else ""]))
        return replace(answer, said=said, led=led)

    # --- verbs

    def do(self, command: Command, seconds: float, tell: Tell) -> Answer:
        """Carry out a verb and follow it for some seconds. Raises UserError; a failing dependency is in the answer."""
        if command.operation is not None:
            return operate(self._core, command, self._person, self._channel, seconds, tell)
        try:
            return self._do(self._request(command), seconds, tell)
        except StoreError as error:
            return _unconfirmed(f"{error} {self._without_store(command)}")

    def _request(self, command: Command) -> Request:
        return Request(
            command=command,
            by=self._person,
            channel=self._channel,
            delivery=f"{TERMINAL}{uuid.uuid4().hex}",
            at=self._core.clock.now(),
        )

    def _do(self, request: Request, seconds: float, tell: Tell) -> Answer:
        permit(self._core.policy.access, request)
        self._require_rights(request)
        self._core.parts.engine.receive(request)
        try:
            outcome = self._core.parts.engine.process(request)
        except StoreError:
            raise
        except DependencyError as error:
            failed, outcome = str(error), None
        else:
            failed = "It is not known what became of this."
        entry = outcome.entry if outcome else self._core.parts.engine.became(request)
        if entry is None:
            return _unconfirmed(f"{failed} What you asked for is kept: a running bot carries it out.")
        try:
            entry = follow(entry, self._core.clock, seconds, tell, self._look)
            answer = self._is_led(result(entry, request.command.verb))
        except StoreError as error:
            return _unconfirmed(f"It is decided. {error} So what became of it is not known; look with `status`.")
        no_card = NO_CARD if request.command.verb is Verb.START and not request.channel else ""
        more = [answer.said, outcome.said if outcome else "", no_card]
        return replace(answer, said="\n".join(filter(None, more)))

    def _look(self, entry: Entry) -> Entry:
        """See how far it has got; at 3 a.m. there may be no running bot to bring it further."""
        entry = self._core.store.load(entry.rollout.id) or entry
        if self._core.store.is_led():
            return entry
        with suppress(ClusterError):
            self._core.parts.ticker.stand_in(entry)
        return self._core.store.load(entry.rollout.id) or entry

    def _require_rights(self, request: Request) -> None:
        """Refuse to raise a canary whose route the person may not write.

        Such a step would be taken back and pause the rollout for everybody. A start is rehearsed by the engine.
        """
        if request.command.verb not in RAISES:
            return
        rollout = self._core.parts.engine.meant_by(request.command, request.channel).rollout
        try:
            copy = self._core.cluster.read(rollout.namespace, rollout.route)
            self._core.cluster.write(copy, rollout, weights=False, rehearse=True)
        except RaceError:
            return  # not before the right was looked at
        except RefusedError as error:
            raise RouteError(error.message, hint=error.hint or "Nothing was done.") from error

    def _without_store(self, command: Command) -> str:
        if command.verb is not Verb.ROLLBACK:
            return f"Nothing is known to be done. Look with `status` when it is back. {BRAKE_LEFT}"
        try:
            clock = SystemClock()  # the time is Redis's otherwise
            namespace, route, reason = RouteRollback(self._core.cluster, clock).find(
                command, self._channel, clock.now()
            )
        except RolloutBotError as error:
            return f"Nothing is known to be done. {error} {BRAKE_LEFT}"
        words = [PROGRAM, "rollback", "--from-route", route, "--namespace", namespace, *filter(None, [reason])]
        return f"Nothing is known to be done. Roll back from the record on the route:\n    {shlex.join(words)}"


def _unconfirmed(said: str) -> Answer:
    return Answer(said=said, exit=Exit.UNCONFIRMED)

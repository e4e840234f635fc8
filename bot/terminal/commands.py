"""Commands of the terminal: a request into the inbox and through the engine in this process, as from Slack."""

import shlex
import uuid
from contextlib import suppress
from dataclasses import replace

from bot.domain.access import permit
from bot.domain.check import Grade
from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import ROLLBACK, START, STATUS, Command, Request
from bot.domain.commands.values import say_cut
from bot.domain.errors import (
    ClusterError,
    DependencyError,
    RaceError,
    RefusedError,
    RolloutBotError,
    RouteError,
    StoreError,
)
from bot.domain.events import EventKind
from bot.domain.operation import is_operation_id
from bot.domain.prose import Prose, Text, joined, say, sentence
from bot.domain.rollout import Entry
from bot.domain.sentences.reasons import reason
from bot.domain.sentences.what_it_waits_for import why as why_it_waits
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verb_of
from bot.engine.rollback_from_route import RouteRollback
from bot.service.assembly import SharedParts
from bot.store.clock import SystemClock
from bot.store.lease import is_held
from bot.terminal.answer import BRAKE_LEFT, PROGRAM, Answer, Exit
from bot.terminal.follow import Tell, follow, result
from bot.terminal.operations import operate, standing

NOBODY_LEADS = say("No bot leads now: steps, deadlines and cards wait for one.")
NO_CARD = say("It has no card in Slack; `--channel C…` gives a start one.")


_EXITS = {Grade.STOP: Exit.REFUSED, Grade.WARN: Exit.WARNED, Grade.PASS: Exit.DONE}


class Commands:
    """One person at a terminal; ``channel`` is the Slack channel that the words are about, empty: any.

    ``unix_user`` is who that is here, if ``person`` is a Slack user.
    """

    def __init__(self, core: SharedParts, person: str, channel: str, *, unix_user: str = "") -> None:
        self._core, self._person, self._channel, self._unix_user = core, person, channel, unix_user

    # --- questions

    def ask(self, command: Command) -> Answer:
        """Answer a question, or an inquiry within its deadline."""
        if is_operation_id(command.subject):
            operation = self._core.operations.requests.find(command.subject, self._channel)
            return standing(operation, led=self._a_bot_leads())
        reply = self._core.parts.engine.answer(self._request(command), PROGRAM)
        if reply.wait is not None:
            (entry,) = reply.rollouts
            told = say("`{}`: {}", entry.rollout.canary.name, why_it_waits(reply.wait))
            return Answer(entries=reply.rollouts, said=told, shows_entries=False)
        answer = Answer(entries=reply.rollouts, said=reply.said)
        if reply.report is not None:
            return replace(answer, report=reply.report, exit=_EXITS[reply.report.grade])
        if verb_of(command.verb).kind is not Kind.QUESTION:
            return answer
        if command.verb != STATUS or command.subject or command.where:
            return self._with_lead(answer)
        operations = tuple(self._core.operations.requests.under_way(self._channel))
        said = Prose() if operations and not answer.entries else answer.said
        return self._with_lead(replace(answer, said=said, operations=operations))

    def history(self, command: Command) -> Answer:
        """Tell what happened to the rollout that a question names, from its start."""
        entry = self._core.parts.engine.find(command.subject, self._channel, command.where)
        return Answer(entries=(entry,), events=tuple(self._core.store.events(entry.rollout.id, 0)))

    def _with_lead(self, answer: Answer) -> Answer:
        """Add whether a bot will go on with it."""
        led = self._a_bot_leads()
        over = [entry.rollout.is_over for entry in answer.entries] + [one.is_over for one in answer.operations]
        waits_in_vain = not led and not all(over)
        said = joined("\n", (answer.said, NOBODY_LEADS)) if waits_in_vain else answer.said
        return replace(answer, said=said, led=led)

    def _a_bot_leads(self) -> bool:
        return is_held(self._core.client, self._core.install.prefix())

    # --- verbs

    def do(self, command: Command, seconds: float, tell: Tell) -> Answer:
        """Carry out a verb and follow it for some seconds. Raises UserError; a failing dependency is in the answer."""
        if command.operation is not None:
            return operate(self._core, command, self._person, self._channel, seconds, tell)
        try:
            return self._do(self._request(command), seconds, tell)
        except StoreError as error:
            return _unconfirmed(say("{} {}", error.prose, self._without_store(command)))

    def _with_warnings(self, answer: Answer, entry: Entry) -> Answer:
        """Add what the start warned of, which its card shows in Slack."""
        events = self._core.store.events(entry.rollout.id, 0)
        warned = [say("Warning: {}", reason(one.reason, by="")) for one in events if one.kind is EventKind.WARNED]
        return replace(answer, said=joined("\n", (answer.said, *warned)))

    def _request(self, command: Command) -> Request:
        return Request(
            command=command,
            by=self._person,
            origin=Origin(surface=Surface.TERMINAL, channel=self._channel),
            delivery=f"terminal:{uuid.uuid4().hex}",
            at=self._core.clock.now(),
            unix_user=self._unix_user,
        )

    def _do(self, request: Request, seconds: float, tell: Tell) -> Answer:
        permit(self._core.policy.access, verb_of(request.command.verb).access, request)
        self._require_rights(request)
        self._core.parts.engine.receive(request)
        try:
            outcome = self._core.parts.engine.process(request)
        except StoreError:
            raise
        except DependencyError as error:
            failed, outcome = error.prose, None
        else:
            failed = say("I do not know what became of this.")
        entry = outcome.entry if outcome else self._core.parts.engine.became(request)
        if entry is None:
            return _unconfirmed(say("{} What you asked for is kept: a running bot carries it out.", failed))
        try:
            entry = follow(entry, self._core.clock, seconds, tell, self._look)
            answer = self._with_lead(result(entry, request.command.verb))
            if request.command.verb == START:
                answer = self._with_warnings(answer, entry)
        except StoreError as error:
            return _unconfirmed(
                say("It is decided. {} So I do not know what became of it; look with `status`.", error.prose)
            )
        no_card = NO_CARD if request.command.verb == START and not request.origin.channel else Prose()
        more = sentence(outcome.said) if outcome else Prose()
        return replace(answer, said=joined("\n", (answer.said, more, no_card, say_cut(request.command.left_out))))

    def _look(self, entry: Entry) -> Entry:
        """See how far it has got; at 3 a.m. there may be no running bot to carry it on."""
        entry = self._core.store.load(entry.rollout.id) or entry
        if self._a_bot_leads():
            return entry
        with suppress(ClusterError):
            self._core.parts.ticker.stand_in(entry)
        return self._core.store.load(entry.rollout.id) or entry

    def _require_rights(self, request: Request) -> None:
        """Refuse to raise a canary whose route the person may not write.

        Such a step would be taken back and pause the rollout for everybody. A start is rehearsed by the engine.
        """
        if not verb_of(request.command.verb).raises:
            return
        rollout = self._core.parts.engine.meant_by(request.command, request.origin.channel).rollout
        try:
            copy = self._core.cluster.read(rollout.namespace, rollout.route)
            self._core.cluster.write(copy, rollout, weights=False, rehearse=True)
        except RaceError:
            return  # the right was checked first, and that was all we asked
        except RefusedError as error:
            raise RouteError(error.message, hint=error.hint or "Nothing was done.") from error

    def _without_store(self, command: Command) -> Prose:
        if command.verb != ROLLBACK:
            return say("I could not confirm anything. Look with `status` when it is back. {}", BRAKE_LEFT)
        try:
            clock = SystemClock()  # the time is Redis's otherwise
            place = RouteRollback(self._core.cluster, clock).find(command, self._channel, clock.now())
        except RolloutBotError as error:
            return say("I could not confirm anything. {} {}", error.prose, BRAKE_LEFT)
        where = ["--from-route", place.route, "--namespace", place.namespace]
        words = [PROGRAM, "rollback", *where, *filter(None, [place.named, place.reason])]
        shown = Text(shlex.join(words))
        return say("I could not confirm anything. Roll back from the record on the route:\n    {}", shown)


def _unconfirmed(said: Prose) -> Answer:
    return Answer(said=said, exit=Exit.UNCONFIRMED)

"""One command of one person: settings are read, the answer is shown, and every error becomes a sentence and a code."""

import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence

import typer

from bot.config.policy import Policy
from bot.config.settings import ClusterSettings, ConfigError, TerminalSettings, read_as
from bot.domain.access import UNIX, person
from bot.domain.commands.grammar import parse_words, read_question
from bot.domain.commands.request import HELP, ROLLBACK, Command
from bot.domain.commands.tokens import arguments, shown
from bot.domain.errors import RolloutBotError, StoreError, UsageError, UserError
from bot.domain.prose import Prose, joined, say, sentence
from bot.domain.verbs.asking import Reply
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.help import help_text
from bot.domain.verbs.registry import groups, verb_of
from bot.gates.registry import about
from bot.operations.registry import EXECUTORS, Registry
from bot.operations.words import help_text as operations_help
from bot.operations.words import read_operation_words
from bot.service.assembly import ClusterParts, SharedParts, cluster_parts, shared_parts
from bot.service.logs import Masked
from bot.store.clock import RedisClock, SystemClock
from bot.store.connection import connect
from bot.store.names import SlackNames
from bot.terminal import json_document, rollback_from_route
from bot.terminal.answer import BRAKE_LEFT, PROGRAM, Answer, Exit, unix_user
from bot.terminal.choices import refused
from bot.terminal.clock import TerminalClock
from bot.terminal.commands import Commands
from bot.terminal.follow import Tell
from bot.terminal.names import Names, nameless
from bot.terminal.screen import Screen

STOPPED = say("Stopped watching. What was asked for may still happen: look with `status`.")
BROKEN = say("Something broke in this program; the lines above say what. Look with `status` before you repeat it.")


HISTORY = Verb(
    name="history",
    kind=Kind.QUESTION,
    help="what happened to a rollout: when, who, why",
    usage="[POOL] [route=NAME namespace=NAME]",
    answer=lambda asking: Reply(),
)
"""Only a terminal has it: in Slack, the thread tells what happened."""


class Session:
    """Each method answers one command and returns the exit code."""

    def __init__(
        self, name: str, *, as_json: bool, env: Mapping[str, str] = os.environ, registry: Registry = EXECUTORS
    ) -> None:
        self._name, self._as_json, self._env, self._registry = name, as_json, env, registry
        self._user = unix_user()
        self._policy = Policy(namespaces=())
        self._names = Names({}, nameless)
        self._masked = Masked()
        logging.getLogger().addHandler(logging.NullHandler())  # the answer says it, and says it once

    def order(self, words: Sequence[str], channel: str, seconds: float) -> int:
        """Carry out a verb."""

        def ask(tell: Tell) -> Answer:
            command = read_operation_words(arguments(words), self._registry) or _read(words)
            if command.verb == HELP:
                return self._usage()
            return self._commands(channel).do(command, seconds, tell)

        return self._answer(ask)

    def question(self, words: Sequence[str], channel: str) -> int:
        """Answer a question or an inquiry."""

        def ask(tell: Tell) -> Answer:
            command = _read(words)
            if command.verb == HELP:
                return self._usage()
            return self._commands(channel).ask(command)

        return self._answer(ask)

    def history(self, words: Sequence[str], channel: str) -> int:
        """Tell what happened; ``words`` name the rollout as they do after a question."""

        def ask(tell: Tell) -> Answer:
            line = arguments(words)
            if line and line[0].flag in ("help", "h"):
                return Answer(said=sentence(HISTORY.line(PROGRAM)))
            command = read_question(HISTORY, line, PROGRAM)
            return self._commands(channel).history(command)

        return self._answer(ask)

    def roll_back_from_route(self, words: Sequence[str], route: str, namespace: str, seconds: float) -> int:
        """Roll back without Redis."""

        def ask(tell: Tell) -> Answer:
            command = _read(words)
            if command.verb == HELP:
                return self._usage()
            if not route:
                raise UsageError(
                    "A namespace alone does not say what to roll back.", hint="Name the pool or the route."
                )
            settings = read_as(ClusterSettings, self._env)
            self._masked = Masked(settings.secrets())
            near = cluster_parts(settings, SystemClock(), account=self._account, command=PROGRAM)
            who = self._enter(near, nameless)
            return rollback_from_route.roll_back(near, who, command, (namespace, route), seconds=seconds, tell=tell)

        return self._answer(ask)

    # --- who asks, and what of

    @property
    def _account(self) -> str:
        return f"The kubeconfig of `{self._user}`"

    @property
    def _person(self) -> str:
        return person(self._user, self._policy.unix_users)

    def _commands(self, channel: str) -> Commands:
        settings = read_as(TerminalSettings, self._env)
        self._masked = Masked(settings.secrets())
        client = connect(settings.redis_url.get_secret_value())
        clock = TerminalClock(RedisClock(client, SystemClock()))
        parts: SharedParts = shared_parts(
            settings, client, clock, account=self._account, command=PROGRAM, registry=self._registry
        )
        who, where = self._enter(parts, SlackNames(client, parts.install.prefix).of), _channel(channel)
        parts.install.ask()
        return Commands(parts, who, where, unix_user="" if who.startswith(UNIX) else self._user)

    def _enter(self, near: ClusterParts, in_slack: Callable[[str], str]) -> str:
        """Take the policy over, which says who the Unix user is."""
        self._policy = near.policy
        self._names = Names(near.policy.unix_users, in_slack)
        return self._person

    def _usage(self) -> Answer:
        """Say how the verb is typed, or all of them."""
        if self._name != HELP:
            return Answer(said=sentence(verb_of(self._name).line(PROGRAM)))
        checked = "Checked before every step up, where the policy has these gates:"
        of_verbs = help_text(groups(), about(), PROGRAM, checked=checked)
        return Answer(said=joined("\n\n", (of_verbs, operations_help(self._registry, PROGRAM))))

    # --- the answer

    def _answer(self, ask: Callable[[Tell], Answer]) -> int:
        answer = self._guarded(ask)
        if self._as_json:
            typer.echo(json_document.write(answer, self._name, self._person, self._policy.access, self._names))
        else:
            self._screen().show(answer)
        return answer.exit

    def _screen(self) -> Screen:
        return Screen(self._policy.access, self._names)

    def _guarded(self, ask: Callable[[Tell], Answer]) -> Answer:
        try:
            with self._screen().progress(quiet=self._as_json) as tell:
                return ask(tell)
        except KeyboardInterrupt:
            return Answer(said=STOPPED, exit=Exit.STOPPED)
        except ConfigError as error:
            left = BRAKE_LEFT if self._name == ROLLBACK else Prose()
            return Answer(said=joined("\n", (sentence(str(error)), left)), exit=Exit.USAGE)
        except UserError as error:
            code = Exit.USAGE if isinstance(error, UsageError) else Exit.REFUSED
            return refused(error, self._name, code)
        except StoreError as error:
            return Answer(said=say("{} {}", error.prose, BRAKE_LEFT), exit=Exit.UNCONFIRMED)
        except RolloutBotError as error:
            return Answer(said=error.prose, exit=Exit.UNCONFIRMED)
        except Exception:
            typer.echo(self._masked.mask(traceback.format_exc()), err=True)
            return Answer(said=BROKEN, exit=Exit.UNCONFIRMED)


def _read(words: Sequence[str]) -> Command:
    """Read what the shell has cut into words. Raises UsageError."""
    command = parse_words(arguments(words), command=PROGRAM)
    if "" in words and not verb_of(command.verb).is_brake:  # a brake is not refused for its spelling
        raise UsageError("One of the words is empty.", hint='Was a variable meant that is not set, as in `"$POOL"`?')
    return command


def _channel(text: str) -> str:
    """Read the id of a channel, if one is given. Raises UsageError."""
    if not text or re.fullmatch(r"[CG][A-Z0-9]{4,30}", text):
        return text
    wrong = f"{shown(text)} is not the id of a Slack channel."
    raise UsageError(wrong, hint="It looks like `C012AB3CD`; Slack shows it below the channel's details.")

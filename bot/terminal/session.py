"""One command of one person: settings are read, the answer is shown, and every error becomes a sentence and a code."""

import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence

import typer

from bot.config.policy import Policy
from bot.config.settings import ClusterSettings, ConfigError, TerminalSettings, read_as
from bot.domain.access import person
from bot.domain.commands.grammar import USAGE, parse_words
from bot.domain.commands.request import BRAKES, Command, Verb
from bot.domain.commands.tokens import arguments, shown
from bot.domain.commands.values import read_name
from bot.domain.errors import RolloutBotError, StoreError, UsageError, UserError
from bot.operations.registry import EXECUTORS, Registry
from bot.operations.words import read_operation_words
from bot.service.assembly import Core, Reach, core, reach
from bot.service.logs import Masked
from bot.store.clock import RedisClock, SystemClock
from bot.terminal import json_document, rollback_from_route
from bot.terminal.answer import BRAKE_LEFT, PROGRAM, Answer, Exit, unix_user
from bot.terminal.commands import Commands
from bot.terminal.follow import Tell
from bot.terminal.screen import Screen

STOPPED = "Stopped watching. What was asked for may still happen: look with `status`."
BROKEN = "Something broke in this program; the lines above say what. Look with `status` before you repeat it."


class Session:
    """Each method answers one command and returns the exit code."""

    def __init__(
        self, name: str, *, as_json: bool, env: Mapping[str, str] = os.environ, registry: Registry = EXECUTORS
    ) -> None:
        self._name, self._as_json, self._env, self._registry = name, as_json, env, registry
        self._user = unix_user()
        self._policy = Policy(namespaces=())
        self._masked = Masked()
        logging.getLogger().addHandler(logging.NullHandler())  # the answer says it, and says it once

    def order(self, words: Sequence[str], channel: str, seconds: float) -> int:
        """Carry out a verb."""

        def ask(tell: Tell) -> Answer:
            command = read_operation_words(arguments(words), self._registry) or _read(words)
            if command.verb is Verb.HELP:
                return self._usage()
            return self._commands(channel).do(command, seconds, tell)

        return self._answer(ask)

    def question(self, words: Sequence[str], channel: str) -> int:
        """Answer ``status`` or ``why``."""

        def ask(tell: Tell) -> Answer:
            command = _read(words)
            if command.verb is Verb.HELP:
                return self._usage()
            commands = self._commands(channel)
            return commands.why(command) if command.verb is Verb.WHY else commands.status(command)

        return self._answer(ask)

    def history(self, pool: str, channel: str) -> int:
        """Tell what happened."""

        def ask(tell: Tell) -> Answer:
            subject = read_name("pool", pool) if pool else ""
            return self._commands(channel).history(subject)

        return self._answer(ask)

    def roll_back_from_route(self, words: Sequence[str], route: str, namespace: str, seconds: float) -> int:
        """Roll back without Redis."""

        def ask(tell: Tell) -> Answer:
            command = _read(words)
            if command.verb is Verb.HELP:
                return self._usage()
            settings = read_as(ClusterSettings, self._env)
            near = reach(settings, SystemClock(), account=self._account, command=PROGRAM)
            who = self._enter(near)
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
        parts: Core = core(
            settings, clock_of=RedisClock, account=self._account, command=PROGRAM, registry=self._registry
        )
        return Commands(parts, self._enter(parts), _channel(channel))

    def _enter(self, near: Reach) -> str:
        """Take the policy over, which says who the Unix user is."""
        self._policy = near.policy
        return self._person

    def _usage(self) -> Answer:
        return Answer(said=USAGE[Verb(self._name)].format(command=PROGRAM))

    # --- the answer

    def _answer(self, ask: Callable[[Tell], Answer]) -> int:
        answer = self._guarded(ask)
        if self._as_json:
            policy = self._policy
            typer.echo(json_document.write(answer, self._name, self._person, policy.access, policy.unix_users))
        elif self._name == Verb.WHY:
            self._screen().say(answer)
        else:
            self._screen().show(answer)
        return answer.exit

    def _screen(self) -> Screen:
        return Screen(self._policy.access, self._policy.unix_users)

    def _guarded(self, ask: Callable[[Tell], Answer]) -> Answer:
        try:
            with self._screen().progress(quiet=self._as_json) as tell:
                return ask(tell)
        except KeyboardInterrupt:
            return Answer(said=STOPPED, exit=Exit.STOPPED)
        except ConfigError as error:
            left = f"\n{BRAKE_LEFT}" if self._name == Verb.ROLLBACK else ""
            return Answer(said=f"{error}{left}", exit=Exit.USAGE)
        except UsageError as error:
            return Answer(said=str(error), exit=Exit.USAGE)
        except UserError as error:
            return Answer(said=str(error), exit=Exit.REFUSED)
        except StoreError as error:
            return Answer(said=f"{error} {BRAKE_LEFT}", exit=Exit.UNCONFIRMED)
        except RolloutBotError as error:
            return Answer(said=str(error), exit=Exit.UNCONFIRMED)
        except Exception:
            typer.echo(self._masked.mask(traceback.format_exc()), err=True)
            return Answer(said=BROKEN, exit=Exit.UNCONFIRMED)


def _read(words: Sequence[str]) -> Command:
    """Read what the shell has cut into words. Raises UsageError."""
    command = parse_words(arguments(words), command=PROGRAM)
    if "" in words and command.verb not in BRAKES:  # a brake is not refused for its spelling
        raise UsageError("One of the words is empty.", hint='Was a variable meant that is not set, as in `"$POOL"`?')
    return command


def _channel(text: str) -> str:
    """Read the id of a channel, where one is given. Raises UsageError."""
    if not text or re.fullmatch(r"[CG][A-Z0-9]{4,30}", text):
        return text
    wrong = f"{shown(text)} is not the id of a Slack channel."
    raise UsageError(wrong, hint="It looks like `C012AB3CD`; Slack shows it below the channel's details.")

"""The verbs on the command line: words from the shell go through Slack's own grammar; every end has an exit code."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bot.domain.commands.grammar import spelled
from bot.domain.commands.tokens import arguments
from bot.domain.errors import UsageError
from bot.domain.verbs.declaration import Verb
from bot.domain.verbs.registry import verbs
from bot.domain.verbs.rollback import ROLLBACK
from bot.operations.registry import EXECUTORS, Registry
from bot.operations.words import typed_lines
from bot.terminal.answer import PROGRAM

if TYPE_CHECKING:
    from bot.terminal.session import Session

EXIT_CODES = (
    "Exit codes: 0 done · 1 refused, with the reason · 2 the command or the settings are wrong · "
    "3 not confirmed: Redis, the API server or the gateway did not answer, or a gate holds it · "
    "4 a check with warnings · 130 Ctrl-C."
)
_FREE = {"ignore_unknown_options": True}
"""Keys like ``--every 10m`` are for the grammar to judge."""


class Output(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORDS", help="The same words as after /rollout in Slack.", show_default=False),
]
Channel = Annotated[
    str,
    typer.Option(
        "--channel", metavar="C…", help="The Slack channel for a start's card, or of the rollout that you mean."
    ),
]
Format = Annotated[
    Output, typer.Option("--output", metavar="text|json", help="json prints one object; see docs/terminal.md.")
]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, max=600, metavar="SECONDS", help="How long to wait for the route and the gateway."),
]
Route = Annotated[str, typer.Option("--from-route", metavar="ROUTE", help="Use only the record on this HTTPRoute.")]
Namespace = Annotated[
    str, typer.Option("--namespace", metavar="NS", help="The route's namespace; without it, the kubeconfig's.")
]


class Spelled(TyperGroup):
    """The program's commands: verbs may be spelled as in Slack, and an unknown one gets our own answer."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the words begin with, and the remaining words."""
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        try:
            verb, rest = spelled(arguments(args), PROGRAM)
        except UsageError:
            return NO_VERB, self.commands[NO_VERB], args
        return super().resolve_command(ctx, [verb.name, *args[len(args) - len(rest) :]])


NO_VERB = "no-verb"


def add_verbs(app: typer.Typer, registry: Registry) -> None:
    """Give the program a command for each verb, and ``history``; `help` lists the registry's operations too."""
    for verb in verbs():
        usage = verb.line(PROGRAM).replace("[", r"\[")  # for rich, `[x]` is a style
        text = f"{verb.help[:1].upper()}{verb.help[1:]}.\n\n{usage}"
        app.command(verb.name, help=text, epilog=EXIT_CODES, context_settings=_FREE)(_shape(verb, registry))
    app.command("history", epilog=EXIT_CODES, context_settings=_FREE)(_history)
    app.command(NO_VERB, hidden=True, context_settings=_FREE)(_no_verb)


def add_operations(app: typer.Typer, registry: Registry) -> None:
    """Give the program a command for each executor, and for what people may say about operations."""
    for line, about in typed_lines(registry):
        name, typed = line.split()[0], f"{PROGRAM} {line}".replace("[", r"\[")
        text = f"{about[:1].upper()}{about[1:]}.\n\n{typed}"
        app.command(name, help=text, epilog=EXIT_CODES, context_settings=_FREE)(_operation(name, registry))


def _operation(name: str, registry: Registry) -> Callable[..., None]:
    def operate(words: Words = None, channel: Channel = "", output: Format = Output.TEXT, wait: Wait = 60) -> None:
        _end(_session(name, output, registry).order([name, *(words or ())], channel, wait))

    return operate


def _shape(verb: Verb, registry: Registry) -> Callable[..., None]:
    if verb.asks:
        return _question(verb.name, registry)
    return _roll_back(verb.name) if verb is ROLLBACK else _order(verb.name)


def _order(verb: str) -> Callable[..., None]:
    def order(words: Words = None, channel: Channel = "", output: Format = Output.TEXT, wait: Wait = 60) -> None:
        _end(_session(verb, output).order([verb, *(words or ())], channel, wait))

    return order


def _question(verb: str, registry: Registry) -> Callable[..., None]:
    def question(words: Words = None, channel: Channel = "", output: Format = Output.TEXT) -> None:
        _end(_session(verb, output, registry).question([verb, *(words or ())], channel))

    return question


def _roll_back(verb: str) -> Callable[..., None]:
    def roll_back(
        words: Words = None,
        channel: Channel = "",
        route: Route = "",
        namespace: Namespace = "",
        output: Format = Output.TEXT,
        wait: Wait = 60,
    ) -> None:
        session, line = _session(verb, output), [verb, *(words or ())]
        if route or (namespace and not words):
            _end(session.roll_back_from_route(line, route, namespace, wait))
        else:  # a namespace tells the rollouts of a named pool apart
            _end(session.order([*line, *([f"namespace={namespace}"] if namespace else [])], channel, wait))

    return roll_back


def _no_verb(words: Words = None, channel: Channel = "", output: Format = Output.TEXT) -> None:
    line = words or [""]
    _end(_session(line[0], output).question(line, channel))


def _history(words: Words = None, channel: Channel = "", output: Format = Output.TEXT) -> None:
    """Tell what happened to a rollout: when, who, why.

    rolloutbot history \\[POOL] \\[route=NAME namespace=NAME]
    """
    _end(_session("history", output).history(words or (), channel))


def _session(name: str, output: Output, registry: Registry = EXECUTORS) -> "Session":
    from bot.terminal.session import Session  # what it imports takes long, and `--help` does not need it

    return Session(name, as_json=output is Output.JSON, registry=registry)


def _end(code: int) -> None:
    raise typer.Exit(code)

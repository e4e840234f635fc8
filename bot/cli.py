"""The verbs on the command line: words from the shell go through Slack's own grammar; every end has an exit code."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bot.domain.commands.grammar import USAGE
from bot.domain.commands.request import Verb
from bot.operations.registry import EXECUTORS, Registry
from bot.operations.words import CANCEL_USAGE, usage
from handlers.replies import HELP

if TYPE_CHECKING:
    from bot.terminal.session import Session

EXIT_CODES = (
    "Exit codes: 0 done · 1 refused, a sentence says why · 2 the words or the settings make no sense · "
    "3 not confirmed: Redis, the API server or the gateway did not answer · 130 Ctrl-C."
)
_FREE = {"ignore_unknown_options": True}
"""The grammar has keys like ``--every 10m``; they are its own to judge."""


class Output(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


Words = Annotated[
    list[str] | None, typer.Argument(metavar="WORDS", help="As behind /rollout in Slack.", show_default=False)
]
Channel = Annotated[
    str, typer.Option("--channel", metavar="C…", help="The Slack channel: of a start's card; of the rollout meant.")
]
Format = Annotated[Output, typer.Option("--output", metavar="text|json", help="json: one object, docs/terminal.md.")]
Wait = Annotated[float, typer.Option("--wait", min=0, max=600, metavar="SECONDS", help="For route and gateway.")]
Route = Annotated[str, typer.Option("--from-route", metavar="ROUTE", help="Use only the record on this HTTPRoute.")]
Namespace = Annotated[str, typer.Option("--namespace", metavar="NS", help="Of that route; else the kubeconfig's.")]


def add_verbs(app: typer.Typer) -> None:
    """Give the program a command for each verb, and ``history``."""
    shapes = {Verb.STATUS: _question, Verb.WHY: _question, Verb.ROLLBACK: _roll_back}
    for verb in Verb:
        if verb is not Verb.HELP:
            usage = USAGE[verb].format(command="rolloutbot").replace("[", r"\[")  # for rich, `[x]` is a style
            text = f"{HELP[verb][:1].upper()}{HELP[verb][1:]}.\n\n{usage}"
            shape = shapes.get(verb, _order)
            app.command(verb.value, help=text, epilog=EXIT_CODES, context_settings=_FREE)(shape(verb))
    app.command("history", epilog=EXIT_CODES)(_history)


def add_operations(app: typer.Typer, registry: Registry) -> None:
    """Give the program a command for each executor, and ``cancel``; where there is none, nothing."""
    usages = [usage(executor) for executor in registry]
    for line in [*usages, CANCEL_USAGE] if usages else []:
        name, text = line.split()[0], f"rolloutbot {line}".replace("[", r"\[")
        app.command(name, help=text, epilog=EXIT_CODES, context_settings=_FREE)(_operation(name, registry))


def _operation(name: str, registry: Registry) -> Callable[..., None]:
    def operate(words: Words = None, channel: Channel = "", output: Format = Output.TEXT, wait: Wait = 60) -> None:
        _end(_session(name, output, registry).order([name, *(words or ())], channel, wait))

    return operate


def _order(verb: Verb) -> Callable[..., None]:
    def order(words: Words = None, channel: Channel = "", output: Format = Output.TEXT, wait: Wait = 60) -> None:
        _end(_session(verb.value, output).order([verb.value, *(words or ())], channel, wait))

    return order


def _question(verb: Verb) -> Callable[..., None]:
    def question(words: Words = None, channel: Channel = "", output: Format = Output.TEXT) -> None:
        _end(_session(verb.value, output).question([verb.value, *(words or ())], channel))

    return question


def _roll_back(verb: Verb) -> Callable[..., None]:
    def roll_back(
        words: Words = None,
        channel: Channel = "",
        route: Route = "",
        namespace: Namespace = "",
        output: Format = Output.TEXT,
        wait: Wait = 60,
    ) -> None:
        session, line = _session(verb.value, output), [verb.value, *(words or ())]
        if route:
            _end(session.roll_back_from_route(line, route, namespace, wait))
        elif namespace:
            raise typer.BadParameter("goes with --from-route; elsewhere name the pool.", param_hint="--namespace")
        else:
            _end(session.order(line, channel, wait))

    return roll_back


def _history(
    pool: Annotated[str, typer.Argument(help="The new pool, or a rollout's id; else the only rollout.")] = "",
    channel: Channel = "",
    output: Format = Output.TEXT,
) -> None:
    """Tell what happened to a rollout: when, who, why."""
    _end(_session("history", output).history(pool, channel))


def _session(name: str, output: Output, registry: Registry = EXECUTORS) -> "Session":
    from bot.terminal.session import Session  # what it imports takes long, and `--help` does not need it

    return Session(name, as_json=output is Output.JSON, registry=registry)


def _end(code: int) -> None:
    raise typer.Exit(code)
